"""Network namespaces to speak from and to listen in, without a program inside.

A socket belongs to the namespace in which it was opened, whoever uses it. So the tests' own process
listens "in" a container and calls "from" the next machine: at once, and nothing in the image or on
the machine is needed for it.
"""

import selectors
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from boxship.kernel.namespaces import CLONE_FLAGS, setns

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds for an answer that must come."""
SILENCE = 0.3
"""Seconds without an answer that prove that none comes; only ever waited for by tests of drops."""


class Place:
    """A network namespace by its path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def inside(self, action: Callable[[], T]) -> T:
        """Do something in a thread that is in there; its result or its error."""
        results: list[T] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                with open(self.path, "rb") as namespace:
                    setns(namespace.fileno(), CLONE_FLAGS["net"])
                results.append(action())
            except BaseException as error:  # noqa: BLE001 - told where it was asked for
                errors.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if errors:
            raise errors[0]
        return results[0]

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        return self.inside(lambda: socket.socket(family, kind, protocol))

    def run(self, *command: str) -> str:
        """Run a program of the host in there; it must succeed; its output."""
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *command], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)}: {done.stderr}"
        return done.stdout

    def connect(
        self, address: str, port: int, *, source: str = "", timeout: float = PATIENCE
    ) -> socket.socket:
        """A TCP connection from here."""
        family = _family(address)
        connection = self.open_socket(family, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout)
            if source:
                connection.bind((source, 0))
            connection.connect((address, port))
        except BaseException:
            connection.close()
            raise
        return connection

    def ask(self, address: str, port: int, *, source: str = "", timeout: float = PATIENCE) -> str:
        """What a `Server` says of itself and of us: ``NAME ADDRESS``."""
        with self.connect(address, port, source=source, timeout=timeout) as connection:
            return _line(connection)

    def ask_udp(self, address: str, port: int, *, timeout: float = PATIENCE) -> str:
        """The same by UDP."""
        with self.open_socket(_family(address), socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout)
            asking.connect((address, port))
            asking.send(b"?\n")
            return asking.recv(200).decode().strip()

    def reaches(self, address: str, port: int, *, udp: bool = False) -> bool:
        """Whether somebody answers there; no answer for `SILENCE` and any error are a no."""
        try:
            if udp:
                return bool(self.ask_udp(address, port, timeout=SILENCE))
            return bool(self.ask(address, port, timeout=SILENCE))
        except OSError:
            return False

    @contextmanager
    def serving(self, name: str, *ports: int, udp: bool = False) -> Iterator["Server"]:
        """Answer as ``name`` on these ports of all addresses, of IPv4 and IPv6."""
        kind = socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
        with Server(name, [self.listener(kind, port) for port in ports]) as server:
            yield server

    def listener(self, kind: int, port: int) -> socket.socket:
        """A socket on a port of all addresses, of IPv4 and IPv6; it does not block."""
        listener = self.open_socket(socket.AF_INET6, kind)
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if kind == socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("::", port))
            if kind == socket.SOCK_STREAM:
                listener.listen(64)
        except OSError:
            listener.close()
            raise
        listener.setblocking(False)
        return listener


class Server:
    """Says ``NAME ADDRESS-OF-THE-CLIENT`` to whoever calls, then echoes; by a thread of ours."""

    def __init__(self, name: str, listeners: list[socket.socket]) -> None:
        self._name = name
        self._selector = selectors.DefaultSelector()
        self._end, self._wake = socket.socketpair()
        self._selector.register(self._end, selectors.EVENT_READ, None)
        for listener in listeners:
            kind = listener.type
            answer = self._accept if kind == socket.SOCK_STREAM else self._answer
            self._selector.register(listener, selectors.EVENT_READ, answer)
        self._thread = threading.Thread(target=self._work)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wake.close()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _work(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data is None:
                    return
                key.data(key.fileobj)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            connection, caller = listener.accept()
            connection.setblocking(False)
            connection.send(self._greeting(caller[0]))
            self._selector.register(connection, selectors.EVENT_READ, self._echo)

    def _echo(self, connection: socket.socket, waiting: bytes = b"") -> None:
        """Send back what has come; what does not fit waits, and nothing more is read until then."""
        with suppress(OSError):
            if data := waiting or connection.recv(1 << 16):
                with suppress(BlockingIOError):
                    data = data[connection.send(data) :]
                wish = selectors.EVENT_WRITE if data else selectors.EVENT_READ
                again = partial(self._echo, waiting=data)
                self._selector.modify(connection, wish, again)
                return
        self._selector.unregister(connection)
        connection.close()

    def _answer(self, listener: socket.socket) -> None:
        with suppress(OSError):
            _, caller = listener.recvfrom(2000)
            listener.sendto(self._greeting(caller[0]), caller)

    def _greeting(self, caller: str) -> bytes:
        return f"{self._name} {caller.removeprefix('::ffff:')}\n".encode()


def echoes(connection: socket.socket, text: bytes) -> bool:
    """Whether a `Server` at the other end sends it back."""
    connection.sendall(text)
    received = b""
    while len(received) < len(text) and (data := connection.recv(1 << 16)):
        received += data
    return received == text


def _line(connection: socket.socket) -> str:
    received = b""
    while not received.endswith(b"\n") and (data := connection.recv(200)):
        received += data
    return received.decode().strip()


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
