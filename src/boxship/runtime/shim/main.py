"""Where a shim begins, right after it was forked."""

import _signal  # type: ignore[import-not-found]
import _socket
import gc
import os
import sys
from typing import Final, NoReturn

from boxship.runtime.shim.containment import Containment, LinuxContainment
from boxship.runtime.shim.loop import Loop
from boxship.runtime.shim.supervisor import Supervisor

# Who stops the shim kills the container, and that is to be asked of the daemon.
_IGNORED: Final = (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM)


def run(control_fd: int, containment: Containment | None = None) -> NoReturn:
    """Be the shim of the container that is asked for on ``control_fd``; never return."""
    status = 1
    try:
        gc.disable()
        os.setsid()
        _rename(b"boxship-shim")
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        for number in _IGNORED:
            _signal.signal(number, _signal.SIG_IGN)
        loop = Loop()
        supervisor = Supervisor(loop, containment or LinuxContainment())
        supervisor.accept(_socket.socket(fileno=control_fd))
        loop.run()
        status = 0
    except BaseException:  # noqa: BLE001 - a defect: say so in the launcher's log
        sys.excepthook(*sys.exc_info())
    finally:
        # No interpreter shutdown: it would touch every shared page.
        os._exit(status)


def _rename(name: bytes) -> None:
    """Set the name that ps shows. By file: a call through ctypes would touch more memory."""
    fd = os.open("/proc/self/comm", os.O_WRONLY | os.O_CLOEXEC)
    os.write(fd, name)
    os.close(fd)
