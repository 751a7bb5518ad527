"""The shim's directory ``<exec-root>/c/<container id>/``, drawn in ``messages.py``."""

import contextlib
import os
import socket
from typing import Final

from boxship.base.files import write_atomic
from boxship.runtime.control_codec import exit_to_json
from boxship.runtime.messages import Exit

SOCKET: Final = "shim.sock"
PID: Final = "shim.pid"
EXIT: Final = "exit.json"

_BACKLOG: Final = 16


class Directory:
    """Makes the directory and what is in it; owns the listening socket. Raise OSError."""

    def __init__(self, path: str) -> None:
        self._path = path
        os.makedirs(path, 0o700, exist_ok=True)
        for stale in (SOCKET, EXIT):
            self._remove(stale)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            # A socket's name may have 107 bytes, the path to the directory any number.
            self.listener.bind(f"/proc/self/fd/{fd}/{SOCKET}")
            self.listener.listen(_BACKLOG)
            self._write_pid()
        except OSError:
            self.listener.close()
            raise
        finally:
            os.close(fd)

    def write_exit(self, exit_: Exit) -> bool:
        """Record how the container ended; False when the file system does not take it."""
        try:
            write_atomic(f"{self._path}/{EXIT}", exit_to_json(exit_), durable=False)
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Be found no longer; the exit record stays."""
        self.listener.close()
        self._remove(SOCKET)
        self._remove(PID)

    def remove(self) -> None:
        """Remove everything of ours."""
        self.close()
        self._remove(EXIT)
        with contextlib.suppress(OSError):  # not empty: somebody else's files stay
            os.rmdir(self._path)

    def _remove(self, name: str) -> None:
        with contextlib.suppress(OSError):
            os.unlink(f"{self._path}/{name}")

    def _write_pid(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
        fd = os.open(f"{self._path}/{PID}", flags, 0o600)
        try:
            os.write(fd, f"{os.getpid()} {start_time(os.getpid())}\n".encode())
        finally:
            os.close(fd)


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
