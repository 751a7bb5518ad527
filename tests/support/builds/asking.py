"""The classic door as a program asks it: a tar in, lines out."""

import itertools
import json
import os
import socket
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from support.api import VERSION, Api, keep_alive
from support.engine import Engine
from support.tars import Member, tar


@dataclass(frozen=True)
class Built:
    """What a build answered."""

    status: int
    lines: tuple[dict[str, Any], ...]

    @property
    def said(self) -> str:
        """All that is for people."""
        return "".join(line.get("stream", "") for line in self.lines)

    @property
    def error(self) -> str:
        """Why it failed; empty if it did not."""
        last = self.lines[-1] if self.lines else {}
        return str(last.get("error", "") or last.get("message", ""))

    @property
    def image(self) -> str:
        """The image's id."""
        assert not self.error, self
        return next(str(line["aux"]["ID"]) for line in reversed(self.lines) if "aux" in line)

    @property
    def cached(self) -> int:
        """How many steps were not done again."""
        return self.said.count(" ---> Using cache\n")


def context(dockerfile: str, files: Mapping[str, bytes] | None = None) -> bytes:
    """A context in memory."""
    members = [Member(name, data) for name, data in (files or {}).items()]
    return tar(Member("Dockerfile", dockerfile.encode()), *members)


def context_of(directory: Path) -> bytes:
    """A directory as a context, without what its `.dockerignore` may say."""
    out = BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in sorted(os.listdir(directory)):
            archive.add(directory / name, arcname=name)
    return out.getvalue()


def build(api: Api, data: bytes, **query: object) -> Built:
    """Build, to the end."""
    return build_with({}, api, data, query)


def build_with(
    headers: Mapping[str, str], api: Api, data: bytes, query: Mapping[str, object]
) -> Built:
    """The same with headers."""
    kind = {"Content-Type": "application/x-tar"}
    connection = keep_alive(api.path)
    try:
        target = f"/{VERSION}/build?{urlencode(query)}"
        connection.request("POST", target, data, {**kind, **headers})
        response = connection.getresponse()
        lines = response.read().splitlines()
    finally:
        connection.close()
    return Built(response.status, tuple(map(json.loads, lines)))


@contextmanager
def building(
    engine: Engine, data: Iterable[bytes], said: str = "", **query: object
) -> Iterator[socket.socket]:
    """A build under way, which has printed a line; at the end its client hangs up."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(str(engine.socket))
        head = f"POST /build?{urlencode(query)} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for piece in data:
            connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece))
        connection.sendall(b"0\r\n\r\n")
        heard = b""
        while said and f'"stream":"{said}\\n"'.encode() not in heard:
            more = connection.recv(4096)
            assert more, heard
            heard += more
        yield connection


def rest(connection: socket.socket) -> bytes:
    """What comes until the end."""
    return b"".join(iter(lambda: connection.recv(1 << 16), b""))


def large_context(dockerfile: str, size: int) -> Iterator[bytes]:
    """A context with a file of so many mebibytes, in pieces."""
    file = tarfile.TarInfo("large")
    file.size = size << 20
    yield context(dockerfile)[:1024] + file.tobuf()
    yield from itertools.repeat(bytes(1 << 20), size)
    yield bytes(1024)
