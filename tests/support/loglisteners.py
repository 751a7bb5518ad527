"""Targets of log drivers, as local listeners: what they get is read by others' code or by hand."""

import json
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from boxship.runtime.logs.driver import Entry
from boxship.runtime.messages import LogFacts, LogTarget

PATIENCE = 20.0

FACTS = LogFacts(
    container_id="0123456789abcdef" * 4,
    container_name="web",
    image_id="sha256:fedc",
    image_name="busybox:1",
    command="sh -c true",
    created_ns=1_767_323_045_500_000_000,  # 2026-01-02T03:04:05.5Z
    attributes={"team": "ci", "_own": "2"},
    tag="web/1",
)
AT = 1_767_323_045_123_456_789


def target(driver: str, facts: LogFacts = FACTS, **options: str) -> LogTarget:
    """A target; an option's underscores stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in options.items()}
    return LogTarget(driver=driver, options=named, facts=facts)


def entries(*lines: bytes | str, stream: str = "stdout") -> list[Entry]:
    """Lines of one moment."""
    texts = [line.encode() if isinstance(line, str) else line for line in lines]
    return [Entry(stream, AT, text) for text in texts]


@contextmanager
def datagrams(path: Path | None = None) -> Iterator[socket.socket]:
    """A socket that receives, over UDP of the loopback or at a path."""
    family = socket.AF_INET if path is None else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0) if path is None else str(path))
        receiver.settimeout(PATIENCE)
        yield receiver


@contextmanager
def stream(path: Path | None = None) -> Iterator[socket.socket]:
    """A socket that listens, over TCP of the loopback or at a path."""
    family = socket.AF_INET if path is None else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0) if path is None else str(path))
        listener.listen()
        listener.settimeout(PATIENCE)
        yield listener


def accepted(listener: socket.socket) -> socket.socket:
    """The next connection; whoever asks closes it."""
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE)
    return connection


def _silent(data: bytes) -> bytes:
    return b""


class Collector:
    """A server of streams: a thread takes all connections, and keeps what comes over them.

    ``answering`` makes for each what says which answer is sent back for what comes.
    """

    def __init__(
        self, port: int = 0, answering: Callable[[], Callable[[bytes], bytes]] = lambda: _silent
    ) -> None:
        self._answering = answering
        self._answers: dict[socket.socket, Callable[[bytes], bytes]] = {}
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.data = b""
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.close()
        self._thread.join()
        self._stopped.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as ready:
            for own in (self._listener, self._stopped):
                ready.register(own, selectors.EVENT_READ)
            while self._stopped not in (places := [key.fileobj for key, _ in ready.select()]):
                for place in places:
                    self._take(ready, place)
            for key in list(ready.get_map().values()):
                if isinstance(key.fileobj, socket.socket) and key.fileobj is not self._stopped:
                    key.fileobj.close()

    def _take(self, ready: selectors.BaseSelector, place: object) -> None:
        assert isinstance(place, socket.socket)
        if place is self._listener:
            connection = place.accept()[0]
            self._answers[connection] = self._answering()
            ready.register(connection, selectors.EVENT_READ)
            return
        try:
            data = place.recv(65536)
            self.data += data
            if answer := self._answers[place](data):
                place.sendall(answer)
        except (BrokenPipeError, ConnectionResetError):  # who sends may be killed
            data = b""
        if not data:
            ready.unregister(place)
            place.close()


def read_until(connection: socket.socket, complete: Callable[[bytes], bool]) -> bytes:
    """What comes, until it is complete."""
    data = b""
    while not complete(data):
        part = connection.recv(65536)
        assert part, f"the connection ended after {data!r}"
        data += part
    return data


@dataclass(frozen=True)
class Request:
    """What a server was asked."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What it answers."""

    status: int = 200
    body: bytes = b"{}"


@dataclass
class HttpListener:
    """A server of HTTP: `answer` says what it replies, `requests` are all it was asked."""

    answer: Callable[[Request], Reply]
    url: str = ""
    requests: list[Request] = field(default_factory=list)


@contextmanager
def http(answer: Callable[[Request], Reply] = lambda _: Reply()) -> Iterator[HttpListener]:
    """A server on a port of the loopback."""
    listener = HttpListener(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_any(self) -> None:
            length = int(self.headers.get("Content-Length", "0"))
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Request(self.command, self.path, headers, self.rfile.read(length))
            listener.requests.append(asked)
            reply = listener.answer(asked)
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        do_GET = do_POST = do_PUT = do_OPTIONS = do_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    listener.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield listener
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
