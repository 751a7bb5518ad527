"""A plain HTTP client on a unix socket: the Engine API as any program would speak it."""

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

VERSION = "v1.41"  # what both Debian's dockerd and Boxship speak


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        """The text of an error."""
        return str(self.json()["message"])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Api:
    """Requests on the socket at `path`, a connection each."""

    def __init__(self, path: Path, *, timeout: float = 60.0) -> None:
        self.path = path
        self._timeout = timeout

    def get(self, path: str, **query: object) -> Reply:
        return self.request("GET", path, query=query)

    def post(self, path: str, body: object = None, **query: object) -> Reply:
        return self.request("POST", path, body, query=query)

    def delete(self, path: str, **query: object) -> Reply:
        return self.request("DELETE", path, query=query)

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        version: str = VERSION,
    ) -> Reply:
        with self.stream(method, path, body, query=query, version=version) as response:
            return Reply(response.status, dict(response.getheaders()), response.read())

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, object] | None = None,
        version: str = VERSION,
    ) -> Iterator[http.client.HTTPResponse]:
        """The response as soon as its header is there."""
        connection = _UnixConnection(self.path, self._timeout)
        payload, headers = _encode(body)
        try:
            connection.request(method, _target(path, query, version), payload, headers)
            response = connection.getresponse()
            try:
                yield response
            finally:
                response.close()
        finally:
            connection.close()

    def hijack(
        self, path: str, body: object = None, **query: object
    ) -> tuple[socket.socket, bytes]:
        """Upgrade to a raw connection; returns it and the bytes that came behind the header."""
        payload, headers = _encode(body)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(self._timeout)
        connection.connect(str(self.path))
        headers |= {
            "Host": "localhost",
            "Connection": "Upgrade",
            "Upgrade": "tcp",
            "Content-Length": str(len(payload or b"")),
        }
        lines = [
            f"POST {_target(path, query)} HTTP/1.1",
            *(f"{k}: {v}" for k, v in headers.items()),
        ]
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + (payload or b""))
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(4096)
            assert chunk, f"closed within the header: {received!r}"
            received += chunk
        header, _, rest = received.partition(b"\r\n\r\n")
        assert header.startswith(b"HTTP/1.1 101"), header
        return connection, rest

    def create(self, name: str, **config: object) -> str:
        """Create a container of busybox without network; returns its id."""
        host_config = {"NetworkMode": "none"} | _mapping(config.pop("HostConfig", {}))
        body = {"Image": "busybox", "HostConfig": host_config} | config
        reply = self.post("/containers/create", body, name=name)
        assert reply.status == 201, reply.body
        return str(reply.json()["Id"])

    def start(self, container: str) -> None:
        reply = self.post(f"/containers/{container}/start")
        assert reply.status == 204, reply.body

    def wait(self, container: str) -> int:
        reply = self.post(f"/containers/{container}/wait")
        assert reply.status == 200, reply.body
        return int(reply.json()["StatusCode"])

    def remove(self, container: str, *, force: bool = True) -> None:
        """Remove it with its anonymous volumes."""
        reply = self.delete(f"/containers/{container}", force=int(force), v=1)
        assert reply.status == 204, reply.body

    def inspect(self, container: str) -> Any:
        reply = self.get(f"/containers/{container}/json")
        assert reply.status == 200, reply.body
        return reply.json()

    def logs(self, container: str) -> bytes:
        """Standard output so far, without frames."""
        reply = self.get(f"/containers/{container}/logs", stdout=1)
        assert reply.status == 200, reply.body
        return unframe(reply.body).get(1, b"")


def keep_alive(path: Path) -> http.client.HTTPConnection:
    """A connection for many requests, for `talk`."""
    return _UnixConnection(path, timeout=60.0)


def talk(
    connection: http.client.HTTPConnection, method: str, path: str, body: object = None
) -> Any:
    """One request on a connection that stays; it must succeed; its JSON, if any."""
    payload, headers = _encode(body)
    connection.request(method, _target(path, None), payload, headers)
    response = connection.getresponse()
    answer = response.read()
    assert response.status < 300, answer
    return json.loads(answer) if answer else None


def unframe(data: bytes) -> dict[int, bytes]:
    """The streams of a whole multiplexed body, by number."""
    streams: dict[int, list[bytes]] = {}
    position = 0
    while position < len(data):
        stream, size = data[position], int.from_bytes(data[position + 4 : position + 8], "big")
        streams.setdefault(stream, []).append(data[position + 8 : position + 8 + size])
        position += 8 + size
    assert position == len(data), "the last frame is cut off"
    return {stream: b"".join(chunks) for stream, chunks in streams.items()}


def _target(path: str, query: Mapping[str, object] | None, version: str = VERSION) -> str:
    return f"/{version}{path}" + (f"?{urlencode(query)}" if query else "")


def _encode(body: object) -> tuple[bytes | None, dict[str, str]]:
    if body is None:
        return None, {}
    if isinstance(body, bytes):
        return body, {"Content-Type": "application/x-tar"}
    return json.dumps(body).encode(), {"Content-Type": "application/json"}


def _mapping(value: object) -> dict[str, object]:
    assert isinstance(value, dict)
    return value
