"""Requests of operations: mostly ones that mean something, some that are wrong in one way."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from support.described import Described, Description
from support.fuzz.values import CONTAINERS, IMAGES, NETWORKS, VOLUMES, Values
from support.tars import Member as File
from support.tars import directory, symlink, tar

JSON = "application/json"
_TARS = (
    tar(File("a", b"text"), directory("d"), symlink("l", "a")),
    tar(File("../out", b"x")), tar(symlink("l", "/etc"), File("l/x", b"x")),
    tar(File("manifest.json", b"[{}]")), tar(File("index.json", b"{")), b"", b"\0" * 1024,
    b"not an archive", b"\x1f\x8b\x08\0\0", b"\x28\xb5\x2f\xfd\0",
)  # fmt: skip
_PREFIXES = (*[""] * 20, *["/v1.56"] * 6, "/v1.41", "/v1.24", "/v1.43", "/v1.51", "/v1.23", "/vx")
_SEGMENTS = ("%00", "%2F", "..", "%ff", "a b", "x" * 3000, "%", "é", "*", ";", "json", ":")


@dataclass(frozen=True)
class Forged:
    """A request; ``operation`` is what it was made from."""

    operation: Described
    method: str
    path: str
    prefix: str = ""
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def target(self) -> str:
        return self.prefix + self.path + (f"?{self.query}" if self.query else "")

    def __str__(self) -> str:
        return f"{self.method} {self.target[:300]} {self.headers} {self.body[:1500]!r}"


class Forge:
    """Makes requests out of a description and chance. ``ids`` are what the daemon has answered."""

    def __init__(self, description: Description, seed: int, place: Path) -> None:
        self._chance = random.Random(seed)
        self._values = Values(self._chance, description.document["components"]["schemas"], place)
        self._operations = [
            each for each in description.operations if each.name != "SystemDescription"
        ]
        self._weights = [_weight(each) for each in self._operations]
        self.ids: list[str] = []
        self._spoilers: tuple[Callable[[Forged], Forged], ...] = (
            self._other_path, self._other_query, self._other_type, self._cut, self._deep,
        )  # fmt: skip

    def request(self) -> Forged:
        """The next request."""
        (operation,) = self._chance.choices(self._operations, self._weights)
        headers: dict[str, str] = {}
        made = Forged(
            operation,
            operation.method,
            self._path(operation.path),
            self._chance.choice(_PREFIXES),
            self._query(operation),
            headers,
            self._body(operation, headers),
        )
        if self._chance.random() < 0.15:
            made = self._chance.choice(self._spoilers)(made)
        return made

    def _path(self, path: str) -> str:
        noun = path.split("/")[1]
        choices = {
            "containers": CONTAINERS, "images": IMAGES, "networks": NETWORKS, "volumes": VOLUMES,
            "distribution": ("127.0.0.1:1/a", "127.0.0.1:1/a:b"), "exec": self.ids[-20:] or ("x",),
        }.get(noun, ("x", "y"))  # fmt: skip
        if self._chance.random() < 0.05 and self.ids:
            choices = self.ids[-50:]
        target = quote(self._chance.choice(choices), safe="/:@")
        return "/".join(target if part.startswith("{") else part for part in path.split("/"))

    def _query(self, operation: Described) -> str:
        pairs: list[tuple[str, str]] = []
        for parameter in operation.operation["parameters"]:
            if parameter["in"] != "query":
                continue
            if not (parameter["required"] or self._chance.random() < 0.35):
                if parameter["name"] == "t":  # nobody waits ten seconds
                    pairs.append(("t", "0"))
                continue
            pairs += self._pairs(parameter)
        return urlencode(pairs, errors="surrogatepass")

    def _pairs(self, parameter: dict[str, Any]) -> list[tuple[str, str]]:
        name, encoded = parameter["name"], "content" in parameter
        if name == "t":  # as long as it says is not a hang
            return [(name, self._chance.choice(("0", "1", "x")))]
        if self._chance.random() < 0.1:
            return [(name, self._values.text())]
        schema = parameter["content"][JSON]["schema"] if encoded else parameter["schema"]
        value = self._values.of(schema, "" if encoded else name)
        if isinstance(value, list) and not encoded:
            return [(name, self._values.written(each)) for each in value]
        return [(name, json.dumps(value) if encoded else self._values.written(value))]

    def _body(self, operation: Described, headers: dict[str, str]) -> bytes:
        body = operation.operation.get("requestBody")
        if body is None:
            return b""
        ((media, content),) = body["content"].items()
        headers["Content-Type"] = media
        if media != JSON:
            return self._chance.choice(_TARS)
        value = self._values.of(content["schema"])
        if operation.name == "ContainerCreate":
            # With what most of the others need, so that there is something to start.
            value = {"Image": "busybox", "Cmd": ["true"], "StopTimeout": 0} | value
        if self._chance.random() < 0.3:
            value = self._values.spoiled(value)
        return json.dumps(value).encode("utf-8", "surrogatepass")

    # ── wrong in one way ─────────────────────────────────────────────────────────────────────

    def _other_path(self, made: Forged) -> Forged:
        parts = made.path.split("/")
        index = self._chance.randrange(1, len(parts))
        parts[index] = quote(self._chance.choice(_SEGMENTS), safe="%")
        return _with(made, path="/".join(parts))

    def _other_query(self, made: Forged) -> Forged:
        more = self._chance.choice(
            ("x", "&&", "=", "x=%zz", "filters=%7B", "all=1&all=0", "%00=%00")
        )
        return _with(made, query=f"{made.query}&{more}")

    def _other_type(self, made: Forged) -> Forged:
        kind = self._chance.choice(("", "text/plain", "application/json; charset=x", "x" * 5000))
        return _with(made, headers={**made.headers, "Content-Type": kind})

    def _cut(self, made: Forged) -> Forged:
        return _with(made, body=made.body[: self._chance.randrange(len(made.body) + 1)])

    def _deep(self, made: Forged) -> Forged:
        if "requestBody" not in made.operation.operation:
            return made
        depth = self._chance.choice((10, 1000, 100_000))
        text = self._chance.choice((b"[", b'{"HostConfig":', b'{"a":'))
        return _with(made, body=text * depth)


def _with(made: Forged, **changes: Any) -> Forged:
    return replace(made, **changes)


def _weight(operation: Described) -> float:
    """What makes, starts and removes comes more often than what only looks."""
    if operation.path.startswith(
        ("/swarm", "/services", "/configs", "/secrets", "/nodes", "/plugins", "/tasks")
    ):
        return 0.1
    often = {
        "ContainerCreate": 8.0,
        "ContainerStart": 3.0,
        "ContainerDelete": 4.0,
        "ExecStart": 2.0,
    }
    return often.get(operation.name, 1.0)
