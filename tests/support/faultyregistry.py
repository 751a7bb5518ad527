"""A registry that does what a test says, request by request, and is honest about the rest.

::

    with FaultyRegistry() as registry:
        digest = registry.keep(data)
        registry.on("GET", "/blobs/", BreakOff(1000), Answer(503, {"Retry-After": "0"}))

The first `GET` of a blob gets 1000 bytes and a broken connection, the second 503, all others what
they ask for. `registry.asked` tells what arrived.
"""

import fcntl
import hashlib
import json
import re
import socket
import struct
import termios
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Answer:
    """Say exactly this; without a Content-Length of its own the body's is sent."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class BreakOff:
    """Begin honestly, and reset the connection after so many bytes of the body."""

    after: int


@dataclass(frozen=True)
class EndEarly:
    """Begin honestly, and end the connection orderly after so many bytes of the body."""

    after: int


@dataclass(frozen=True)
class IgnoreRange:
    """Send all of it, with 200, whatever part was asked for."""


@dataclass(frozen=True)
class Lie:
    """Send these bytes in the place of the right ones."""

    body: bytes


@dataclass(frozen=True)
class Hang:
    """Send so many bytes of the body, then nothing until the registry is closed."""

    after: int = 0


@dataclass(frozen=True)
class BreakUpload:
    """Take so many bytes of what is uploaded, then reset the connection."""

    after: int


Fault = Answer | BreakOff | EndEarly | IgnoreRange | Lie | Hang | BreakUpload


def redirect(target: str, status: int = 307) -> Answer:
    return Answer(status, {"Location": target})


def refuse(status: int, code: str, message: str = "", **headers: str) -> Answer:
    """An error as registries send it; `Retry_After="0"` becomes a header."""
    body = json.dumps({"errors": [{"code": code, "message": message or code.lower()}]})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, body.encode())


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]


class FaultyRegistry:
    """Plain HTTP on the loopback; every repository has the same content."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.tells_offset = True
        self._faults: list[tuple[str, str, Iterator[Fault]]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: set[socket.socket] = set()

    def keep(self, data: bytes) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def tag(self, name: str, data: bytes, media_type: str = MANIFEST) -> str:
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.manifests[name] = self.manifests[digest] = (media_type, data)
        return digest

    def on(self, method: str, path: str, *faults: Fault) -> None:
        """The next requests of this method whose path contains `path` meet these, one each."""
        self._faults.append((method, path, iter(faults)))

    def count(self, method: str, path: str) -> int:
        return sum(a.method == method and path in a.path for a in self.asked)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._http.server_address[1]}"

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def __enter__(self) -> Self:
        answers = type("Answers", (_Answers,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        self._http.daemon_threads = False
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(
        self, _t: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None
    ) -> None:
        self._closing.set()
        self._http.shutdown()
        with self._lock:
            for connection in self._connections:
                _quietly_shut(connection)
        self._http.server_close()
        self._thread.join()

    def begun(self, asked: Asked) -> Fault | None:
        """Note a request; return what it is to meet."""
        with self._lock:
            self.asked.append(asked)
            for method, path, faults in self._faults:
                if method == asked.method and path in asked.path:
                    fault = next(faults, None)
                    if fault is not None:
                        return fault
        return None

    def connected(self, connection: socket.socket, *, there: bool) -> None:
        with self._lock:
            (self._connections.add if there else self._connections.discard)(connection)

    def hang(self) -> None:
        self._closing.wait()


class _Answers(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    owner: FaultyRegistry

    def setup(self) -> None:
        super().setup()
        self.owner.connected(self.connection, there=True)

    def finish(self) -> None:
        with suppress(OSError):  # it was reset
            super().finish()
        self.owner.connected(self.connection, there=False)

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):
            return self._respond
        raise AttributeError(name)

    def _respond(self) -> None:
        asked = Asked(self.command, self.path, dict(self.headers.items()))
        fault = self.owner.begun(asked)
        match fault:
            case Answer(status, headers, body):
                self._read_body()
                self._say(status, headers, body)
            case Hang() if "/blobs/uploads/" in self.path:
                self.owner.hang()
                self.close_connection = True
            case BreakUpload(after):
                self._take_upload(after)
                self._reset()
            case _:
                self._serve(fault)

    def _serve(self, fault: Fault | None) -> None:
        path = urlsplit(self.path).path
        if "/blobs/uploads/" in path:
            self._upload(path)
        elif match := re.search(r"/blobs/([^/]+)$", path):
            self._content(self.owner.blobs.get(match[1]), "application/octet-stream", fault)
        elif match := re.search(r"/manifests/([^/]+)$", path):
            self._manifest(match[1], fault)
        else:
            self._read_body()
            self._say(200, {"Content-Type": "application/json"}, b"{}")

    def _manifest(self, name: str, fault: Fault | None) -> None:
        if self.command == "PUT":
            data = self._read_body()
            digest = self.owner.tag(name, data, self.headers.get("Content-Type", ""))
            self._say(201, {"Docker-Content-Digest": digest})
            return
        media_type, found = self.owner.manifests.get(name, ("", b""))
        self._content(found if media_type else None, media_type, fault)

    def _content(self, data: bytes | None, media_type: str, fault: Fault | None) -> None:
        if data is None:
            self._say(404, {}, b'{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown"}]}')
            return
        headers = {
            "Content-Type": media_type,
            "Docker-Content-Digest": "sha256:" + hashlib.sha256(data).hexdigest(),
        }
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if isinstance(fault, Lie):
            data = fault.body
        status = 200
        if asked and not isinstance(fault, IgnoreRange):
            first = int(asked[1])
            headers["Content-Range"] = f"bytes {first}-{len(data) - 1}/{len(data)}"
            data, status = data[first:], 206
        self._say(status, headers, data, fault)

    def _say(
        self, status: int, headers: Mapping[str, str], body: bytes = b"", fault: Fault | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if not {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        match fault:
            case BreakOff(after):
                self.wfile.write(body[:after])
                self._drained()
                self._reset()
            case EndEarly(after):
                self.wfile.write(body[:after])
                self.close_connection = True
            case Hang(after):
                self.wfile.write(body[:after])
                self.owner.hang()
                self.close_connection = True
            case _:
                self.wfile.write(body)

    def _drained(self) -> None:
        """Wait until the other side's kernel has all: a reset would take away what is unsent."""
        unsent = 1
        while unsent:
            # Sent and not acknowledged, and not sent yet since the other side's window is full.
            answer = fcntl.ioctl(self.connection, termios.TIOCOUTQ, bytes(4))
            (unsent,) = struct.unpack("i", answer)

    def _reset(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.connection.close()

    def _upload(self, path: str) -> None:
        name = path.rpartition("/")[2]
        if self.command == "POST":
            name = uuid.uuid4().hex
            self.owner.uploads[name] = bytearray()
            self._read_body()
            self._say(202, {"Location": f"{path}{name}?state=x"})
            return
        known = self.owner.uploads.get(name)
        if known is None:
            self._read_body()
            self._say(404, {}, b'{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN","message":"gone"}]}')
            return
        self._go_on(path, name, known)

    def _go_on(self, path: str, name: str, known: bytearray) -> None:
        location = {"Location": f"{path}?state=x"}
        if self.command == "GET" and not self.owner.tells_offset:
            self._say(405, {})
        elif self.command == "GET":
            self._say(204, {**location, "Range": f"0-{max(0, len(known) - 1)}"})
        elif self.command == "DELETE":
            del self.owner.uploads[name]
            self._say(204, {})
        else:
            known += self._read_body()
            if self.command == "PATCH":
                self._say(202, {**location, "Range": f"0-{max(0, len(known) - 1)}"})
                return
            del self.owner.uploads[name]
            digest = parse_qs(urlsplit(self.path).query)["digest"][0]
            if self.owner.keep(bytes(known)) != digest:
                self._say(400, {}, b'{"errors":[{"code":"DIGEST_INVALID","message":"other"}]}')
                return
            self._say(201, {"Docker-Content-Digest": digest})

    def _take_upload(self, most: int) -> None:
        name = urlsplit(self.path).path.rpartition("/")[2]
        taken = b""
        for piece in self._pieces():
            taken += piece
            if len(taken) >= most:
                break
        if name in self.owner.uploads:
            self.owner.uploads[name] += taken[:most]

    def _read_body(self) -> bytes:
        return b"".join(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            left = int(self.headers.get("Content-Length", "0"))
            while left and (piece := self.rfile.read(min(left, 65536))):
                left -= len(piece)
                yield piece
            return
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()


def _quietly_shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
