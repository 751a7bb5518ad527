"""Be told by the kernel that files of a directory changed: ``inotify(7)``."""

import contextlib
import os

from boxship.kernel.libc import LONG, TEXT, encoded, function

IN_MODIFY = 0x2
IN_MOVED_TO = 0x80
IN_CREATE = 0x100

_IN_NONBLOCK_CLOEXEC = os.O_NONBLOCK | os.O_CLOEXEC
_BUFFER = 1 << 16

_init = function("inotify_init1", LONG)
_add_watch = function("inotify_add_watch", LONG, TEXT, LONG)


class Inotify:
    """One inotify instance; readable when something has happened."""

    def __init__(self) -> None:
        self._fd = _init(_IN_NONBLOCK_CLOEXEC)

    def fileno(self) -> int:
        return self._fd

    def add(self, path: str, mask: int) -> int:
        """Watch a file or directory; return the watch's number."""
        return _add_watch(self._fd, encoded(path), mask, path=path)

    def drain(self) -> None:
        """Throw away what has been reported: the caller only wants to know that something was."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._fd, _BUFFER):
                pass

    def close(self) -> None:
        os.close(self._fd)
