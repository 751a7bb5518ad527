"""``boxship export``."""

from boxship.cli import kinds
from boxship.cli.archive import check_writable, write_archive
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import Arity, Command, Invocation
from boxship.client import containers

FLAGS = (Flag("output", "o", kinds.STRING, "Write to this file instead of standard output"),)


def run(session: Session, given: Invocation) -> int:
    path = given.values.text("output")
    check_writable(path, "export container")
    write_archive(path, containers.export(session.client, given.arguments[0]))
    return 0


COMMAND = Command("[OPTIONS] CONTAINER", Arity(1, 1), run, FLAGS)
