"""Archives from files, pipes and to files."""

import os
from collections.abc import Iterator

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


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
