"""A plugin of the tests' own: HTTP by the standard library, answers by functions."""

import json
import socketserver
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from typing import Any

Json = dict[str, Any]
Answers = Mapping[str, Callable[[Json], Json | bytes | None]]
"""By method: takes what was asked; returns what is answered, bytes as they are, ``None``: hang."""


class FakePlugin(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Listens at a path; ``asked`` is what it was asked, in order."""

    daemon_threads = True
    request_queue_size = 128
    """Else a client that finds the queue full is not made to wait, but refused."""

    def __init__(self, path: str, answers: Answers) -> None:
        self.answers = dict(answers)
        self.asked: list[tuple[str, Json]] = []
        self.told = threading.Condition()
        self.ended = threading.Event()
        super().__init__(path, _Call)

    def methods(self) -> list[str]:
        """Return the methods that it was asked."""
        return [method for method, _ in self.asked]

    def wait_asked(self, method: str) -> None:
        """Wait until it is asked this."""
        with self.told:
            assert self.told.wait_for(lambda: method in self.methods(), timeout=20)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: callers that go are what some tests are about."""


class _Call(BaseHTTPRequestHandler):
    server: FakePlugin

    def do_POST(self) -> None:
        method = self.path.removeprefix("/")
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        with self.server.told:
            self.server.asked.append((method, json.loads(raw or b"{}")))
            self.server.told.notify_all()
        answer = self.server.answers.get(method)
        if answer is None:
            self._say(404, json.dumps({"Err": f"{method} is not known here"}).encode())
            return
        said = answer(json.loads(raw or b"{}"))
        if said is None:
            self.server.ended.wait()
        elif isinstance(said, bytes):
            self.wfile.write(said)
        else:
            self._say(200, json.dumps(said).encode())

    def _say(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@contextmanager
def serving(path: str, implements: str, answers: Answers) -> Iterator[FakePlugin]:
    """Have a plugin listen for the length of a ``with``."""
    activated: Answers = {"Plugin.Activate": lambda _: {"Implements": [implements]}}
    with FakePlugin(path, {**activated, **answers}) as plugin:
        thread = threading.Thread(target=plugin.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield plugin
        finally:
            plugin.ended.set()
            plugin.shutdown()
            thread.join()
