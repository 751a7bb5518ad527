"""A daemon that only writes down what it is asked, and both clients to ask it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

DOCKER = "/usr/local/bin/docker"


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    body: str

    def json(self) -> Any:
        return json.loads(self.body) if self.body else None


@dataclass
class Recorder:
    """Answers HEAD /_ping as a daemon and everything else with ``answers`` or a 500."""

    path: str
    version: str = "1.50"
    experimental: bool = False
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, tuple[int, str]] = field(default_factory=dict)  # by "METHOD /path"

    def take(self) -> list[Request]:
        """The requests since the last call, without the pings."""
        taken, self.requests = self.requests, []
        return [request for request in taken if "_ping" not in request.target]

    def serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._converse, args=(connection,), daemon=True).start()

    def _converse(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader:
            while line := reader.readline():
                method, target, _ = line.decode().split()
                length = 0
                while header := reader.readline().strip():
                    name, _, value = header.decode().partition(":")
                    if name.lower() == "content-length":
                        length = int(value)
                body = reader.read(length).decode()
                self.requests.append(Request(method, target, body))
                connection.sendall(self._answer(method, target))

    def _answer(self, method: str, target: str) -> bytes:
        path = target.partition("?")[0].removeprefix(f"/v{self.version}")
        status, text = self.answers.get(f"{method} {path}", (500, '{"message":"recorded"}\n'))
        if path.endswith("_ping"):
            status, text = 200, ""
        head = (
            f"HTTP/1.1 {status} X\r\nApi-Version: {self.version}\r\nOstype: linux\r\n"
            f"Docker-Experimental: {str(self.experimental).lower()}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(text.encode())}\r\n\r\n"
        )
        return (head + text).encode()


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    path = str(tmp_path / "d.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(16)
        daemon = Recorder(path)
        thread = threading.Thread(target=daemon.serve, args=(listener,), daemon=True)
        thread.start()
        yield daemon
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Client:
    """A command line program against one daemon."""

    command: tuple[str, ...]
    host: str
    directory: Path

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> Outcome:
        clean = {
            key: value
            for key, value in os.environ.items()
            if not key.startswith(("DOCKER_", "BOXSHIP_"))
        }
        done = subprocess.run(
            [*self.command, "-H", self.host, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            cwd=self.directory,
            env=clean | {"HOME": str(self.directory), "TZ": "UTC"} | environment,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def ours(recorder: Recorder, tmp_path: Path) -> Client:
    return Client((sys.executable, "-m", "boxship"), f"unix://{recorder.path}", tmp_path)


@pytest.fixture
def theirs(recorder: Recorder, tmp_path: Path) -> Client:
    """Docker's own client; the test is skipped where there is none of the version compared with."""
    if shutil.which(DOCKER) is None:
        pytest.skip(f"no docker client at {DOCKER}")
    version = subprocess.run([DOCKER, "--version"], capture_output=True, text=True, check=True)
    if " 28." not in version.stdout:
        pytest.skip(f"requests are compared with docker 28, and this is {version.stdout.strip()}")
    return Client((DOCKER,), f"unix://{recorder.path}", tmp_path)
