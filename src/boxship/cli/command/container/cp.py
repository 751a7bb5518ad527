"""``boxship cp``: between a container and this machine, or a tar on the standard streams."""

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    Flag("archive", "a", kinds.BOOL, "Give everything to the container's user"),
    Flag("follow-link", "L", kinds.BOOL, "Copy what a link leads to"),
    Flag("quiet", "q", kinds.BOOL, "Don't say what was copied"),
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.filecopy import Place, copy

    source, target = (Place.parse(argument, "container") for argument in given.arguments)
    if source.owner and target.owner:
        raise ExitError(FAILURE, "copying between containers is not supported")
    if not source.owner and not target.owner:
        raise ExitError(FAILURE, "must specify at least one container source")
    on = given.values.on
    copy(session, source, target, follow=on("follow-link"), own=on("archive"), quiet=on("quiet"))
    return 0


COMMAND = Command("[OPTIONS] CONTAINER:SRC_PATH DEST_PATH|-", Arity(2, 2), run, FLAGS)
