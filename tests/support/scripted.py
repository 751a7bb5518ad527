"""A daemon on a unix socket that answers with exactly the bytes a test wants."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

Script = Callable[["Exchange"], None]


@dataclass
class Exchange:
    """One request as it came, and the connection to answer on."""

    connection: socket.socket
    head: str
    rest: bytes  # what came behind the head

    @property
    def line(self) -> str:
        return self.head.partition("\r\n")[0]

    def header(self, name: str) -> str:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name:
                return value.strip()
        return ""

    def send(self, data: bytes) -> None:
        self.connection.sendall(data)

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        extra = "".join(f"{key.replace('_', '-')}: {value}\r\n" for key, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{extra}\r\n"
        self.send(head.encode() + body)


@dataclass
class Server:
    """Answers pings itself, everything else by ``script``."""

    path: str
    listener: socket.socket
    version: str | None = "1.41"
    script: Script = lambda exchange: exchange.reply(200)
    connections: int = 0
    lines: list[str] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:  # the client may leave at any time
            data = b""
            while exchange := self._next_request(connection, data):
                self.lines.append(exchange.line)
                length = int(exchange.header("content-length") or 0)
                while len(exchange.rest) < length:
                    exchange.rest += connection.recv(65536)
                data = exchange.rest[length:] if length else b""
                try:
                    self._answer(exchange)
                except AssertionError as error:
                    self.failures.append(error)
                    return
                if connection.fileno() < 0:
                    return

    @staticmethod
    def _next_request(connection: socket.socket, data: bytes) -> Exchange | None:
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return None
            data += piece
        head, _, rest = data.partition(b"\r\n\r\n")
        return Exchange(connection, head.decode(), rest)

    def _answer(self, exchange: Exchange) -> None:
        if "/_ping " in exchange.line and self.version is not None:
            exchange.reply(200, b"", **({"Api_Version": self.version} if self.version else {}))
        else:
            self.script(exchange)


@contextmanager
def scripted_daemon(path: str) -> Iterator[Server]:
    """A running server; a script's failed assertion fails the test at the end."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        running = Server(path, listener)
        thread = threading.Thread(target=running.serve, daemon=True)
        thread.start()
        try:
            yield running
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
    assert not running.failures
