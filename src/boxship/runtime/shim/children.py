"""Children that the shim did not expect, and how it hears of their end.

As a rule the shim watches a pidfd for each process it has started, which costs least. That is not
enough in two cases:

- A container without a pid namespace of its own (``--pid host``, ``--pid container:X``): its
  orphans would go to the host's init. As a subreaper the shim gets them instead.
- A process that was forked for an exec and could not execute. As long as it is not reaped it
  would, at the container's end, keep the kernel from finishing off the pid namespace, for ever.
"""

import os
import signal
from collections.abc import Callable
from select import EPOLLIN

from boxship.kernel.processes import set_child_subreaper
from boxship.runtime.shim.loop import Loop


def adopt_orphans(loop: Loop, reap: Callable[[], None]) -> None:
    """Become the parent of orphaned descendants and call ``reap`` whenever a child has ended."""
    set_child_subreaper()
    hear_of_children(loop, reap)


def hear_of_children(loop: Loop, reap: Callable[[], None]) -> None:
    """Call ``reap`` whenever a child has ended, and once now for those that have already.

    Raise OSError when there is no room for the descriptors that takes.
    """
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)

    def on_event(_events: int) -> None:
        os.read(reading, 512)
        reap()

    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    loop.watch(reading, EPOLLIN, on_event)
    reap()
