"""Import from a URL: the daemon itself fetches the archive, over HTTP(S) and nothing else.

Proxies are those of the environment. What is fetched is unpacked while it comes in.
"""

import asyncio
import http.client
import urllib.error
import urllib.request
from collections.abc import AsyncGenerator, Callable, Iterator
from functools import partial
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError, NotFoundError, UnavailableError
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.intake import ImportOptions, import_layer
from boxship.engine.images.scope import ImageScope
from boxship.model.image import Fetched, FetchEvent, Fetching, ImportedImage
from boxship.storage.chunks import CHUNK, Buffer
from boxship.storage.layers import Layer, Lease

_PATIENCE = 60.0
"""Seconds that a server may be silent."""
_STEP = 4 << 20
_LONGEST_ANSWER = 1024


def checked_url(text: str) -> str:
    """Complete and check a URL. InvalidArgumentError."""
    url = text if "://" in text else f"http://{text}"
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise InvalidArgumentError(f'cannot import from {url}: unsupported scheme "{parts.scheme}"')
    if not parts.hostname:
        raise InvalidArgumentError(f"cannot import from {url}: it names no host")
    return url


async def import_from(
    scope: ImageScope, text: str, options: ImportOptions
) -> AsyncGenerator[FetchEvent, None]:
    """Make a one-layer image of the tar at a URL; tell how far it is.

    InvalidArgumentError: a bad URL; NotFoundError: the server has no such file; UnavailableError:
    it cannot be reached, or breaks off.
    """
    url = checked_url(text)
    events: asyncio.Queue[FetchEvent | None] = asyncio.Queue()
    fetch = _Fetch(url, asyncio.get_running_loop(), events.put_nowait)

    async def unpack(lease: Lease) -> Layer:
        await in_thread(fetch.open)
        return await in_thread(partial(scope.storage.layers.unpack, fetch.chunks(), lease))

    work = asyncio.ensure_future(import_layer(scope, options, unpack, source=text))
    work.add_done_callback(lambda _: events.put_nowait(None))
    try:
        while (event := await events.get()) is not None:
            yield event
        yield ImportedImage(str(await work))
    finally:
        fetch.close()
        if not work.done():
            await asyncio.wait({work})
        if not work.cancelled():
            work.exception()  # seen, or nobody is there to see it


class _Fetch:
    """One download. Its blocking methods are called in threads, ``close`` from anywhere."""

    def __init__(
        self,
        url: str,
        loop: asyncio.AbstractEventLoop,
        tell: Callable[[FetchEvent], None],
    ) -> None:
        self._url = url
        self._loop = loop
        self._tell = tell
        self._response: http.client.HTTPResponse | None = None
        self._closed = False

    def open(self) -> None:
        """Ask the server, and wait for the beginning of its answer."""
        try:
            self._response = _opener().open(self._url, timeout=_PATIENCE)
        except urllib.error.HTTPError as error:
            with error:
                raise _refused(self._url, error) from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", None) or error
            raise UnavailableError(f'Get "{self._url}": {reason}') from error
        self._say(Fetching(self._url))

    def chunks(self) -> Iterator[Buffer]:
        """Yield what the server sends, to the length that it has announced."""
        assert self._response is not None
        total = int(self._response.headers.get("Content-Length") or 0)
        current = told = 0
        with self._response as response:
            while piece := self._read(response):
                current += len(piece)
                if current - told >= _STEP or current == total:
                    told = current
                    self._say(Fetched(current, total))
                yield piece
        if current < total:
            raise UnavailableError(f'Get "{self._url}": it ended after {current} of {total} bytes')

    def close(self) -> None:
        """Nobody waits any more: the next piece is the last."""
        self._closed = True

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        if self._closed:
            raise UnavailableError("the import was broken off")
        try:
            return response.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f'Get "{self._url}": {error}') from error

    def _say(self, event: FetchEvent) -> None:
        self._loop.call_soon_threadsafe(self._tell, event)


def _opener() -> urllib.request.OpenerDirector:
    """One that knows no ftp: and no file:, whatever a server redirects to."""
    opener = urllib.request.OpenerDirector()
    for kind in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(kind())
    return opener


def _refused(url: str, error: urllib.error.HTTPError) -> Exception:
    text = error.read(_LONGEST_ANSWER).decode("utf-8", "replace").strip()
    message = f"failed to GET {url} with status {error.code} {error.reason}: {text}"
    kind = {401: InvalidArgumentError, 403: InvalidArgumentError, 404: NotFoundError}
    return kind.get(error.code, UnavailableError)(message)
