"""TLS between a plain transport and a connection, with half-close.

asyncio's own TLS transport closes both ways as soon as the client ends its side. Docker's client
does that at once when a command has no stdin, and then waits for the output. So the records are
decoded here: OpenSSL works on two buffers in memory, the plain transport carries what is in them,
and a client's ``close_notify`` ends one direction alone. ::

    transport ─► data_received ─► incoming ─┐                    ┌─► Connection
                                            ├─ OpenSSL (TLS 1.2+) ┤
    transport ◄──────── flush ◄── outgoing ─┘                    └── TlsTransport.write
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterable
from typing import Any, cast

log = logging.getLogger(__name__)

_READ = 256 * 1024
_HANDSHAKE_WITHIN = 60.0
_LINGER = 5.0


class TlsTransport(asyncio.Transport):
    """What a connection sees of its client: plain bytes in, plain bytes out."""

    def __init__(self, layer: "TlsLayer", below: asyncio.Transport) -> None:
        super().__init__()
        self._layer = layer
        self._below = below

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._layer.send(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self._layer.send(b"".join(list_of_data))

    def close(self) -> None:
        if not self._below.is_closing():
            self._layer.say_goodbye()
            self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def can_write_eof(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self._layer.pause_reading()

    def resume_reading(self) -> None:
        self._layer.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "sslcontext":
            return self._layer.context
        if name == "peercert":
            return self._layer.client_certificate
        if name == "peerchain":
            return self._layer.client_chain
        return self._below.get_extra_info(name, default)


class TlsLayer(asyncio.Protocol):
    """The protocol of the plain transport; makes the connection once the handshake is done."""

    def __init__(self, context: ssl.SSLContext, make: Callable[[], asyncio.Protocol]) -> None:
        self.context = context
        self._make = make
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._above: asyncio.Protocol | None = None
        self._below: asyncio.Transport
        self._paused = False
        self._ended = False
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None

    # ── what the plain transport calls ───────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._below = cast(asyncio.Transport, transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(_HANDSHAKE_WITHIN, self._below.abort)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._incoming.write(data)
        self._advance()

    def eof_received(self) -> bool:
        """Keep the connection open for the answer, unless its client had said goodbye before."""
        if self._above is None or self._ended:
            return False
        return self._end_of_input()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._above is not None:
            self._above.connection_lost(exc)

    def pause_writing(self) -> None:
        if self._above is not None:
            self._above.pause_writing()

    def resume_writing(self) -> None:
        if self._above is not None:
            self._above.resume_writing()

    # ── what the connection calls through its transport ──────────────────────────────────────

    def send(self, data: bytes | bytearray | memoryview) -> None:
        if not data or self._below.is_closing():
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            self._give_up(error)
            return
        self._flush()

    def say_goodbye(self) -> None:
        """Tell the client that the end of the output is its true end."""
        with contextlib.suppress(ssl.SSLError):  # the client's own goodbye isn't waited for
            self._tls.unwrap()
        self._flush()

    def pause_reading(self) -> None:
        self._paused = True
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._below.resume_reading()
        # What is decoded already must not wait for the next bytes to come.
        asyncio.get_running_loop().call_soon(self._advance)

    @property
    def client_certificate(self) -> dict[str, Any] | None:
        """What the client has proved to be, if it was asked to; as ``ssl`` tells it."""
        return self._tls.getpeercert()

    @property
    def client_chain(self) -> tuple[bytes, ...]:
        """The certificates that the client has sent, PEM, its own first; none: not asked for."""
        tls: Any = self._tls
        if hasattr(tls, "get_unverified_chain"):  # Python 3.13
            return tuple(map(_pem, tls.get_unverified_chain()))
        sent = tls._sslobj.get_unverified_chain() or ()
        return tuple(one.public_bytes().encode() for one in sent)

    # ── records ──────────────────────────────────────────────────────────────────────────────

    def _advance(self) -> None:
        try:
            if self._above is None and not self._handshake():
                return
            self._read()
        except ssl.SSLError as error:
            self._give_up(error)

    def _handshake(self) -> bool:
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        finally:
            self._flush()
        self._stop_timer()
        self._above = self._make()
        self._above.connection_made(TlsTransport(self, self._below))
        return True

    def _read(self) -> None:
        assert self._above is not None
        while not (self._paused or self._ended or self._below.is_closing()):
            try:
                data = self._tls.read(_READ)
            except ssl.SSLWantReadError:
                break
            if data:
                self._above.data_received(data)
            elif not self._end_of_input():
                self._below.close()
        self._flush()

    def _end_of_input(self) -> bool:
        assert self._above is not None
        self._ended = True
        return bool(self._above.eof_received())

    def _flush(self) -> None:
        if self._outgoing.pending and not self._below.is_closing():
            self._below.write(self._outgoing.read())

    def _give_up(self, error: ssl.SSLError) -> None:
        log.debug("TLS with a client failed: %s", error)
        self._flush()
        if self._above is not None or not self._below.can_write_eof():
            self._below.close()
            return
        # With TLS 1.3 the client's first request is on its way by now. Who closes with bytes unread
        # resets the connection, and the alert that says what is wrong with a certificate is lost.
        self._refused = True
        self._stop_timer()
        self._below.write_eof()
        self._timer = asyncio.get_running_loop().call_later(_LINGER, self._below.abort)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _pem(certificate: bytes) -> bytes:
    return ssl.DER_cert_to_PEM_cert(certificate).encode()
