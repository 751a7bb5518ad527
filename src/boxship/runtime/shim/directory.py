"""The shim's directory ``<exec-root>/c/<container id>/``, drawn in ``messages.py``."""

import _socket
import contextlib
import os
from typing import Final

from boxship.base.files import write_atomic
from boxship.runtime.control_codec import exit_to_json
from boxship.runtime.messages import Exit

SOCKET: Final = "shim.sock"
PID: Final = "shim.pid"
EXIT: Final = "exit.json"
FOREIGN: Final = "oci"
"""A directory, drawn in ``runtime/foreign/container.py``."""

_BACKLOG: Final = 16


def make_directory(path: str, pid: int) -> _socket.socket:
    """Make the directory of the shim ``pid`` and return its listening socket. Raise OSError."""
    os.makedirs(path, 0o700, exist_ok=True)
    _remove(path, SOCKET, EXIT)  # left by a shim that was killed
    listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_NONBLOCK, 0)
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # A socket's name may have 107 bytes, the path to the directory any number.
        listener.bind(f"/proc/self/fd/{fd}/{SOCKET}")
        listener.listen(_BACKLOG)
        _write_pid(path, pid)
    except OSError:
        listener.close()
        raise
    finally:
        os.close(fd)
    return listener


def write_exit(path: str, exit_: Exit) -> bool:
    """Record how the container ended; False when the file system does not take it."""
    try:
        write_atomic(f"{path}/{EXIT}", exit_to_json(exit_), durable=False)
    except OSError:
        return False
    return True


def leave_directory(path: str) -> None:
    """Be found no longer; the exit record stays."""
    _remove(path, SOCKET, PID)


def remove_directory(path: str) -> None:
    """Remove everything of ours."""
    _remove(path, SOCKET, PID, EXIT)
    with contextlib.suppress(OSError):  # not empty: somebody else's files stay
        os.rmdir(path)


def start_time(pid: int) -> int:
    """Return when ``pid`` started, in ticks since boot: with the number it names one process.

    Raise OSError when there is no such process.
    """
    fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        # The command's name stands in parentheses and may hold any character, ")" too.
        fields = os.read(fd, 4096).rpartition(b")")[2].split()
    finally:
        os.close(fd)
    return int(fields[19])


def _write_pid(path: str, pid: int) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    fd = os.open(f"{path}/{PID}", flags, 0o600)
    try:
        os.write(fd, f"{pid} {start_time(pid)}\n".encode())
    finally:
        os.close(fd)


def _remove(path: str, *names: str) -> None:
    for name in names:
        with contextlib.suppress(OSError):
            os.unlink(f"{path}/{name}")
