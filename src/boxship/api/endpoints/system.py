"""The daemon itself: ping, version, info, events."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from boxship.api.backend import EventStream
from boxship.api.call import Call
from boxship.api.http.messages import Answer, Response, Stream
from boxship.api.streams import Guarded
from boxship.api.views import system as views
from boxship.base.errors import InvalidArgumentError
from boxship.model.event import Event
from boxship.wire import events, parameters

_PING_HEADERS = {
    "Builder-Version": "2",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
    "Swarm": "inactive",
}
_PING = Response(200, b"OK", "text/plain; charset=utf-8", _PING_HEADERS)
_PING_HEAD = Response(200, b"", "text/plain; charset=utf-8", _PING_HEADERS)


def ping(_call: Call) -> Answer:
    return _PING


def ping_head(_call: Call) -> Answer:
    return _PING_HEAD


def version(call: Call) -> Answer:
    system = call.backend.system
    return call.json(views.version(system.host, system.release))


def info(call: Call) -> Answer:
    backend = call.backend
    return call.json(
        views.info(
            backend.system.host,
            backend.system.daemon,
            backend.containers.counts(),
            backend.images.count(),
            backend.clock.now_ns(),
            listeners=backend.events.listeners,
        )
    )


async def stream_events(call: Call) -> Answer:
    """Follow events, from ``since`` (in the past) to ``until`` (in the past or future)."""
    filters = call.filters()
    parameters.allow(filters, events.FILTERS)
    since, until = call.timestamp("since"), call.timestamp("until")
    if since and until and until < since:
        raise InvalidArgumentError(
            f"`since` time ({call.text('since')}) cannot be after "
            f"`until` time ({call.text('until')})"
        )
    # `until` alone asks for the past as well, however long ago.
    past = bool(call.text("since") or until)  # since 0 is all there is
    subscription = call.backend.events.subscribe(since_ns=since if past else None)
    ahead = (until - call.backend.clock.now_ns()) / 1e9
    release = _closing_after(max(0.0, ahead), subscription) if until else subscription.close
    media, mark = events.media_type(call.request.headers.get("accept", ""))
    wants = events.EventFilter(filters).wants
    chunks = _lines(call, subscription, wants, until, mark=mark)
    # An end to come is none for a client that leaves before it.
    return Stream(Guarded(chunks, release), media, endless=not until or ahead > 0)


def _closing_after(seconds: float, subscription: EventStream) -> Callable[[], None]:
    """Close the subscription then; return what closes it at once."""
    timer = asyncio.get_running_loop().call_later(seconds, subscription.close)

    def close() -> None:
        timer.cancel()
        subscription.close()

    return close


async def _lines(
    call: Call,
    subscription: EventStream,
    wants: Callable[[Event], bool],
    until_ns: int,
    *,
    mark: bytes,
) -> AsyncGenerator[bytes, None]:
    def encode(event: Event) -> bytes:
        return mark + events.encode_event(event, call.version)

    form = (events.form(call.version), mark)
    async with aclosing(subscription.batches()) as batches:
        async for batch in batches:
            wanting = [
                p for p in batch if wants(p.event) and events.is_known(p.event, call.version)
            ]
            # Events are out of order where the clock was put back: each is looked at.
            lines = [
                p.form(form, encode) for p in wanting if not until_ns or p.event.time_ns <= until_ns
            ]
            yield b"".join(lines)


ROUTES = (
    ("GET", "/_ping", ping),
    ("HEAD", "/_ping", ping_head),
    ("GET", "/version", version),
    ("GET", "/info", info),
    ("GET", "/events", stream_events),
)
