"""Processes that lose their parent inside a container without a pid namespace of its own.

In a pid namespace they become children of the container's init, and end with it. Elsewhere
(``--pid host``, ``--pid container:X``) they would go to the host's init; a subreaper gets them
instead, so that they stay in the container's process tree and are reaped.
"""

import os
import signal
from collections.abc import Callable
from select import EPOLLIN

from boxship.kernel.processes import set_child_subreaper
from boxship.runtime.shim.loop import Loop


def adopt_orphans(loop: Loop, reap: Callable[[], None]) -> None:
    """Become the parent of orphaned descendants and call ``reap`` whenever a child ends."""
    set_child_subreaper()
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)

    def on_event(_events: int) -> None:
        os.read(reading, 512)
        reap()

    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    loop.watch(reading, EPOLLIN, on_event)
