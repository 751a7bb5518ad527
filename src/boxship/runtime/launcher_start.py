"""The daemon's side of the launcher: starting it, and asking it for a shim.

What enters a container could reach the file it was executed from by ``/proc/self/exe`` and
overwrite it (CVE-2019-5736). The launcher, of which everything in containers is a descendant
until its ``exec``, therefore runs from a detached bind mount of the interpreter that is
read-only: no path leads to it, and no open for writing succeeds on it. A sealed copy in memory
would do as well, but its pages would not be shared with the page cache.
"""

import fcntl
import os
import signal
import socket
import sys
from typing import Final

from boxship.runtime.launcher import CONTROL_FD, SHIM_REQUEST
from boxship.runtime.sealed import read_only_image

LOG: Final = "launcher.log"
"""In the run directory: what launcher and shims say when they fail."""

_MAIN: Final = """
import sys
sys.path.insert(0, sys.argv[1])
from boxship.runtime.launcher import main
main(sys.argv[2])
"""
_ENVIRONMENT: Final = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
_HIGH: Final = 100  # above the numbers that the launcher's own descriptors get


def spawn_launcher(run_dir: str) -> tuple[int, socket.socket]:
    """Start a launcher and return its pid and the socket to ask it by.

    It inherits nothing but that socket, and leaves when the socket ends. The caller reaps it.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        with theirs:
            return _spawn(run_dir, theirs), ours
    except BaseException:
        ours.close()
        raise


def request_shim(launcher: socket.socket, control: socket.socket) -> None:
    """Have a shim forked that serves ``control``, of which the caller may close its copy.

    Raise OSError when the launcher is gone, BlockingIOError when it does not keep up.
    """
    socket.send_fds(launcher, [SHIM_REQUEST], [control.fileno()], socket.MSG_NOSIGNAL)


def _spawn(run_dir: str, control: socket.socket) -> int:
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    log = os.open(f"{run_dir}/{LOG}", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    image = _high(read_only_image(interpreter))
    try:
        # posix_spawn does not copy the daemon's address space, and is safe beside its threads.
        return os.posix_spawn(
            f"/proc/self/fd/{image}",
            [interpreter, "-I", "-S", "-OO", "-c", _MAIN, root, run_dir],
            _ENVIRONMENT,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, log, 2),
                (os.POSIX_SPAWN_DUP2, control.fileno(), CONTROL_FD),
                (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=[n for n in signal.valid_signals() if n not in _UNCATCHABLE],
        )
    finally:
        os.close(image)
        os.close(log)


_UNCATCHABLE: Final = (signal.SIGKILL, signal.SIGSTOP)


def _high(fd: int) -> int:
    """Move a descriptor out of the way of those that the launcher is given."""
    try:
        return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _HIGH)
    finally:
        os.close(fd)
