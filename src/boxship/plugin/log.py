"""Log drivers that are asked for what they have: ``LogDriver.Capabilities`` and ``ReadLogs``.

How entries go to them, and how they look, is in ``boxship.runtime.logs.plugin``: a container's
sender does that itself. What ``ReadLogs`` answers is a stream of the same entries, each behind its
length (32 bits, big endian).
"""

from collections.abc import AsyncIterator, Mapping

from msgspec import Struct

from boxship.plugin.client import PluginClient
from boxship.plugin.entries import ReadEntry, decoded, taken
from boxship.plugin.errors import PluginRefusedError


class _Cap(Struct, frozen=True, rename="pascal"):
    read_logs: bool = False


class _Capabilities(Struct, frozen=True, rename="pascal"):
    cap: _Cap = _Cap()


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
                entries, data = self._entries(data)
                for entry in entries:
                    yield entry
        if data:
            raise self._client.nonsense("LogDriver.ReadLogs", "it breaks off within an entry")

    def _entries(self, data: bytes) -> tuple[list[ReadEntry], bytes]:
        """Return the entries that are whole, and what is left."""
        found = []
        try:
            message, data = taken(data)
            while message is not None:
                found.append(decoded(message))
                message, data = taken(data)
        except ValueError as error:
            raise self._client.nonsense("LogDriver.ReadLogs", str(error)) from None
        return found, data
