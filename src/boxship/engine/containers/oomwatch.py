"""Say ``oom`` when the kernel kills one of a container's processes, and not only at its end.

A container that has a limit of memory, or is below a cgroup that may have one, is watched while it
runs. The others can only be hit when the whole machine is out of memory; of them the shim tells at
their end, as it does of any first process that was killed so.
"""

import asyncio
import logging

from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.runtime.blueprint import CgroupPlan
from boxship.runtime.cgroups import control
from boxship.runtime.cgroups.oom import OomSource, watch

_LOOKS = (0.001, 0.01, 0.1, 1.0, 3.0, 10.0)
"""The kernel tells before it kills, and writes a report in between: look again after so many
seconds, since that goes to the console, which may be slow."""
_log = logging.getLogger(__name__)


class OomWatch:
    """Watches one container for one run; on the event loop."""

    def __init__(
        self,
        context: Context,
        container: Container,
        cgroup: CgroupPlan,
        source: OomSource,
        *,
        seen: int,
    ) -> None:
        self._context = context
        self._container = container
        self._cgroup = cgroup
        self._source = source
        self._seen = seen
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(source.fileno(), self._told)
        # What happened before we watched, told once the start is.
        self._next: asyncio.Handle | None = self._loop.call_soon(self._look, ())

    def _told(self) -> None:
        self._source.drain()
        if self._next is not None:
            self._next.cancel()
        self._look(_LOOKS)

    def _look(self, again: tuple[float, ...]) -> None:
        self._next = None
        if not self._changed() and again:
            self._next = self._loop.call_later(again[0], self._look, again[1:])

    def _changed(self) -> bool:
        count = control.oom_kills(self._cgroup)
        if count <= self._seen:
            return False
        self._seen = count
        self._context.announcer.say(self._container.record, "oom")
        return True

    def close(self) -> bool:
        """Look once more and stop; tell whether it was ever out of memory, as far as is known."""
        self._changed()
        if self._next is not None:
            self._next.cancel()
        self._loop.remove_reader(self._source.fileno())
        self._source.close()
        return self._seen > 0


def begin(context: Context, container: Container, *, recovered: bool = False) -> None:
    """Watch a container that has just begun to run, or has been found running.

    Of what was killed in one that is ``recovered``, the daemon before us has told.
    """
    record = container.record
    if not (record.host.memory or record.host.cgroup_parent):
        return
    cgroup = context.planner.cgroup(record)
    try:
        source = watch(cgroup)
    except OSError as error:
        # It may have ended already; whatever it is, it is no reason not to run it.
        _log.debug("container %s is not watched for want of memory: %s", record.id, error)
        return
    if source is not None:
        seen = control.oom_kills(cgroup) if recovered else 0
        container.oom_watch = OomWatch(context, container, cgroup, source, seen=seen)


def end(container: Container) -> bool:
    """Stop watching; tell whether what the kernel killed has been said."""
    watching, container.oom_watch = container.oom_watch, None
    return watching is not None and watching.close()
