"""``boxship load``."""

import os

from boxship.cli import kinds
from boxship.cli.archive import check_readable, read_pieces
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.platforms import wanted
from boxship.cli.progress import show
from boxship.cli.session import Session
from boxship.cli.verb import NONE, Command, Invocation
from boxship.client import images

FLAGS = (
    Flag("input", "i", kinds.STRING, "Read from this file instead of standard input"),
    Flag("platform", "", kinds.CSV, "Load only these platforms, as linux/amd64"),
    Flag("quiet", "q", kinds.BOOL, "Do not show progress"),
)


def run(session: Session, given: Invocation) -> int:
    path = given.values.text("input") or "-"
    if path == "-" and os.isatty(0):
        raise ExitError(FAILURE, "requested load from stdin, but stdin is empty; use --input FILE")
    if path != "-":
        check_readable(path)
    quiet = given.values.on("quiet") or not os.isatty(1)
    answer = images.load(
        session.client,
        read_pieces(path),
        quiet=quiet,
        platforms=wanted(given.values.many("platform")),
    )
    if answer.head.header("content-type").startswith("application/json"):
        show(session, answer.documents())
        return 0
    for piece in answer:
        session.out.write(piece.decode("utf-8", "replace"))
    return 0


COMMAND = Command("[OPTIONS]", NONE, run, FLAGS)
