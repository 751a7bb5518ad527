"""``boxship system check``: the store against the records, beside everything else that goes on.

The checking itself is storage's, in a thread that leaves the disk to others. What it finds passes
through here: it is dropped if the object has gone in an orderly way meanwhile, told who needs it,
and a damaged layer is fetched again where it is known to be.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from contextlib import aclosing, closing, suppress
from dataclasses import replace as replaced
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from boxship.base.errors import ConflictError
from boxship.engine.images.service import ImageService
from boxship.kernel.scheduling import ioprio_set
from boxship.model.check import CheckEvent, CheckSummary, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.storage.check.store import Needed, StoreCheck
from boxship.storage.storage import Storage

_IDLE_CLASS = 3 << 13
_AHEAD = 64
_RECORDS = "records"

_Message = CheckEvent | Exception | None


class Containers(Protocol):
    """What is to be known of containers."""

    def ids(self) -> Iterable[str]: ...
    def standing_on(self, layer: Digest) -> Iterable[str]: ...


class Records(Protocol):
    """What is to be known of the records."""

    @property
    def suspicion(self) -> str: ...
    async def examine(self, *, mend: bool) -> tuple[str, ...]: ...


class Checker:
    """Checks the store of one engine, once at a time. Belongs to the event loop."""

    def __init__(
        self,
        storage: Storage,
        images: ImageService,
        containers: Containers,
        records: Records | None = None,
    ) -> None:
        self._records = records
        self._storage = storage
        self._images = images
        self._containers = containers
        self._running = False

    async def check(self, *, repair: bool) -> AsyncGenerator[CheckEvent, None]:
        """Yield what is wrong and how far it is, and a summary. ConflictError: one is running."""
        if self._running:
            raise ConflictError("the store is being checked already")
        tally: Counter[Outcome] = Counter()
        lost: Counter[Digest] = Counter()
        for finding in await self._wrong_records(repair=repair):
            tally[finding.outcome] += 1
            yield finding
        check = StoreCheck(self._storage, self._needed(), repair=repair)
        self._running = True
        async with aclosing(_in_idle_thread(check.run, self._ended)) as events:
            async for event in events:
                if isinstance(event, CheckSummary):
                    async for fetched in self._fetch(lost if repair else Counter()):
                        yield fetched
                        tally[Outcome.LOST] -= lost[Digest.parse(fetched.id)]
                        tally[Outcome.REPAIRED] += 1
                    yield _counted(event, tally)
                elif not isinstance(event, Finding):
                    yield event
                elif self._still_counts(event):
                    tally[event.outcome] += 1
                    if event.kind == "layer" and event.outcome is Outcome.LOST:
                        lost[Digest.parse(event.id)] += 1
                    yield self._with_users(event)

    async def _wrong_records(self, *, repair: bool) -> list[Finding]:
        if self._records is None:
            return []
        problems = await self._records.examine(mend=repair)
        outcome = Outcome.REPAIRED if repair else Outcome.REPAIRABLE
        found = [Finding(_RECORDS, "boxship.db", problem, outcome) for problem in problems]
        if told := self._records.suspicion:
            remedy = "see what is missing, and remove boxship.db.restored in the data root"
            found.append(
                Finding(_RECORDS, "boxship.db.restored", told, Outcome.LOST, remedy=remedy)
            )
        return found

    def _ended(self) -> None:
        """The layer that was being looked at could not be removed, should its image have been."""
        self._running = False
        self._images.sweep()

    def _needed(self) -> Needed:
        needed = self._images.needed()
        return replaced(needed, snapshots=frozenset(self._containers.ids()))

    def _still_counts(self, finding: Finding) -> bool:
        """Tell whether the object is needed now; it may have been removed in the meantime."""
        if finding.outcome not in (Outcome.LOST, Outcome.UNCHECKED):
            return True
        needed = self._needed()
        if finding.kind == "snapshot":
            return finding.id in needed.snapshots
        return Digest.parse(finding.id) in needed.layers | needed.awaited | needed.blobs

    def _with_users(self, finding: Finding) -> Finding:
        """Say who needs what was lost, and what may bring it back."""
        if finding.outcome is not Outcome.LOST:
            return finding
        if finding.kind == "snapshot":
            remedy = f"docker rm -f {finding.id[:12]}, and make the container anew"
            return replace(finding, containers=(finding.id,), remedy=remedy)
        digest = Digest.parse(finding.id)
        images = self._images.standing_on(digest)
        remedy = "load or pull the image again"
        if images:
            remedy = f"boxship pull {images[0]}, or load it again"
        return replace(
            finding,
            images=images,
            containers=tuple(self._containers.standing_on(digest)),
            remedy=remedy,
        )

    async def _fetch(self, lost: Iterable[Digest]) -> AsyncGenerator[Finding, None]:
        for diff_id in lost:
            source = await self._images.fetch_again(diff_id)
            if source:
                problem = f"it was damaged and has been fetched again from {source}"
                yield Finding("layer", str(diff_id), problem, Outcome.REPAIRED)


def _counted(summary: CheckSummary, tally: Counter[Outcome]) -> CheckSummary:
    repaired = tally[Outcome.REPAIRED]
    return replace(summary, repaired=repaired, remaining=tally.total() - repaired)


async def _in_idle_thread(
    run: Callable[[], Generator[CheckEvent, None, None]], ended: Callable[[], None]
) -> AsyncGenerator[CheckEvent, None]:
    """Run the generator in a thread, which ends soon after we do, and then calls ``ended``."""
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[_Message] = asyncio.Queue()
    room = threading.Semaphore(_AHEAD)
    stop = threading.Event()

    def call(what: Callable[..., None], *arguments: _Message) -> None:
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(what, *arguments)

    put = partial(call, events.put_nowait)

    def work() -> None:
        # The disk is others' first. Not the processor: with a lower priority this thread might
        # hold the interpreter lock while it waits for its turn, and everybody with it.
        with suppress(OSError):
            ioprio_set(_IDLE_CLASS)
        failure = None
        try:
            with closing(run()) as checking:
                for event in checking:
                    room.acquire()
                    if stop.is_set():
                        break
                    put(event)
        except Exception as error:  # noqa: BLE001 - raised again on the loop
            failure = error
        call(ended)
        put(failure)

    thread = threading.Thread(target=work, name="check", daemon=True)
    try:
        thread.start()
    except RuntimeError:  # there are too many
        ended()
        raise
    try:
        while (message := await events.get()) is not None:
            room.release()
            if isinstance(message, Exception):
                raise message
            yield message
    finally:
        stop.set()
        room.release()
