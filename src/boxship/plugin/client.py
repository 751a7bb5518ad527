"""Ask a plugin: one HTTP request with a JSON body on a connection of its own, bounded throughout.

::

    engine                                             plugin
      │ connect ─────────────────────────────────────────►│   again for a moment if nobody listens
      │ POST /VolumeDriver.Mount  {"Name": …} ────────────►│
      │◄──────────────────────── 200 {"Mountpoint": …}  │   or {"Err": "…"}, or another status

A request that went out is never sent again, because nobody knows what became of it. A connection
per call costs little on a unix socket, and none is half dead when it is needed.

As Docker's own client: ``Host`` is no address, ``null`` means "not given", unknown fields are
passed over, and a plugin says no by an ``Err`` (``Error`` in IPAM) that is not empty.
"""

import asyncio
import errno
import os
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import h11
import msgspec
from msgspec import Struct

from boxship.plugin.endpoint import Endpoint, PluginTls
from boxship.plugin.errors import (
    PluginNonsenseError,
    PluginRefusedError,
    PluginSilentError,
    PluginUnreachableError,
)

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
_HOST = "plugin.localhost"
_LARGEST_ANSWER = 16 << 20
_READ = 64 << 10
_STARTING = (errno.ECONNREFUSED, errno.ENOENT)
_FIRST_PAUSE = 0.05

Answer = TypeVar("Answer", bound=Struct)
_Waited = TypeVar("_Waited")


@dataclass(frozen=True)
class Timeouts:
    """Seconds: for calls that do something, for calls that only ask, for somebody to listen."""

    work: float = 120
    question: float = 60
    connect: float = 3


class Nothing(Struct):
    """The answer of calls that answer nothing."""


class PluginClient:
    """Asks one plugin. Belongs to the event loop; any number of calls may run at once."""

    def __init__(self, name: str, endpoint: Endpoint, timeouts: Timeouts | None = None) -> None:
        self.name = name
        self.endpoint = endpoint
        self.timeouts = timeouts or Timeouts()

    async def ask(
        self, method: str, wish: object, answer: type[Answer], *, within: float | None = None
    ) -> Answer:
        """Call ``method`` (as ``VolumeDriver.Mount``) and return what it answers.

        ``wish`` is anything msgspec writes as JSON; ``None`` sends no body. ``within`` are seconds,
        else those of a question. PluginRefusedError: it says no; PluginSilentError;
        PluginNonsenseError.
        """
        bound = self.timeouts.question if within is None else within
        body = b"" if wish is None else msgspec.json.encode(wish)
        status, content = await self._in_time(self._exchange(method, body), method, bound)
        return self._understood(method, status, content, answer)

    @asynccontextmanager
    async def stream(self, method: str, wish: object) -> AsyncIterator[AsyncIterator[bytes]]:
        """Call ``method`` and have its answer piece by piece, for as long as it comes.

        Errors as of :meth:`ask`; while it comes a plugin that goes raises PluginSilentError.
        """
        body = msgspec.json.encode(wish)
        bound = self.timeouts.question
        reader, writer = await self._in_time(self._connected(), method, bound)
        try:
            exchange = _Exchange(reader, writer)
            head = await self._in_time(self._begun(exchange, method, body), method, bound)
            if head.status_code != 200:
                content = await self._in_time(self._rest(exchange, method), method, bound)
                self._understood(method, head.status_code, content, Nothing)
            yield self._pieces(exchange, method)
        finally:
            writer.close()

    async def _in_time(self, work: Awaitable[_Waited], method: str, bound: float) -> _Waited:
        try:
            async with asyncio.timeout(bound):
                return await work
        except TimeoutError:
            raise PluginSilentError(
                f"plugin {self.name} did not answer {method} within {bound:g} seconds: it may hang"
            ) from None

    # ── one exchange ─────────────────────────────────────────────────────────────────────────

    async def _exchange(self, method: str, body: bytes) -> tuple[int, bytes]:
        reader, writer = await self._connected()
        try:
            exchange = _Exchange(reader, writer)
            head = await self._begun(exchange, method, body)
            return head.status_code, await self._rest(exchange, method)
        finally:
            writer.close()

    async def _begun(self, exchange: "_Exchange", method: str, body: bytes) -> h11.Response:
        try:
            return await exchange.begin(method, body)
        except (OSError, EOFError) as error:
            raise self._gone(method, error) from error
        except h11.ProtocolError as error:
            raise self.nonsense(method, f"that is no HTTP: {error}") from error

    async def _rest(self, exchange: "_Exchange", method: str) -> bytes:
        content = bytearray()
        async for piece in self._pieces(exchange, method):
            content += piece
            if len(content) > _LARGEST_ANSWER:
                raise self.nonsense(method, f"more than {_LARGEST_ANSWER >> 20} MiB")
        return bytes(content)

    async def _pieces(self, exchange: "_Exchange", method: str) -> AsyncIterator[bytes]:
        try:
            while (piece := await exchange.piece()) is not None:
                yield piece
        except (OSError, EOFError) as error:
            raise self._gone(method, error) from error
        except h11.ProtocolError as error:
            raise self.nonsense(method, f"that is no HTTP: {error}") from error

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect; one that is just being started gets a moment."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self.timeouts.connect, _FIRST_PAUSE
        while True:
            try:
                return await _connection(self.endpoint)
            except ssl.SSLError as error:
                raise PluginUnreachableError(
                    f"plugin {self.name} at {self.endpoint}: no TLS connection: {error}"
                ) from error
            except OSError as error:
                if error.errno not in _STARTING or loop.time() + pause > until:
                    reason = os.strerror(error.errno) if error.errno else str(error)
                    raise PluginUnreachableError(
                        f"plugin {self.name} cannot be reached at {self.endpoint}: {reason}: "
                        "is it running?"
                    ) from error
            await asyncio.sleep(pause)
            pause *= 2

    # ── what came ────────────────────────────────────────────────────────────────────────────

    def _gone(self, method: str, error: Exception) -> PluginSilentError:
        return PluginSilentError(
            f"plugin {self.name} ended the connection while it was asked {method}: {error}"
        )

    def nonsense(self, method: str, what: str) -> PluginNonsenseError:
        """Return the error of an answer that makes no sense."""
        return PluginNonsenseError(f"plugin {self.name} answers {method} with nonsense: {what}")

    def _understood(self, method: str, status: int, content: bytes, answer: type[Answer]) -> Answer:
        fields = self._fields(method, status, content)
        refusal = fields.get("Err") or fields.get("Error")
        if isinstance(refusal, str) and refusal:
            # As Docker words it: the call is named where HTTP says that it failed.
            raise PluginRefusedError(refusal if status == 200 else f"{method}: {refusal}", status)
        if status != 200:
            told = content[:300].decode(errors="replace").strip()
            raise PluginRefusedError(f"{method}: {told or f'HTTP status {status}'}", status)
        try:
            return msgspec.convert(fields, answer)
        except msgspec.ValidationError as error:
            raise self.nonsense(method, str(error)) from error

    def _fields(self, method: str, status: int, content: bytes) -> dict[str, object]:
        if not content.strip():
            return {}
        try:
            found = msgspec.json.decode(content)
            without_nulls = _without_nulls(found)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            if status != 200:
                return {}
            raise self.nonsense(method, f"that is no JSON: {error}") from error
        if isinstance(without_nulls, dict):
            return without_nulls
        if status != 200 or found is None:
            return {}
        raise self.nonsense(method, "that is no JSON object")


