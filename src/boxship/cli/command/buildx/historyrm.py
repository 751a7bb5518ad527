"""``boxship buildx history rm``."""

from boxship.cli import kinds
from boxship.cli.building.builders import opened
from boxship.cli.building.flags import BUILDER, DEBUG
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation

FLAGS = (
    Flag("all", "", kinds.BOOL, "Forget all builds that have ended"),
    BUILDER,
    DEBUG,
)


def run(session: Session, given: Invocation) -> int:
    from boxship.cli.command.buildx.records import find
    from boxship.wire.buildkit import methods
    from boxship.wire.buildkit.history import UpdateBuildHistoryRequest

    every = given.values.on("all")
    if every == bool(given.arguments):
        raise ExitError(FAILURE, "name builds, or say --all")
    with opened(session, given) as builder:
        if every:
            found = [each for each in builder.records() if each.completed_at is not None]
        else:
            found = [find(builder, reference) for reference in given.arguments]
        for record in found:
            question = UpdateBuildHistoryRequest(ref=record.ref, delete=True)
            builder.ask(methods.UPDATE_BUILD_HISTORY, question)
            session.say(record.ref)
    return 0


COMMAND = Command("[OPTIONS] [REF...]", Arity(0, None), run, FLAGS)
