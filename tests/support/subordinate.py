"""Subordinate ids for a user of the machine to give to containers (`subuid(5)`)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

USER = "daemon"
FIRST = 300_000
COUNT = 65_536
_FILES = (Path("/etc/subuid"), Path("/etc/subgid"))


@contextmanager
def subordinate_ids() -> Iterator[None]:
    """Let ``USER`` have ``COUNT`` from ``FIRST``; the machine's files are put back afterwards."""
    before = [file.read_bytes() if file.exists() else None for file in _FILES]
    for file, content in zip(_FILES, before, strict=True):
        file.write_bytes((content or b"") + f"{USER}:{FIRST}:{COUNT}\n".encode())
    try:
        yield
    finally:
        for file, content in zip(_FILES, before, strict=True):
            file.unlink() if content is None else file.write_bytes(content)
