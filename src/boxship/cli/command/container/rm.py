"""``boxship rm``."""

from boxship.base.errors import NotFoundError
from boxship.cli import kinds
from boxship.cli.batch import for_each
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import containers

FLAGS = (
    Flag("force", "f", kinds.BOOL, "Kill the container first if it is running"),
    Flag("link", "l", kinds.BOOL, "Remove the link of that name, not the container"),
    Flag("volumes", "v", kinds.BOOL, "Remove its anonymous volumes too"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values

    def remove(name: str) -> None:
        # "web/db" is a link, "/web" the name as the daemon writes it.
        name = name.strip("/")
        if not name:
            raise NotFoundError("Container name cannot be empty")
        try:
            containers.remove(
                session.client,
                name,
                force=values.on("force"),
                volumes=values.on("volumes"),
                link=values.on("link"),
            )
        except NotFoundError as error:
            if not values.on("force"):
                raise
            session.warn(str(error))  # gone already is what --force wants

    return for_each(session, given.arguments, remove)


COMMAND = Command("[OPTIONS] CONTAINER [CONTAINER...]", SOME, run, FLAGS)
