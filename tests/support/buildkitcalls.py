"""Callers of BuildKit's API: one that blocks, by hand, and Debian 13's buildx."""

import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from boxship.wire.buildkit.methods import Method
from boxship.wire.grpc.connection import Connection
from boxship.wire.grpc.events import CallEnded, Event, MessagesReceived
from boxship.wire.grpc.status import Code
from boxship.wire.protobuf import Message, decode, encode

BUILDX = (
    Path(__file__).parents[2]
    / ".cache/trixie/docker-buildx/usr/libexec/docker/cli-plugins/docker-buildx"
)
Metadata = Mapping[str, Sequence[str]]


class Buildx:
    """The program, against one socket, with a home of its own."""

    def __init__(self, home: Path, sock: str) -> None:
        self.context = home / "context"
        self.context.mkdir()
        (self.context / "Dockerfile").write_bytes(b"FROM busybox\nRUN false\n")
        self._environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
        self._environment["DOCKER_HOST"] = f"unix://{sock}"

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [BUILDX, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        with self.start(*arguments) as process:
            out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def build(self, *arguments: str) -> str:
        code, out, err = self.run("build", "--progress", "plain", *arguments, str(self.context))
        assert code == 0, err
        return out + err

    def ask(self, question: str, *arguments: str) -> str:
        self._environment["BUILDX_EXPERIMENTAL"] = "1"
        command = ("build", "--progress=quiet", f"--print={question}")
        code, out, err = self.run(*command, *arguments, str(self.context))
        assert code == 0, err
        return out


class Caller:
    """A client of BuildKit that blocks."""

    def __init__(self, path: str, connected: socket.socket | None = None) -> None:
        self.socket = connected or socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        if connected is None:
            self.socket.connect(path)
        self.socket.sendall(b"POST /grpc HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\n\r\n")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.socket.recv(1)
        self.connection = Connection(client=True)
        self.connection.start()
        self._events: list[Event] = []

    def __enter__(self) -> "Caller":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def ask(
        self, method: Method[Any, Any], request: Message, metadata: Metadata | None = None
    ) -> Any:
        """Return the answers, or the status if it is an error."""
        return self.wait(self.begin(method, request, metadata), method)

    def begin(
        self, method: Method[Any, Any], request: Message, metadata: Metadata | None = None
    ) -> int:
        """Begin a call of one request; ``wait`` for its end by what is returned."""
        stream = self.connection.open(method.path, metadata or {})
        self.connection.send(stream, encode(request))
        self.connection.half_close(stream)
        self.socket.sendall(self.connection.outgoing())
        return stream

    def next(self, stream: int, method: Method[Any, Any]) -> Any:
        """Return the next answers of a call that goes on."""
        while True:
            self._events = self.connection.receive(self.socket.recv(65536))
            self.socket.sendall(self.connection.outgoing())
            found = [e for e in self._events if isinstance(e, MessagesReceived)]
            if found:
                return [decode(m, method.answer) for e in found for m in e.messages]

    def wait(self, stream: int, method: Method[Any, Any]) -> Any:
        answers: list[Message] = []
        while True:
            for event in self._events:
                if isinstance(event, MessagesReceived) and event.stream == stream:
                    answers += [decode(message, method.answer) for message in event.messages]
                elif isinstance(event, CallEnded) and event.stream == stream:
                    return answers if event.status.code == Code.OK else event.status
            self._events = self.connection.receive(self.socket.recv(65536))
            self.socket.sendall(self.connection.outgoing())
