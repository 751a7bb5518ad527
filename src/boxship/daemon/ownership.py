"""That this daemon, and no other, owns its directories: locks and the pid file."""

import contextlib
import fcntl
import os
from collections.abc import Iterator

from boxship.base.errors import UnavailableError

_LOCK = "boxshipd.lock"


@contextlib.contextmanager
def owned(directory: str) -> Iterator[None]:
    """Make ``directory`` and lock it for the length of a ``with``.

    The lock dies with the process, however it dies. UnavailableError: another daemon has it.
    """
    os.makedirs(directory, mode=0o711, exist_ok=True)
    fd = os.open(os.path.join(directory, _LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise UnavailableError(
                f"another boxshipd (pid {holder}) uses {directory}: stop it, or give this one a "
                "root of its own with --data-root and --exec-root"
            ) from error
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def pid_file(path: str) -> Iterator[None]:
    """Keep our process id in ``path`` for the length of a ``with``; an empty path is no file.

    The file is locked meanwhile. The number in one that isn't means nothing: its process has been
    killed, and another may have its number. UnavailableError: a daemon holds the lock.
    """
    if not path:
        yield
        return
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    fd = _locked(path)
    try:
        os.ftruncate(fd, 0)
        os.pwrite(fd, str(os.getpid()).encode(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        os.close(fd)


def _locked(path: str) -> int:
    """Open and lock the file that has this name."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its last owner may have removed it after we opened it: then it is nobody's file.
            if os.path.exists(path) and os.path.samestat(os.fstat(fd), os.stat(path)):
                return fd
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise UnavailableError(
                f"failed to start daemon, ensure boxshipd is not running or delete {path}: "
                f"process with PID {holder} is still running"
            ) from error
        os.close(fd)
