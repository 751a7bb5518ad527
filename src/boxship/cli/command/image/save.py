"""``boxship save``."""

from boxship.cli import kinds
from boxship.cli.archive import check_writable, write_archive
from boxship.cli.flags import Flag
from boxship.cli.platforms import wanted
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import images

FLAGS = (
    Flag("output", "o", kinds.STRING, "Write to this file instead of standard output"),
    Flag("platform", "", kinds.CSV, "Save only these platforms, as linux/amd64"),
)


def run(session: Session, given: Invocation) -> int:
    path = given.values.text("output")
    check_writable(path, "save image")
    platforms = wanted(given.values.many("platform"))
    answer = images.save(session.client, given.arguments, platforms=platforms)
    write_archive(path, answer)
    return 0


COMMAND = Command("[OPTIONS] IMAGE [IMAGE...]", SOME, run, FLAGS)
