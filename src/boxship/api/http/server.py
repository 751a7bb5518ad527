"""All connections of one API, over any number of listening sockets."""

import asyncio
import socket
import ssl
from collections.abc import Mapping

from boxship.api.http.connection import Connection
from boxship.api.http.messages import OnError, Serve

_BACKLOG = 4096


class Server:
    """Serves ``serve`` on sockets that are bound already."""

    def __init__(self, serve: Serve, on_error: OnError, headers: Mapping[str, str]) -> None:
        self.serve = serve
        self.on_error = on_error
        """What to answer when a stream fails before its first byte."""
        self.common_headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.connections: set[Connection] = set()
        self.closing = False
        self._listeners: list[asyncio.Server] = []

    async def listen(self, sock: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Accept connections; the socket is closed with the server."""
        loop = asyncio.get_running_loop()
        if sock.family == socket.AF_UNIX:
            server = await loop.create_unix_server(
                lambda: Connection(self), sock=sock, backlog=_BACKLOG, ssl=tls
            )
        else:
            server = await loop.create_server(
                lambda: Connection(self), sock=sock, backlog=_BACKLOG, ssl=tls
            )
        self._listeners.append(server)

    def stop_accepting(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    async def close(self, grace: float) -> None:
        """Stop accepting, end streams, let requests under way finish within ``grace`` seconds."""
        self.closing = True
        self.stop_accepting()
        for connection in tuple(self.connections):
            connection.stop()
        tasks = [c.task for c in self.connections if c.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for connection in tuple(self.connections):
            connection.abort()
        # One turn of the loop, in which the transports close their descriptors.
        await asyncio.sleep(0)
