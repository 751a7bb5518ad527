"""One build of a client: what it tells, who listens, and how the client drives it.

::

    Control.Solve ──► builds at once, or without a frontend once the client has returned a result
    Control.Status ─► listens, from the beginning, to the end
    LLBBridge.Solve ► keeps what is asked under a name, which LLBBridge.Return then picks
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

from boxship.api.buildkit.events import Events, Room
from boxship.api.buildkit.wishes import Wishes
from boxship.base.errors import NotFoundError
from boxship.engine.build.progress import ProgressEvent
from boxship.wire.buildkit import gateway
from boxship.wire.buildkit.control import SolveRequest as SolveMessage
from boxship.wire.buildkit.wellknown import RpcStatus

_KEPT_FOR = 10.0
"""Seconds in which a client hears all that an ended build has told; later what is kept of it."""


@dataclass(frozen=True, slots=True)
class Returned:
    """How the client ended its part: with one of the results it has asked for, or in failure."""

    result: str = ""
    error: RpcStatus | None = None


@dataclass(slots=True, eq=False)
class Solving:
    """A build from its Solve to its end."""

    message: SolveMessage
    events: Events
    begun: Callable[[], None] = lambda: None
    """Called with the first thing that is told: the builder has it in its history by then."""
    over: bool = False
    results: dict[str, Wishes] = field(default_factory=dict)
    """What the client has asked for over the gateway, by the name it was given."""
    images: dict[str, str] = field(default_factory=dict)
    """Ids of the images that some of these are already."""
    returned: "asyncio.Future[Returned]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _listeners: int = 0
    _forgotten: bool = False

    def tell(self, event: ProgressEvent) -> None:
        """Let listeners know."""
        first = not self.events
        self.events.add(event)
        self._wake()
        if first:
            self.begun()

    def end(self) -> None:
        """Say that nothing follows."""
        self.over = True
        self._wake()

    async def follow(self) -> AsyncIterator[list[ProgressEvent]]:
        """Yield what is told, from the beginning to the end, as much as fits a message."""
        at = 0
        self._listeners += 1
        try:
            while True:
                news = self._news
                events, at = self.events.since(at)
                if events:
                    yield events
                elif self.over:
                    return
                else:
                    await news.wait()
        finally:
            self._listeners -= 1
            self._let_go()

    def forget(self) -> None:
        """Know that nobody comes any more; who listens already hears it to its end."""
        self._forgotten = True
        self._let_go()

    def keep(self, wishes: Wishes) -> str:
        """Keep what is asked for; return its name."""
        name = secrets.token_hex(12)
        self.results[name] = wishes
        return name

    def give_back(self, request: gateway.ReturnRequest) -> None:
        """Hear how the client's part ended; the first time counts."""
        if not self.returned.done():
            self.returned.set_result(Returned(_picked(request.result), request.error))

    def _let_go(self) -> None:
        if self._forgotten and not self._listeners:
            self.events.forget()

    def _wake(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


class Solvings:
    """The builds of all clients, by reference."""

    def __init__(self) -> None:
        self._known: dict[str, Solving] = {}
        self._room = Room()
        self._changed = asyncio.Condition()
        self._turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def begin(self, message: SolveMessage) -> Solving:
        """Make a build known under its reference."""
        solving = Solving(message, Events(self._room), self._take_turn)
        async with self._changed:
            self._known[message.ref] = solving
            self._changed.notify_all()
        return solving

    @property
    def turn(self) -> "asyncio.Future[None]":
        """What is done once the next build has begun or ended."""
        return self._turn

    def end(self, solving: Solving) -> None:
        """Forget it, a moment after its end: its status may be asked for only now."""
        solving.end()
        self._take_turn()
        if not solving.returned.done():
            solving.returned.cancel()
        asyncio.get_running_loop().call_later(_KEPT_FOR, self._forget, solving)

    def knows(self, reference: str) -> bool:
        """Whether it runs, or has just ended."""
        return reference in self._known

    async def get(self, reference: str, within: float = 5.0) -> Solving:
        """Return a build, waiting a moment for one to begin. NotFoundError."""
        try:
            async with asyncio.timeout(within), self._changed:
                await self._changed.wait_for(lambda: reference in self._known)
                return self._known[reference]
        except TimeoutError:
            raise NotFoundError(f"no such job {reference}") from None

    def find_result(self, name: str) -> Solving | None:
        """Return the build within which a result of that name was asked for."""
        return next((each for each in self._known.values() if name in each.results), None)

    def _take_turn(self) -> None:
        done, self._turn = self._turn, asyncio.get_running_loop().create_future()
        done.set_result(None)

    def _forget(self, solving: Solving) -> None:
        solving.forget()
        reference = solving.message.ref
        if self._known.get(reference) is solving:
            del self._known[reference]


def _picked(result: gateway.Result | None) -> str:
    """Return the name of the result that is returned; of several any, for they are one build."""
    if result is None:
        return ""
    if result.ref is not None:
        return result.ref.id
    if result.refs is not None:
        return _first({name: ref.id for name, ref in result.refs.refs.items()})
    if result.refs_deprecated is not None:
        return _first(result.refs_deprecated.refs)
    return result.ref_deprecated


def _first(names: Mapping[str, str]) -> str:
    return next((name for name in names.values() if name), "")
