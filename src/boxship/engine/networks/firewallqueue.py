"""Changes of the firewall, in order, those that wait put together into one transaction.

A transaction costs the kernel about as much whatever is in it. While one is under way the changes
of other containers queue up here, and the next transaction takes them all: eight starts at once
cost two transactions rather than eight.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from boxship.base.errors import BoxshipError, InternalError, UnavailableError
from boxship.engine.networks.egresswatch import Allowance
from boxship.net.firewall.facts import Fact, Published

_log = logging.getLogger(__name__)


class FactKeeper(Protocol):
    """What is behind the queue: :class:`boxship.net.firewall.Firewall`, blocking."""

    def replace(self, facts: Iterable[Fact]) -> None:
        """Make ``facts`` all there are."""
        ...

    def change(self, *, add: Collection[Fact] = (), remove: Collection[Fact] = ()) -> None:
        """Make these be and those not be, all or nothing."""
        ...

    def allow(self, allowances: Iterable[Allowance]) -> None:
        """Let stations reach addresses for some time."""
        ...

    def decided_by(self, port: Published) -> str:
        """Return which firewall of the host decides who reaches a port; does not wait."""
        ...

    def close(self) -> None:
        """Let go of the kernel; what holds goes on holding."""
        ...


@dataclass(frozen=True, eq=False)
class _Change:
    add: tuple[Fact, ...]
    remove: tuple[Fact, ...]
    done: asyncio.Future[None]


class FirewallQueue:
    """The way to the firewall from the event loop. ``keeper`` None: there is to be no firewall."""

    def __init__(self, keeper: FactKeeper | None) -> None:
        self._keeper = keeper
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="firewall")
        self._waiting: list[_Change] = []
        self._busy: asyncio.Task[None] | None = None

    @property
    def keeps_rules(self) -> bool:
        """Tell whether there is a firewall to keep any."""
        return self._keeper is not None

    async def replace(self, facts: Iterable[Fact]) -> None:
        """Make ``facts`` all there are; at start-up, before any change. Errors as the keeper's."""
        if self._keeper is not None:
            await self._run(self._keeper.replace, tuple(facts))

    def change(
        self, add: Collection[Fact] = (), remove: Collection[Fact] = ()
    ) -> asyncio.Future[None]:
        """Make these be and those not be, after whatever was handed in before.

        UnavailableError: there is no firewall, or it refuses; nothing has changed then.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self._keeper is None or not (add or remove):
            done.set_result(None)
        else:
            self._waiting.append(_Change(tuple(add), tuple(remove), done))
            if self._busy is None:
                self._busy = asyncio.get_running_loop().create_task(self._work())
        return done

    def allow(self, allowances: tuple[Allowance, ...], done: Callable[[], None]) -> None:
        """Open the way to addresses for some time; from any thread, which does not wait.

        ``done`` is called when the firewall has it, or won't.
        """
        keeper = self._keeper
        if keeper is None:
            done()
            return

        def work() -> None:
            try:
                keeper.allow(allowances)
            except (BoxshipError, OSError) as error:
                _log.error("what a name leads to stays closed: %s", error)
            finally:
                done()

        try:
            self._executor.submit(work)
        except RuntimeError:  # closed meanwhile
            done()

    def decided_by(self, port: Published) -> str:
        """Return which firewall of the host decides who reaches a port; empty: none does."""
        return "" if self._keeper is None else self._keeper.decided_by(port)

    async def close(self) -> None:
        """Finish what waits, and end the thread."""
        if self._busy is not None:
            await self._busy
        if self._keeper is not None:
            await self._run(self._keeper.close)
        self._executor.shutdown()

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                await self._commit(batch)
        finally:
            self._busy = None

    async def _commit(self, batch: Sequence[_Change]) -> None:
        assert self._keeper is not None
        add, remove = merged(batch)
        try:
            if add or remove:
                await self._run(partial(self._keeper.change, add=add, remove=remove))
        except Exception as error:  # noqa: BLE001 - carried to whoever's change it was
            if len(batch) == 1:
                _settle(batch[0], error)
                return
            for change in batch:  # one of them is to blame, and the others are not to suffer
                await self._commit([change])
            return
        for change in batch:
            _settle(change, None)

    async def _run(self, call: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, call, *arguments)


def merged(batch: Iterable[_Change]) -> tuple[tuple[Fact, ...], tuple[Fact, ...]]:
    """Return what is added and what is removed in the end; what comes and goes is neither."""
    last: dict[Fact, bool] = {}
    first: dict[Fact, bool] = {}
    for change in batch:
        for facts, there in ((change.remove, False), (change.add, True)):
            for fact in facts:
                first.setdefault(fact, there)
                last[fact] = there
    add = tuple(fact for fact, there in last.items() if there and first[fact])
    remove = tuple(fact for fact, there in last.items() if not there and not first[fact])
    return add, remove


def _settle(change: _Change, error: Exception | None) -> None:
    if change.done.done():
        return
    if error is None:
        change.done.set_result(None)
    elif isinstance(error, BoxshipError):
        change.done.set_exception(error)
    elif isinstance(error, OSError):
        refused = UnavailableError(f"the firewall cannot be changed: {error}")
        refused.__cause__ = error
        change.done.set_exception(refused)
    else:
        _log.error("the firewall could not be changed", exc_info=error)
        change.done.set_exception(InternalError(f"the firewall could not be changed: {error}"))
