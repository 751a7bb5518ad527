"""Files as members of archives that are made while they are sent."""

import tarfile
from collections.abc import Iterator

from boxship.cli.exitcodes import FAILURE, ExitError

_PIECE = 1 << 20


def content(path: str, size: int, told: str = "") -> Iterator[bytes]:
    """Yield exactly ``size`` bytes of a file, and what fills the last block.

    ExitError: it has become shorter; ``told`` begins the message.
    """
    left = size
    with open(path, "rb", buffering=0) as file:
        while left:
            piece = file.read(min(_PIECE, left))
            if not piece:
                raise ExitError(FAILURE, f"{told}{path} became shorter while it was read")
            left -= len(piece)
            yield piece
    yield bytes(-size % tarfile.BLOCKSIZE)
