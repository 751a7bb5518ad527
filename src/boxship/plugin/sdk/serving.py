"""Serve a plugin on a unix socket: HTTP in, methods called, JSON out.

::

    POST /Plugin.Activate           {"Implements": ["VolumeDriver", "authz"]}
    POST /VolumeDriver.Create       the method that the class's table says: its answer,
                                    {"Err": "…"} with status 500 where it raised
"""

import contextlib
import json
import logging
import os
import signal
import socketserver
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler

_log = logging.getLogger(__name__)

CONTENT_TYPE = "application/vnd.docker.plugins.v1.2+json"
_LARGEST_WISH = 64 << 20

Json = Mapping[str, object]
Answer = Mapping[str, object] | Iterator[bytes]
"""Fields of a JSON object, or bytes that are sent as they come."""


class RefusedError(Exception):
    """Say no; ``str(error)`` is what the user is told."""


class Part(ABC):
    """One capability of a plugin: what it is called, and a method for each call."""

    @abstractmethod
    def capability(self) -> str:
        """Return the word for ``Implements``."""

    @abstractmethod
    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        """Return what is done for each call, by its name in the protocol."""


class PluginServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """Parts behind one socket, which is made by it and removed by :meth:`close`."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, path: str, parts: Iterable[Part]) -> None:
        self._path = path
        found = tuple(parts)
        self.implements = [part.capability() for part in found]
        self.calls = {name: call for part in found for name, call in part.calls().items()}
        _make_way(path)
        # Who may speak with a plugin may do what it does: its socket is for its owner alone.
        before = os.umask(0o177)
        try:
            super().__init__(path, _Call)
        finally:
            os.umask(before)

    def close(self) -> None:
        """Stop listening; the socket's file goes."""
        self.server_close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._path)

    def answer(self, method: str, wish: Json) -> tuple[int, Answer]:
        """Return the status and the answer of a call. Raises nothing."""
        if method == "Plugin.Activate":
            return 200, {"Implements": self.implements}
        call = self.calls.get(method)
        if call is None:
            return 404, {"Err": f"{method} is not for this plugin"}
        try:
            return 200, call(wish)
        except RefusedError as error:
            return 500, {"Err": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is, somebody waits for an answer
            _log.exception("%s failed", method)
            return 500, {"Err": f"{type(error).__name__}: {error}"}


def serve(path: str, *parts: Part, ready: threading.Event | None = None) -> None:
    """Serve parts on a socket at ``path`` until the process is ended. OSError: it cannot be."""
    server = PluginServer(path, parts)
    if threading.current_thread() is threading.main_thread():
        # The first process of a container, as in a managed plugin, has no default for it.
        signal.signal(signal.SIGTERM, _leave)
    try:
        if ready is not None:
            ready.set()
        server.serve_forever()
    finally:
        server.close()


def _leave(*_: object) -> None:
    raise SystemExit


def text(wish: Json, field: str) -> str:
    """Return a field that is text; empty where it is not given. RefusedError: it is no text."""
    value = wish.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RefusedError(f"{field} is no text")
    return value


def texts(wish: Json, field: str) -> dict[str, str]:
    """Return a field that is texts by name. RefusedError: it is something else."""
    value = wish.get(field)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RefusedError(f"{field} is no object")
    return {str(key): str(one) for key, one in value.items()}


def _make_way(path: str) -> None:
    """Remove the socket of one who ended without tidying up."""
    os.makedirs(os.path.dirname(path) or ".", 0o755, exist_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class _Call(BaseHTTPRequestHandler):
    server: PluginServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        wish = self._wish()
        if wish is None:
            self.close_connection = True
            self._tell(400, {"Err": "the request makes no sense"})
            return
        status, answer = self.server.answer(self.path.removeprefix("/"), wish)
        if isinstance(answer, Mapping):
            self._tell(status, answer)
        else:
            self._pass_on(answer)

    def _wish(self) -> Json | None:
        length = self.headers.get("Content-Length") or "0"
        if not length.isdecimal() or int(length) > _LARGEST_WISH:
            return None
        try:
            wish = json.loads(self.rfile.read(int(length)) or b"{}") or {}
        except ValueError:
            return None
        return wish if isinstance(wish, dict) else None

    def _tell(self, status: int, answer: Json) -> None:
        body = json.dumps(answer).encode()
        self._head(status, ("Content-Length", str(len(body))))
        self.wfile.write(body)

    def _pass_on(self, pieces: Iterator[bytes]) -> None:
        self._head(200, ("Transfer-Encoding", "chunked"))
        with contextlib.closing(_closable(pieces)) as open_pieces:
            for piece in open_pieces:
                if piece:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, status: int, length: tuple[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header(*length)
        self.end_headers()

    def address_string(self) -> str:
        return "engine"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        _log.debug(format, *args)


def _closable(pieces: Iterator[bytes]) -> "_Closable":
    return _Closable(pieces)


class _Closable:
    """An iterator that is closed where it can be: a generator's ``finally`` runs in time."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()
