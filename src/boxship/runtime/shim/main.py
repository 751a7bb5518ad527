"""Where a shim begins, right after the launcher has forked it."""

import gc
import os
import signal
import socket
import sys
from select import EPOLLIN
from typing import NoReturn

from boxship.kernel.processes import set_child_subreaper, set_name
from boxship.runtime.shim.containment import Containment, LinuxContainment
from boxship.runtime.shim.control import Connection
from boxship.runtime.shim.loop import Loop
from boxship.runtime.shim.supervisor import Supervisor

_KEEP_ALIVE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


def run(control_fd: int, containment: Containment | None = None) -> NoReturn:
    """Be the shim of the container that is asked for on ``control_fd``; never return."""
    status = 1
    try:
        os.setsid()
        set_name("boxship-shim")
        set_child_subreaper()
        keep(socket.socket(fileno=control_fd), containment or LinuxContainment())
        status = 0
    except BaseException:  # noqa: BLE001 - a defect: say so in the launcher's log
        sys.excepthook(*sys.exc_info())
    finally:
        # No interpreter shutdown: it would touch every shared page.
        os._exit(status)


def keep(control: socket.socket, containment: Containment) -> None:
    """Serve ``control`` and the container until nobody needs the shim any more."""
    gc.disable()
    loop = Loop()
    supervisor = Supervisor(loop, containment)
    reading = _wake_on_children()
    loop.watch(reading, EPOLLIN, lambda _events: _drain(reading, supervisor))
    supervisor.accept(
        Connection(
            control,
            loop=loop,
            on_request=supervisor.request,
            on_closed=supervisor.disconnected,
        )
    )
    loop.run()


def _wake_on_children() -> int:
    """Return a descriptor that becomes readable when a child ends.

    Signals that end a process by default get a function too: who stops the shim kills the
    container, and that must go through the daemon. Unlike ignoring them, a function is not
    inherited by what the shim executes.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    for number in (signal.SIGCHLD, *_KEEP_ALIVE):
        signal.signal(number, _nothing)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    return reading


def _nothing(_number: int, _frame: object) -> None:
    """Do nothing; the wakeup descriptor says it."""


def _drain(reading: int, supervisor: Supervisor) -> None:
    try:
        os.read(reading, 512)
    except BlockingIOError:
        return
    supervisor.reap()
