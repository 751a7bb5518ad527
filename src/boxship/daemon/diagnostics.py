"""``network-diagnostic-port``: what the daemon knows of its networks, for who looks for a fault.

Answers on 127.0.0.1 only, reads and changes nothing. Any user of the machine can ask, therefore
there is nothing secret in it: ``/ready``, ``/help``, ``/networks`` (addresses, interfaces, who is
on them), ``/stackdump``. Imported where the option is set.
"""

import asyncio
import logging
import socket

import msgspec

from boxship.api.errors import answer_error
from boxship.api.headers import common
from boxship.api.http.messages import JSON, Request, Response
from boxship.api.http.server import Server
from boxship.api.views.networks import network_inspect
from boxship.daemon import debugging
from boxship.engine.networks.service import Networks

_log = logging.getLogger(__name__)
_PATHS = ("/help", "/networks", "/ready", "/stackdump")
_GRACE = 0.5


class Diagnostics:
    """The server, wherever it listens; belongs to the event loop."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._server: Server | None = None
        self._moving: asyncio.Task[None] | None = None
        self.port = 0

    def listen(self, port: int) -> None:
        """Listen on another port soon, or on none (0). What goes wrong is logged."""
        if port == self.port:
            return
        before, self.port = self._moving, port
        self._moving = asyncio.create_task(self._move(before, port))

    async def close(self) -> None:
        """End it."""
        self.listen(0)
        if self._moving is not None:
            await self._moving

    async def _move(self, before: asyncio.Task[None] | None, port: int) -> None:
        if before is not None:
            await before
        server, self._server = self._server, None
        if server is not None:
            await server.close(_GRACE)
        if not port:
            return
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("127.0.0.1", port))
            sock.listen()
        except OSError as error:
            sock.close()
            _log.error("no network diagnostics on port %d: %s", port, error.strerror)
            return
        self._server = Server(self._answer, answer_error, common(experimental=False))
        await self._server.listen(sock)
        _log.info("network diagnostics on 127.0.0.1:%d", port)

    def _answer(self, request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/" | "/help":
                return _text("".join(f"{path}\n" for path in _PATHS))
            case "GET", "/networks":
                return self._show_networks()
            case "GET", "/ready":
                return _text("OK\n")
            case "GET", "/stackdump":
                return _text(debugging.stacks())
        return Response(404, f"there are {' '.join(_PATHS)}\n".encode(), "text/plain")

    def _show_networks(self) -> Response:
        found = [network_inspect(self._networks.inspect(n.id)) for n in self._networks.list()]
        return Response(200, msgspec.json.format(msgspec.json.encode(found)) + b"\n", JSON)


def _text(text: str) -> Response:
    return Response(200, text.encode(), "text/plain")
