"""Where a shim begins: before its fork with what can be prepared, after it with the container."""

import _signal  # type: ignore[import-not-found]
import _socket
import os
import sys
from typing import NoReturn

from boxship.runtime.shim.containment import Containment
from boxship.runtime.shim.loop import Loop
from boxship.runtime.shim.starter import run, serve_start
from boxship.runtime.shim.supervisor import Supervisor


class Prepared:
    """What a shim needs and can be made before it is forked, in memory that all shims share."""

    def __init__(self, containment: Containment) -> None:
        self._containment = containment
        self._loop = Loop()
        self._supervisor = Supervisor(self._loop, containment)

    def keep(self, control: _socket.socket, *, at_most: float | None = None) -> None:
        """Start the container asked for on ``control`` and keep it as long as it is needed.

        ``at_most`` so many seconds, if given.
        """
        birth, fds = run(lambda: serve_start(control, self._containment))
        if birth.pid:
            self._loop.open()
            if at_most is not None:
                self._loop.call_later(at_most, self._loop.stop)
            self._supervisor.begin(control, birth, fds)
            self._loop.run()


def be_shim(prepared: Prepared, control_fd: int) -> NoReturn:
    """Be a shim, in a process forked for it; never return.

    Signals that ask a process to end are expected to be ignored already: who stops the shim kills
    the container, and that is to be asked of the daemon.
    """
    status = 1
    try:
        os.setsid()
        _signal.signal(_signal.SIGCHLD, _signal.SIG_DFL)
        prepared.keep(_socket.socket(fileno=control_fd))
        status = 0
    except BaseException:  # noqa: BLE001 - a defect: say so in the launcher's log
        sys.excepthook(*sys.exc_info())
    finally:
        # No interpreter shutdown: it would touch every shared page.
        os._exit(status)
