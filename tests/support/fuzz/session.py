"""A daemon, requests, and what is left.

The daemon has networks in a namespace with no way out: what it is told to fetch fails at once.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Self

from support.described import Description
from support.engine import Engine
from support.fuzz.forging import Forge, Forged
from support.fuzz.sending import Answer, HangError, send
from support.fuzz.values import NETWORKS
from support.waiting import eventually

# Docker's status for these is 500 as well; every other one is a fault.
_EXPECTED = re.compile(
    "|".join(
        (
            r"dial tcp",  # a registry, or who an archive is fetched from, cannot be reached
            r"is not connected to",  # a container that is to leave a network
            # Known when it starts, by the image's own files.
            r"unable to find (user|group)|uids and gids must be in range",
            r"Couldn't find PID field in ps output",  # `ps --help`
        )
    )
)
_MOST_CONTAINERS = 12
_TIDY_EVERY = 200


@dataclass
class Findings:
    """What was sent, what was answered, and what should not have been."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    tell: Callable[[str], None] | None = None

    def note(self, request: Forged, answer: Answer) -> None:
        self.sent += 1
        self.statuses[answer.status] += 1
        self.operations[request.operation.name] += 1

    def blame(self, request: Forged, what: str) -> None:
        self.faults.append(f"{what}\n    {request}")
        if self.tell is not None:
            self.tell(self.faults[-1])


class Session:
    """Sends requests to an engine. ``place`` is the directory that containers may see."""

    def __init__(
        self, engine: Engine, place: Path, seed: int, tell: Callable[[str], None] | None = None
    ) -> None:
        self._engine = engine
        self._place = place
        answer = engine.api.get("/openapi.json")
        self._description = Description(answer.json())
        self._forge = Forge(self._description, seed, place)
        self.findings = Findings(tell=tell)

    def prepare(self) -> Self:
        """Make what the requests are about."""
        (self._place / "in").mkdir(exist_ok=True)
        (self._place / "dev").touch()
        api = self._engine.api
        if api.get("/images/busybox/json").status == 404:
            self._engine.load("busybox")
        api.post("/images/busybox/tag", repo="mine", tag="1")
        for name, command in (("web", ["sleep", "1000000"]), ("idle", ["sh"]), ("done", ["true"])):
            reply = api.request("GET", f"/containers/{name}/json")
            if reply.status == 404:
                api.create(name, Cmd=command, StopTimeout=0, Tty=name == "idle", OpenStdin=True)
        api.post("/containers/web/start")
        return self

    def run(self, count: int) -> Findings:
        """Send so many requests."""
        for number in range(1, count + 1):
            self._one(self._forge.request())
            if number % _TIDY_EVERY == 0:
                self._tidy()
        return self.findings

    def _one(self, request: Forged) -> None:
        try:
            answer = send(self._engine.socket, request)
        except (HangError, HTTPException, OSError) as error:
            self.findings.blame(request, f"{type(error).__name__}: {error}")
            assert self._engine.runs(), f"the daemon has ended:\n{self._engine.log()[-5000:]}"
            return
        self.findings.note(request, answer)
        if answer.status == 201 and answer.body.startswith(b'{"Id"'):
            self._forge.ids.append(str(json.loads(answer.body)["Id"]))
        for fault in self._faults(request, answer):
            self.findings.blame(request, fault)

    def _faults(self, request: Forged, answer: Answer) -> list[str]:
        if answer.status == 500 and not _EXPECTED.search(answer.body.decode("utf-8", "replace")):
            return [f"500: {answer.body[:600]!r}"]
        if request.prefix not in ("", "/v1.56") or not answer.whole:
            return []
        method, path = request.method, request.path
        return self._description.faults(method, path, answer.status, answer.media, answer.body)

    def _tidy(self) -> None:
        """Keep few objects; those that all requests are about are made again if they are gone."""
        api = self._engine.api
        for container in api.get("/containers/json", all=1).json()[_MOST_CONTAINERS:]:
            api.delete(f"/containers/{container['Id']}", force=1)
        self.prepare()

    def clear(self) -> None:
        """Remove every object but the image; what then is left is a fault."""
        api = self._engine.api
        for container in api.get("/containers/json", all=1).json():
            reply = api.delete(f"/containers/{container['Id']}", force=1, v=1)
            assert reply.status == 204, reply.body
        for network in api.get("/networks").json():
            if network["Name"] not in NETWORKS[:3]:
                api.delete(f"/networks/{network['Id']}")
        for volume in api.get("/volumes").json()["Volumes"] or ():
            api.delete(f"/volumes/{volume['Name']}")
        left = [row["Name"] for row in api.get("/volumes").json()["Volumes"]]
        assert not left, left
        eventually(lambda: not self._engine.remains(), "the end of what containers leave")
