"""``boxship commit``."""

from boxship.cli import kinds
from boxship.cli.flags import Flag
from boxship.cli.format.images import split_reference
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

FLAGS = (
    Flag("author", "a", kinds.STRING, "Who made it, as 'Ada Lovelace <ada@example.org>'"),
    Flag("change", "c", kinds.LIST, "Dockerfile instruction to apply, as 'CMD [\"sh\"]'"),
    Flag("message", "m", kinds.STRING, "Comment for the image's history"),
    Flag("pause", "p", kinds.BOOL, "Let the container stand still meanwhile", default=True),
    Flag("no-pause", "", kinds.BOOL, "Let the container go on meanwhile"),
)


def run(session: Session, given: Invocation) -> int:
    container, *names = given.arguments
    repository, tag, digest = split_reference(names[0]) if names else ("", "", "")
    values = given.values
    options = containers.CommitOptions(
        repository=f"{repository}@{digest}" if digest else repository,
        tag=tag,
        comment=values.text("message"),
        author=values.text("author"),
        changes=tuple(values.many("change")),
        pause=values.on("pause") and not values.on("no-pause"),
    )
    session.out.write(containers.commit(session.client, container, options) + "\n")
    return 0


COMMAND = Command("[OPTIONS] CONTAINER [REPOSITORY[:TAG]]", Arity(1, 2), run, FLAGS)
