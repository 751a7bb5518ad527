"""``boxship buildx dial-stdio``: the builder's API on standard input and output."""

from boxship.cli import kinds
from boxship.cli.building.builders import check_builder
from boxship.cli.building.flags import BUILDER, DEBUG, PROGRESS
from boxship.cli.command.system.dialstdio import pass_on
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.standardio import write_all
from boxship.cli.verb import NONE, Command, Invocation

FLAGS = (
    BUILDER,
    DEBUG,
    Flag("platform", "", kinds.STRING, "Accepted, no effect: there is one node"),
    PROGRESS,
)


def run(session: Session, given: Invocation) -> int:
    check_builder(session, given)
    stream = session.client.hijack("POST", "/grpc", protocol="h2c")
    try:
        if stream.has_input:
            write_all(1, stream.receive())
        pass_on(stream.connection)
    finally:
        stream.close()
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
