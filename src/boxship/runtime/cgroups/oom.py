"""Be told by the kernel when a cgroup has no memory left, instead of asking it again and again.

Version 1 writes to an eventfd that is registered by name of its number; it does so before it kills,
and when the cgroup is removed. Version 2 changes ``memory.events``, which inotify tells of.
"""

from __future__ import annotations

import os

from boxship.base.suppress import suppress
from boxship.kernel.inotify import IN_MODIFY, Inotify
from boxship.runtime.blueprint import CgroupPlan, directory_of


class OomSource:
    """Readable when memory may have run out; ``control.oom_kills`` says what came of it."""

    def __init__(self, source: Inotify | int) -> None:
        self._source = source

    def fileno(self) -> int:
        return self._source if isinstance(self._source, int) else self._source.fileno()

    def drain(self) -> None:
        """Forget what has been reported."""
        if isinstance(self._source, int):
            with suppress(BlockingIOError):
                os.eventfd_read(self._source)
        else:
            self._source.drain()

    def close(self) -> None:
        if isinstance(self._source, int):
            os.close(self._source)
        else:
            self._source.close()


def watch(plan: CgroupPlan) -> OomSource | None:
    """Return what tells of a container's cgroup; None: it has none with memory. Raise OSError."""
    directory = directory_of(plan, "memory")
    if not directory:
        return None
    unified = any(d.unified and d.path == directory for d in plan.directories)
    return _unified(directory) if unified else _version1(directory)


def _unified(directory: str) -> OomSource:
    source = Inotify()
    try:
        source.add(f"{directory}/memory.events", IN_MODIFY)
    except BaseException:
        source.close()
        raise
    return OomSource(source)


def _version1(directory: str) -> OomSource:
    source = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    try:
        control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
        try:
            register = os.open(f"{directory}/cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(register, f"{source} {control}".encode())
            finally:
                os.close(register)
        finally:
            os.close(control)
    except BaseException:
        os.close(source)
        raise
    return OomSource(source)
