"""Files that are either the old or the new version, whole, whenever somebody looks."""

from __future__ import annotations

import os

from boxship.base.suppress import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def fsync_directory(path: str) -> None:
    """Make the directory's entries (creations, renames, removals) survive power loss."""
    fd = os.open(path, _DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def write_atomic(path: str, data: bytes, *, mode: int = 0o644, durable: bool = True) -> None:
    """Replace ``path`` by ``data`` in one step; with ``durable`` it survives power loss too."""
    temporary = f"{path}.tmp-{os.getpid()}-{os.urandom(4).hex()}"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with open(fd, "wb") as stream:
            stream.write(data)
            stream.flush()
            if durable:
                os.fsync(fd)
        os.rename(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        fsync_directory(os.path.dirname(path) or ".")


class opened:  # noqa: N801 - used as a function, as the standard library's own
    """Own a raw descriptor for the length of a ``with``."""

    __slots__ = ("_fd",)

    def __init__(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None):
        self._fd = os.open(path, flags | os.O_CLOEXEC, mode, dir_fd=dir_fd)

    def __enter__(self) -> int:
        return self._fd

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
