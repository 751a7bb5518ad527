"""A scenario run on one daemon: what each of its steps gave."""

import http.client
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from support.api import keep_alive
from support.engine import Engine
from support.parity.scenarios import VERSION, Scenario, Step

PATIENCE = 30.0
"""Seconds for a step."""


@dataclass(frozen=True)
class Ran:
    """How a program ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Answered:
    """What a request was answered."""

    status: int
    type: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


Outcome = Ran | Answered

_STREAMS = re.compile("/stats|/logs|/events|/archive|/export|/get")
_TOLD = ("x-docker-container-path-stat", "location", "docker-experimental", "ostype")
"""Headers that mean something to clients."""


class Performer:
    """Runs scenarios on ``engine``; programs are started in the network namespace ``namespace``.

    With ``newest``, a version of the API, what is asked for is asked for in that as well.
    """

    def __init__(
        self, engine: Engine, namespace: str, surroundings: Mapping[str, str], newest: str = ""
    ) -> None:
        self._engine = engine
        self._newest = newest
        self._enter = ("nsenter", f"--net={namespace}")
        self._surroundings = surroundings
        self.asked: list[tuple[str, str, Answered]] = []
        """What was answered in JSON so far, in the newest version: method, path, answer."""

    def run(self, scenario: Scenario) -> list[Outcome]:
        """Do the steps in a new directory."""
        work = self._engine.home / "work"
        work.mkdir()
        course = _Course(self, work, dict(self._surroundings))
        try:
            return [outcome for step in scenario.steps if (outcome := course.take(step))]
        finally:
            course.close()
            shutil.rmtree(work)

    def environment(self, work: Path, version: str) -> dict[str, str]:
        return {
            **os.environ,
            "DOCKER_HOST": f"unix://{self._engine.socket}",
            "DOCKER_CONFIG": str(work / ".docker"),
            "DOCKER_CLI_HINTS": "false",
            "DOCKER_API_VERSION": version,
            "COLUMNS": "200",
        }

    def start(self, step: Step, command: str, work: Path) -> subprocess.Popen[str]:
        """Start a program, with its input waiting for it in a file."""
        kind, _, rest = command.partition(" ")
        words = (
            ["sh", "-c", rest]
            if kind == "sh"
            else [self._engine.docker.program, *shlex.split(rest)]
        )
        with open(work / ".stdin", "w+") as stdin:
            stdin.write(step.stdin)
            stdin.seek(0)
            return subprocess.Popen(
                [*self._enter, *words],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=work,
                env=self.environment(work, step.version),
                text=True,
                errors="backslashreplace",
            )

    def ask(self, step: Step, request: str, work: Path) -> Answered:
        """Send a request, and read the whole answer."""
        method, _, rest = request.partition(" ")
        path, _, document = rest.partition(" ")
        body = (work / step.body).read_bytes() if step.body else document.encode()
        answer = self._exchange(step, method, f"/v{step.version}{path}", body)
        if self._newest and answer.type == "application/json" and step.version == VERSION:
            if method == "GET" and not _STREAMS.search(path):
                again = self._exchange(step, method, f"/v{self._newest}{path}", b"")
                self.asked.append((method, path, again))
            elif method not in ("GET", "HEAD"):
                self.asked.append((method, path, answer))
        return answer

    def _exchange(self, step: Step, method: str, target: str, body: bytes) -> Answered:
        headers = {"Content-Type": "application/x-tar" if step.body else "application/json"}
        connection = keep_alive(self._engine.socket)
        try:
            connection.request(method, target, body or None, headers if body else {})
            return _answered(connection.getresponse())
        except TimeoutError:
            raise AssertionError(f"{self._engine.home}: no end: {method} {target}") from None
        finally:
            connection.close()


def _answered(response: http.client.HTTPResponse) -> Answered:
    headers = {name.lower(): value for name, value in response.getheaders()}
    told = tuple((name, headers[name]) for name in _TOLD if name in headers)
    return Answered(response.status, headers.get("content-type", ""), told, response.read())


class _Course:
    """One scenario under way."""

    def __init__(self, performer: Performer, work: Path, saved: dict[str, str]) -> None:
        self._performer = performer
        self._work = work
        self._saved = saved
        self._beside: dict[str, subprocess.Popen[str]] = {}

    def take(self, step: Step) -> Outcome | None:
        """Do a step; nothing comes of one that goes on in the background."""
        command = re.sub(
            r"\$\{(\w+)\}", lambda match: self._saved.get(match[1], match[0]), step.run
        )
        if step.background:
            self._beside[step.background] = self._performer.start(step, command, self._work)
            return None
        outcome = self._done(step, command)
        if step.save:
            self._saved[step.save] = _saved(outcome)
        return outcome

    def _done(self, step: Step, command: str) -> Outcome:
        deadline = time.monotonic() + PATIENCE
        while True:
            outcome = self._once(step, command)
            if not step.until or re.search(step.until, output_of(outcome)):
                return outcome
            if time.monotonic() > deadline:
                raise AssertionError(f"{command}: {step.until!r} never came: {outcome}")
            time.sleep(0.05)

    def _once(self, step: Step, command: str) -> Outcome:
        if step.is_request:
            return self._performer.ask(step, command, self._work)
        kind, _, name = command.partition(" ")
        if kind == "join":
            return _ended(self._beside.pop(name))
        return _ended(self._performer.start(step, command, self._work))

    def close(self) -> None:
        """End what a scenario left running."""
        for process in self._beside.values():
            process.kill()
            process.communicate()


def _ended(process: subprocess.Popen[str]) -> Ran:
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        err += f"\n(killed after {PATIENCE} s)"
    return Ran(process.returncode, out, err)


def output_of(outcome: Outcome) -> str:
    """Its standard output, or a body."""
    return outcome.out if isinstance(outcome, Ran) else outcome.body.decode(errors="replace")


def _saved(outcome: Outcome) -> str:
    text = output_of(outcome).strip()
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if isinstance(document, dict):
        return str(document.get("Id") or document.get("ID"))
    return text


def listing(archive: bytes) -> Sequence[str]:
    """What is in a tar archive, a line each, sorted."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return sorted(
            f"{entry.type.decode()} {entry.mode:o} {entry.uid}:{entry.gid} {entry.size}"
            f" {entry.name} {entry.linkname}".rstrip()
            for entry in tar
        )
