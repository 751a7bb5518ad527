"""``boxship volume export``: all files of a volume as a tar."""

from boxship.cli import kinds
from boxship.cli.archive import check_writable, write_archive
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import ONE, Command, Invocation
from boxship.client import volumes

FLAGS = (Flag("output", "o", kinds.STRING, "File to write to, instead of standard output"),)


def run(session: Session, given: Invocation) -> int:
    path = given.values.text("output")
    check_writable(path, "export the volume")
    with volumes.export(session.client, given.arguments[0]) as archive:
        write_archive(path, archive)
    return 0


COMMAND = Command("[OPTIONS] VOLUME", ONE, run, FLAGS)
