"""Archives from files, pipes and to files."""

import os
import sys
from collections.abc import Iterable, Iterator

from boxship.cli.exitcodes import FAILURE, ExitError

_PIECE = 1024 * 1024


def read_pieces(path: str) -> Iterator[bytes]:
    """The content of a file; ``-`` is standard input."""
    if path == "-":
        yield from _pieces(0)
        return
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise ExitError(FAILURE, f"open {path}: {_reason(error)}") from error
    try:
        yield from _pieces(descriptor)
    finally:
        os.close(descriptor)


def _pieces(descriptor: int) -> Iterator[bytes]:
    while piece := os.read(descriptor, _PIECE):
        yield piece


def check_readable(path: str) -> None:
    """Fail before the request is sent, not in the middle of it."""
    try:
        os.close(os.open(path, os.O_RDONLY | os.O_CLOEXEC))
    except OSError as error:
        raise ExitError(FAILURE, f"open {path}: {_reason(error)}") from error


def check_writable(path: str, what: str) -> None:
    """Fail before anything is asked for: an archive goes to no terminal, and into a directory
    that there is. An empty path is standard output."""
    if not path and os.isatty(1):
        raise ExitError(
            FAILURE, "refusing to write an archive to a terminal; use -o FILE or redirect it"
        )
    if os.path.isdir(path):
        raise ExitError(FAILURE, f'failed to {what}: "{path}" is a directory')
    directory = os.path.dirname(path) or "."
    if path and not os.path.isdir(directory):
        raise ExitError(FAILURE, f'failed to {what}: directory "{directory}" does not exist')


def write_archive(path: str, pieces: Iterable[bytes]) -> None:
    """Write to a file, or to standard output for an empty path.

    A file is written beside its place and renamed: a broken transfer never leaves half an archive.
    """
    if not path:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as device:
            device.writelines(pieces)
        return
    partial = f"{path}.partial-{os.getpid()}"
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.writelines(pieces)
        os.rename(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
