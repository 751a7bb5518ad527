"""``boxship rmi``."""

from boxship.base.errors import BoxshipError, NotFoundError
from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import images

FLAGS = (
    Flag("force", "f", kinds.BOOL, "Remove it although it has several names or a container"),
    Flag("no-prune", "", kinds.BOOL, "Keep untagged parents"),
    Flag("platform", "", kinds.CSV, "Remove only these platforms, as linux/amd64"),
)


def run(session: Session, given: Invocation) -> int:
    values = given.values
    code = 0
    for name in given.arguments:
        try:
            removed = images.remove(
                session.client,
                name,
                force=values.on("force"),
                prune=not values.on("no-prune"),
                platforms=values.many("platform"),
            )
        except BoxshipError as error:
            session.warn(str(error))
            if not (values.on("force") and isinstance(error, NotFoundError)):
                code = FAILURE
            continue
        for entry in removed:
            for kind in ("Deleted", "Untagged"):
                if entry.get(kind):
                    session.say(f"{kind}: {entry[kind]}")
    return code


COMMAND = Command("[OPTIONS] IMAGE [IMAGE...]", SOME, run, FLAGS)
