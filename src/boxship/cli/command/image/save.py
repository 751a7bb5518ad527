"""``boxship save``."""

import os
import sys

from boxship.cli import kinds
from boxship.cli.exitcodes import FAILURE, ExitError
from boxship.cli.flags import Flag
from boxship.cli.session import Session
from boxship.cli.verb import SOME, Command, Invocation
from boxship.client import images
from boxship.client.engine import Response

FLAGS = (
    Flag("output", "o", kinds.STRING, "Write to this file instead of standard output"),
    Flag("platform", "", kinds.CSV, "Save only these platforms, as linux/amd64"),
)


def run(session: Session, given: Invocation) -> int:
    path = given.values.text("output")
    if not path and os.isatty(1):
        raise ExitError(
            FAILURE, "refusing to write an archive to a terminal; use -o FILE or redirect it"
        )
    directory = os.path.dirname(path) or "."
    if path and not os.path.isdir(directory):
        raise ExitError(FAILURE, f'failed to save image: directory "{directory}" does not exist')
    platforms = given.values.many("platform")
    answer = images.save(session.client, given.arguments, platforms=platforms)
    if path:
        _to_file(path, answer)
    else:
        for piece in answer:
            sys.stdout.buffer.write(piece)
    return 0


def _to_file(path: str, answer: Response) -> None:
    """Write beside the file and rename: a broken transfer never leaves half an archive."""
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as device:
            for piece in answer:
                device.write(piece)
        return
    partial = f"{path}.partial-{os.getpid()}"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            for piece in answer:
                file.write(piece)
        os.rename(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


COMMAND = Command("[OPTIONS] IMAGE [IMAGE...]", SOME, run, FLAGS)
