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

    UnavailableError: the process named there lives.
    """
    if not path:
        yield
        return
    holder = _holder(path)
    if holder is not None and holder != os.getpid():
        raise UnavailableError(
            f"failed to start daemon, ensure boxshipd is not running or delete {path}: "
            f"process with PID {holder} is still running"
        )
    os.makedirs(os.path.dirname(path) or ".", mode=0o755, exist_ok=True)
    with open(path, "w", encoding="ascii") as stream:
        stream.write(str(os.getpid()))
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)


def _holder(path: str) -> int | None:
    """Return the pid in the file if that process lives."""
    try:
        with open(path, encoding="ascii") as stream:
            pid = int(stream.read().strip())
    except (OSError, ValueError):
        return None
    return pid if pid > 0 and os.path.exists(f"/proc/{pid}") else None
