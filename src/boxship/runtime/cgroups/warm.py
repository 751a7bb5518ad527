"""Make moving a process between cgroups cheap for a moment.

Every move takes a lock whose writers first wait for an RCU grace period: 6 to 10 ms on an idle
machine, more than all the rest of a container's start. The kernel keeps the lock in its writers'
favour for some 15 ms after each use, and then a move costs microseconds. So whoever knows that a
container is about to start (it has just been created) touches the lock from a thread of its own:
writing oneself into the cgroup where one is changes nothing and takes the lock all the same.

Rejected: mounting cgroups with ``favordynmods``, which does this for good; it makes every fork and
exit on the machine a little slower, and that is not ours to decide.
"""

import contextlib
import os
import threading

from boxship.runtime.cgroups.layout import Layout
from boxship.runtime.cgroups.tree import read_file, write_file

_INTERVAL = 0.008


def touch_move_lock(layout: Layout) -> None:
    """Move ourselves to where we are; blocks for a grace period when nobody has done so lately."""
    with contextlib.suppress(OSError):
        write_file(_own_procs_file(layout), "0")


def keep_moves_cheap(layout: Layout, seconds: float, stop: threading.Event | None = None) -> None:
    """Touch the lock every few milliseconds; call it in a thread, ``stop`` ends it early."""
    ending = stop or threading.Event()
    for _ in range(max(1, int(seconds / _INTERVAL))):
        touch_move_lock(layout)
        if ending.wait(_INTERVAL):
            return


def _own_procs_file(layout: Layout) -> str:
    """Return the cgroup.procs of where we are, in whichever hierarchy."""
    for line in read_file("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers and layout.unified:
            return f"{layout.unified}{path}/cgroup.procs"
        hierarchy = layout.hierarchy_of(controllers.split(",")[0])
        if hierarchy:
            return f"{hierarchy.mount}{path}/cgroup.procs"
    raise FileNotFoundError(2, os.strerror(2), "/proc/self/cgroup")