class _Exchange:
    """One request and its answer, on a connection that is used for nothing else."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.CLIENT)

    async def begin(self, method: str, body: bytes) -> h11.Response:
        """Send the request; return the head of the answer."""
        headers = [
            ("Host", _HOST),
            ("Accept", CONTENT_TYPE),
            ("Content-Type", CONTENT_TYPE),
            ("Content-Length", str(len(body))),
            ("Connection", "close"),
        ]
        request = h11.Request(method="POST", target=f"/{method}", headers=headers)
        for sent in (request, h11.Data(data=body), h11.EndOfMessage()):
            self._writer.write(self._http.send(sent) or b"")
        await self._writer.drain()
        while not isinstance(event := await self._event(), h11.Response):
            pass  # 100 Continue, which was not asked for
        return event

    async def piece(self) -> bytes | None:
        """Return what comes next of the body; ``None``: that was all."""
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def _event(self) -> h11.Event:
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                self._http.receive_data(data := await self._reader.read(_READ))
                if not data and self._http.their_state is h11.SEND_RESPONSE:
                    raise EOFError("nothing came")
            elif isinstance(event, h11.Event):
                return event
            else:
                raise EOFError("nothing came")


async def _connection(
    endpoint: Endpoint,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    if endpoint.path:
        return await asyncio.open_unix_connection(endpoint.path)
    if endpoint.tls is None:
        return await asyncio.open_connection(endpoint.host, endpoint.port)
    context = await asyncio.to_thread(_tls_context, endpoint.tls)
    return await asyncio.open_connection(endpoint.host, endpoint.port, ssl=context)


def _tls_context(tls: PluginTls) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=tls.ca or None)
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if tls.certificate:
        context.load_cert_chain(tls.certificate, tls.key or None)
    return context


def _without_nulls(value: object) -> object:
    """Return JSON without the fields that are ``null``, which Go's plugins write for "nothing"."""
    if isinstance(value, dict):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
