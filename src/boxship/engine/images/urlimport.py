"""Import from a URL: the daemon itself fetches the archive, and unpacks it while it comes in."""

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

from boxship.distribution.plainfile import PlainFile, checked_url
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.intake import ImportOptions, import_layer
from boxship.engine.images.scope import ImageScope
from boxship.model.image import Fetched, FetchEvent, Fetching, ImportedImage
from boxship.storage.layers import Layer, Lease

_STEP = 4 << 20


async def import_from(
    scope: ImageScope, text: str, options: ImportOptions
) -> AsyncGenerator[FetchEvent, None]:
    """Make a one-layer image of the tar at a URL; tell how far it is.

    InvalidArgumentError: a bad URL; NotFoundError: the server has no such file; UnavailableError:
    it cannot be reached, or breaks off.
    """
    file = PlainFile(checked_url(text))
    events: asyncio.Queue[FetchEvent | None] = asyncio.Queue()
    progress = _Progress(events)

    async def unpack(lease: Lease) -> Layer:
        await in_thread(file.open)
        events.put_nowait(Fetching(file.url))
        return await in_thread(partial(scope.storage.layers.unpack, file.pieces(progress), lease))

    work = asyncio.ensure_future(import_layer(scope, options, unpack, source=text))
    work.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        yield ImportedImage(str(await work))
    finally:
        file.close()
        if not work.done():
            await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # seen, or nobody is there to see it


class _Progress:
    """Called by the reading thread for every piece; tells the loop every few mebibytes."""

    def __init__(self, events: "asyncio.Queue[FetchEvent | None]") -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._told = 0

    def __call__(self, current: int, total: int) -> None:
        if current - self._told >= _STEP or current == total:
            self._told = current
            event = Fetched(current, total)
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
