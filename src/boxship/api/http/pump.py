"""Carrying bytes between a TLS connection and one end of a socket pair, both ways.

A descriptor of a TLS connection is of no use to another process, so the process gets the other end
of the pair. Back-pressure passes through: when one side is slow, the other isn't read. So does the
end of a client's input: the process at the pair's far end reads it, and may go on writing.
"""

import asyncio
import socket
from typing import Self, cast


class Pump(asyncio.Protocol):
    """The protocol of the pair's near end; the connection passes on what the client does."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client
        self._near: asyncio.Transport

    @classmethod
    async def start(cls, client: asyncio.Transport, near: socket.socket) -> Self:
        """Begin to carry; ``near`` is owned by the pump from now on."""
        near.setblocking(False)
        loop = asyncio.get_running_loop()
        _, pump = await loop.connect_accepted_socket(lambda: cls(client), near)
        return pump

    # ── from the pair to the client ──────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._near = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client.close()

    def pause_writing(self) -> None:
        _reading(self._client, on=False)

    def resume_writing(self) -> None:
        _reading(self._client, on=True)

    # ── from the client to the pair ──────────────────────────────────────────────────────────

    def from_client(self, data: bytes) -> None:
        if data and not self._near.is_closing():
            self._near.write(data)

    def client_eof(self) -> None:
        if self._near.can_write_eof() and not self._near.is_closing():
            self._near.write_eof()

    def client_slow(self, slow: bool) -> None:
        _reading(self._near, on=not slow)

    def client_gone(self) -> None:
        self._near.close()


def _reading(transport: asyncio.Transport, *, on: bool) -> None:
    if transport.is_closing():
        return
    if on:
        transport.resume_reading()
    else:
        transport.pause_reading()
