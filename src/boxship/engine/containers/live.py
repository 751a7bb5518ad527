"""A container's live side: what exists while this daemon runs and is nobody's record.

``Container`` is the owner through which everything that happens to one container goes. Its rules:

- Steps from one state to another are taken with ``lock`` held, one at a time, and never wait for
  the container's end under the lock: the end itself is such a step. Verbs take it by
  :func:`locked`, because the container may have been removed while they waited.
- ``record`` is replaced as a whole. Another state in it is refused unless there is such a step,
  and who takes it has the lock: a forgotten lock is an error at once, not a race some day.
- ``shim`` is set while a shim lives, from before the start until its directory is gone.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from boxship.base.errors import InternalError, NotFoundError
from boxship.engine.containers import states
from boxship.engine.containers.pending import PendingAttachment
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import ExecConfig, WaitCondition, Waiting, WaitOutcome
from boxship.engine.containers.shimlink import ShimLink


class Ownership(asyncio.Lock):
    """The right to take a container's steps; it knows which task has it."""

    def __init__(self) -> None:
        super().__init__()
        self._owner: asyncio.Task[Any] | None = None

    async def acquire(self) -> Literal[True]:
        await super().acquire()
        self._owner = asyncio.current_task()
        return True

    def release(self) -> None:
        self._owner = None
        super().release()

    @property
    def mine(self) -> bool:
        """Tell whether the task that asks has it."""
        return self._owner is not None and self._owner is asyncio.current_task()


@dataclass(eq=False)
class Exec:
    """An exec, from its creation until its container is gone or stopped long since."""

    id: str
    container_id: str
    config: ExecConfig
    started: bool = False
    running: bool = False
    pid: int = 0
    exit_code: int | None = None
    ended_ns: int = 0
    done: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once it has ended."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once its process is there, or it is certain that none will be."""


class OomWatching(Protocol):
    """See ``oomwatch.py``."""

    def close(self) -> bool: ...


class Monitoring(Protocol):
    """Whoever probes its health during a run."""

    def stop(self) -> None:
        """Probe no more."""
        ...


class Waiters:
    """Clients that wait for the container's end, by the condition they named."""

    def __init__(self) -> None:
        self._waiting: dict[WaitCondition, set[Waiting]] = {c: set() for c in WaitCondition}

    def add(self, condition: WaitCondition) -> Waiting:
        waiting: Waiting = asyncio.get_running_loop().create_future()
        self._waiting[condition].add(waiting)
        waiting.add_done_callback(self._waiting[condition].discard)
        return waiting

    def exited(self, outcome: WaitOutcome) -> None:
        """It does not run any more, and is not about to be started again."""
        self._settle(WaitCondition.NOT_RUNNING, outcome)
        self._settle(WaitCondition.NEXT_EXIT, outcome)

    def removed(self, outcome: WaitOutcome) -> None:
        """Its record is gone; nobody has anything left to wait for."""
        for condition in WaitCondition:
            self._settle(condition, outcome)

    def _settle(self, condition: WaitCondition, outcome: WaitOutcome) -> None:
        for waiting in tuple(self._waiting[condition]):
            if not waiting.done():
                waiting.set_result(outcome)


class HandOvers:
    """Clients who are being sent the log before the shim goes on live with them.

    The shim holds their part of the live stream, and would drop it if it were let go meanwhile.
    """

    def __init__(self) -> None:
        self._count = 0
        self._none = asyncio.Event()
        self._none.set()

    def __enter__(self) -> None:
        self._count += 1
        self._none.clear()

    def __exit__(self, *_: object) -> None:
        self._count -= 1
        if self._count == 0:
            self._none.set()

    async def none_left(self) -> None:
        await self._none.wait()


class Container:
    """One container's record and live handles; see the module's rules."""

    def __init__(self, record: ContainerRecord) -> None:
        self._record = record
        self.lock = Ownership()
        self.shim: ShimLink | None = None
        self.pending: list[PendingAttachment] = []
        self.execs: dict[str, Exec] = {}
        self.ended_execs: deque[Exec] = deque()
        """Those of them that have ended, the first to end first: so they are forgotten."""
        self.waiters = Waiters()
        self.hand_overs = HandOvers()
        self.again: asyncio.Task[None] | None = None
        """The start to come, while the restart policy waits."""
        self.called_up = False
        """That start is because the daemon has come up, and not because of an end."""
        self.kept = 0
        """Above 0: a restart is under way, during which the end does not remove it."""
        self.readers = 0
        """Those who want it to stand still while they read its files."""
        self.daemon_goes = False
        """The daemon ends it because it goes itself: no policy starts it again until the next."""
        self.doomed = 0
        """Above 0: it is being removed by force, and nothing may start it any more."""
        self.releasing: asyncio.Task[None] | None = None
        """The last run's shim being let go; only after that may another run begin."""
        self.monitor: Monitoring | None = None
        """Probes its health, while it runs and has a check."""
        self.oom_watch: OomWatching | None = None
        """Says when it is out of memory, while it runs and has a limit."""
        self.ended = asyncio.Event()
        """Set while it has no processes; one event per run, so that nobody misses the end."""
        self.ended.set()
        self.gone = asyncio.Event()
        """Set once the record is deleted."""

    @property
    def id(self) -> str:
        return self._record.id

    @property
    def record(self) -> ContainerRecord:
        return self._record

    @record.setter
    def record(self, record: ContainerRecord) -> None:
        if record.status is not self._record.status:
            states.check(self._record, record.status)
            if not self.lock.mine:
                raise InternalError(f"container {self.id}: a step without the lock")
        self._record = record

    def take_pending(self) -> list[PendingAttachment]:
        """Return the attachments that wait for the start; the caller owns them now."""
        pending, self.pending = self.pending, []
        return pending

    def drop_pending(self) -> None:
        """Close the connections of those that waited for a start that will not come."""
        for attachment in self.take_pending():
            attachment.close()

    @property
    def held(self) -> bool:
        """Tell whether its restart policy has nothing to say now."""
        return self.kept > 0 or self.daemon_goes or self.doomed > 0

    @property
    def shim_leaves(self) -> bool:
        return self.releasing is not None and not self.releasing.done()


@asynccontextmanager
async def locked(container: Container, *, released: bool = False) -> AsyncIterator[None]:
    """Hold the lock for a step; with ``released`` once the last run's shim has left.

    That is waited for without the lock. NotFoundError: the container has been removed meanwhile.
    """
    while True:
        if released and container.releasing is not None:
            await asyncio.wait([container.releasing])
        async with container.lock:
            if container.gone.is_set():
                raise NotFoundError(f"No such container: {container.id}")
            if released and container.shim_leaves:  # another run has come and gone
                continue
            yield
            return
