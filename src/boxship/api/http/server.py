"""All connections of one API, over any number of listening sockets."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping

from boxship.api.http.connection import Connection
from boxship.api.http.entrance import MAIN, Entrance
from boxship.api.http.messages import OnError, Serve
from boxship.api.http.tls import TlsLayer

_BACKLOG = 4096
Greeting = Callable[[], ssl.SSLContext]


class Server:
    """Serves ``serve`` on sockets that are bound already."""

    def __init__(self, serve: Serve, on_error: OnError, headers: Mapping[str, str]) -> None:
        self.serve = serve
        self.on_error = on_error
        """What to answer when a stream fails before its first byte."""
        self.common_headers = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.connections: set[Connection] = set()
        self.closing = False
        self._listeners: list[tuple[Entrance, asyncio.Server]] = []

    async def listen(
        self, sock: socket.socket, tls: Greeting | None = None, entrance: Entrance = MAIN
    ) -> None:
        """Accept connections, with ``tls`` if that is given; the socket is closed with the server.

        What ``tls`` returns holds for one new connection.
        """

        def connection() -> asyncio.Protocol:
            return Connection(self, entrance)

        loop = asyncio.get_running_loop()
        create = loop.create_unix_server if sock.family == socket.AF_UNIX else loop.create_server
        make = connection if tls is None else lambda: TlsLayer(tls(), connection)
        listener = await create(make, sock=sock, backlog=_BACKLOG)
        self._listeners.append((entrance, listener))

    def stop_accepting(self) -> None:
        for _, listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def shut(self, entrance: Entrance) -> None:
        """Accept nobody any more who comes in there, and cut off those who are in."""
        for known, listener in self._listeners:
            if known == entrance:
                listener.close()
        self._listeners = [pair for pair in self._listeners if pair[0] != entrance]
        for connection in tuple(self.connections):
            if connection.entrance == entrance:
                connection.abort()

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
        # A request that was cut short still undoes what it has begun: it needs the engine for that.
        unfinished = [task for task in tasks if not task.done()]
        if unfinished:
            await asyncio.wait(unfinished, timeout=grace)
        # One turn of the loop, in which the transports close their descriptors.
        await asyncio.sleep(0)
