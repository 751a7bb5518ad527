"""Log drivers that are asked for what they have: ``LogDriver.Capabilities`` and ``ReadLogs``.

How entries go to them, and how they look, is in ``boxship.runtime.logs.plugin``: a container's
sender does that itself. What ``ReadLogs`` answers is a stream of the same entries, each behind its
length (32 bits, big endian).
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from msgspec import Struct

from boxship.plugin.client import PluginClient
from boxship.plugin.errors import PluginRefusedError

_LONGEST = 1 << 20
"""Bytes of an entry; a line's pieces have 16 KiB."""
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class _Cap(Struct, frozen=True, rename="pascal"):
    read_logs: bool = False


class _Capabilities(Struct, frozen=True, rename="pascal"):
    cap: _Cap = _Cap()


@dataclass(frozen=True)
class ReadEntry:
    """A line, or a piece of one, without its newline."""

    source: str
    time_ns: int
    line: bytes
    goes_on: bool = False
    """The rest of the line comes in the next entry."""


class LogPlugin:
    """Asks a plugin about logs. Errors as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client

    async def reads(self) -> bool:
        """Tell whether it gives back what it was sent; who does not know the call does not."""
        try:
            answer = await self._client.ask("LogDriver.Capabilities", {}, _Capabilities)
        except PluginRefusedError:
            return False
        return answer.cap.read_logs

    async def read(
        self, info: Mapping[str, object], config: Mapping[str, object]
    ) -> AsyncIterator[ReadEntry]:
        """Yield what it has of a container, as ``config`` (Docker's ``ReadConfig``) says."""
        data = b""
        async with self._client.stream("LogDriver.ReadLogs", {"Info": info, "Config": config}) as s:
            async for piece in s:
                data += piece
                while len(data) >= 4:
                    length = int.from_bytes(data[:4], "big")
                    if length > _LONGEST:
                        raise self._client.nonsense("LogDriver.ReadLogs", f"{length} bytes a line")
                    if len(data) < 4 + length:
                        break
                    yield self._entry(data[4 : 4 + length])
                    data = data[4 + length :]
        if data:
            raise self._client.nonsense("LogDriver.ReadLogs", "it breaks off within an entry")

    def _entry(self, message: bytes) -> ReadEntry:
        try:
            fields = _fields(message)
            part, last = bool(fields.get(4, 0)), False
            if isinstance(metadata := fields.get(5), bytes):
                last = bool(_fields(metadata).get(1, 0))
            source, time_ns, line = fields.get(1, b""), fields.get(2, 0), fields.get(3, b"")
            assert isinstance(source, bytes) and isinstance(line, bytes)
            assert isinstance(time_ns, int)
            name = "stderr" if source == b"stderr" else "stdout"
            return ReadEntry(name, time_ns, line, part and not last)
        except (IndexError, AssertionError, ValueError):
            raise self._client.nonsense("LogDriver.ReadLogs", "that is no entry") from None


def _fields(message: bytes) -> dict[int, int | bytes]:
    """Read a protobuf message: numbers and byte strings by field. IndexError, ValueError."""
    found: dict[int, int | bytes] = {}
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            found[key >> 3], at = _varint(message, at)
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
            found[key >> 3] = message[at : at + length]
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise ValueError(kind)
        at += length
        if at > len(message):
            raise IndexError(at)
    return found


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
        if shift > 63:
            raise ValueError(shift)
