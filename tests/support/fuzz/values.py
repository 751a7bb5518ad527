"""Values of a JSON schema: such as fit it, and such as don't.

What a field is for counts more than its type. A daemon under test is root, so that no value may
name anything of the machine's: paths of the host lie in ``place``, commands are harmless, nobody
waits for minutes.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

Json = dict[str, Any]

CONTAINERS = ("web", "idle", "done", "f1", "f2", "f3", "f4", "f5", "f6")
IMAGES = (
    "busybox",
    "busybox:latest",
    "mine:1",
    "mine:2",
    "127.0.0.1:1/a/b:c",
    "gone",
    "UPPER",
    "a:b:c",
)
NETWORKS = ("bridge", "none", "host", "n1", "n2", "n3")
VOLUMES = ("v1", "v2", "v3", "v4")

_ODD_TEXTS = (
    "", " ", "a", "-1", "0", "1", "true", "null", "\0", "a\nb", "ä€😀", "../..", "%s%n", "a" * 300,
    "x" * 70_000, "=", ":", "a=b", "a:b", "{}", "[]", "\ud7ff", "1e9", "0x10", "9" * 30, "8080/tcp",
    "8000-8010/udp", "10.9.0.0/24", "10.9.0.5", "fd00::/64", "::1", "00:11:22:33:44:55", "1h",
)  # fmt: skip
_ODD_NUMBERS = (
    0, 1, -1, 2, 7, 100, 1000, 65535, 65536, 4 << 20, 64 << 20, 2**31 - 1, 2**31, -(2**31), 2**32,
    2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**30,
)  # fmt: skip
_ANYTHING: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1.5,
    1e308,
    2**70,
    "",
    "x",
    [],
    {},
    [None],
    {"": None},
    [[]],
)
_PLATFORMS = ("", "linux/amd64", "linux/arm64", "x", "{", "{}", '{"os":"linux"}')
_COMMANDS: tuple[Any, ...] = (
    ["true"],
    ["sleep", "1000000"],
    ["sh", "-c", "exit 3"],
    ["nothere"],
    [],
    [""],
    "true",
)

_CHOICES: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("Image", "fromImage", "repo"), IMAGES),
    **dict.fromkeys(("Cmd", "Entrypoint"), _COMMANDS),
    **dict.fromkeys(("container", "Container"), CONTAINERS),
    **dict.fromkeys(("platform", "platforms"), _PLATFORMS),
    "StopTimeout": (0, 1),
    "t": (0, 1),
    "Interval": (0, 10**9, 10**12, 1, -1),
    "RestartPolicy": tuple({"Name": n} for n in ("", "no", "always", "on-failure", "x")),
    "NetworkMode": (*NETWORKS, "container:web", "container:gone", "x", ""),
    "IpcMode": ("", "none", "private", "shareable", "container:web", "x"),
    "PidMode": ("", "container:web", "x"),
    "UTSMode": ("", "x"),
    "UsernsMode": ("", "host", "x"),
    "CgroupnsMode": ("", "host", "private", "x"),
    "CgroupParent": ("", "a b", "../x"),
    "Runtime": ("", "x", "io.containerd.runc.v2"),
    "Privileged": (False,),
    "SecurityOpt": ([], ["no-new-privileges"], ["seccomp=unconfined"], ["x"], ["seccomp={"]),
    "CapAdd": ([], ["ALL"], ["NET_ADMIN"], ["x"], ["CAP_SYS_TIME"]),
    "LogConfig": ({}, {"Type": "none"}, {"Config": {"max-size": "x"}}, {"Type": "x"}),
    "Sysctls": ({}, {"net.ipv4.ip_forward": "1"}, {"x": "y"}, {"net.core.somaxconn": "zz"}),
    "signal": ("TERM", "KILL", "SIGUSR1", "0", "15", "99", "x", "-1"),
    "StopSignal": ("TERM", "KILL", "99", "x"),
    "Driver": ("", "local", "bridge", "null", "host", "macvlan", "ipvlan", "x"),
    "driver": ("", "local", "x"),
    "Name": (*VOLUMES, *NETWORKS, "x y", ""),
    "DriverOpts": ({}, None, {"x": "y"}, {"type": "tmpfs", "device": "tmpfs"}, {"type": "x"}),
    "Type": ("volume", "tmpfs", "image", "bind", "x", ""),
    "serveraddress": ("", "127.0.0.1:1", "http://127.0.0.1:1", "x y"),
    "fromSrc": ("-", "http://127.0.0.1:1/x", "ftp://x", "x"),
    "ps_args": ("", "-ef", "aux", "-x", "-o pid,cmd", "--help"),
    "condition": ("", "not-running", "next-exit", "removed", "x"),
    "path": ("/", "/etc", "/etc/hostname", "/gone/x", "etc/../..", "", "\0", "/" + "x" * 5000),
    "limit": (0, 1, -1, 2**40),
    "dir": ("", "x"),
    "term": ("127.0.0.1:1/x", ""),
    "Egress": (None, [], ["deny"], ["allow 10.0.0.0/8"], ["x"]),
}
# What the kernel would have to be asked for on behalf of the whole machine.
_NEVER = frozenset({"OomKillDisable", "ContainerIDFile", "CheckpointDir", "checkpoint-dir"})


class Values:
    """Makes values from one source of chance."""

    def __init__(self, chance: random.Random, components: Json, place: Path) -> None:
        self._chance = chance
        self._components = components
        self._on_host: dict[str, Callable[[], Any]] = {
            "Binds": lambda: [f"{self._source(place)}:{self._pick(('/x', '/y/z', 'x', '/'))}"],
            "Source": lambda: self._source(place),
            "PathOnHost": lambda: str(place / self._pick(("dev", "gone"))),
            "Device": lambda: "tmpfs",
        }

    def of(self, schema: Json, name: str = "", depth: int = 0) -> Any:
        """A value that mostly fits; ``name`` is that of the member or parameter."""
        if name in self._on_host:
            return self._on_host[name]()
        if name in _CHOICES and self._chance.random() < 0.97:
            return self._pick(_CHOICES[name])
        if "$ref" in schema:
            return self.of(self._components[schema["$ref"].rpartition("/")[2]], name, depth)
        if "anyOf" in schema:
            return self.of(self._pick(schema["anyOf"]), name, depth)
        if "enum" in schema and self._chance.random() < 0.9:
            return self._pick(schema["enum"])
        return self._of_type(schema, name, depth)

    def _of_type(self, schema: Json, name: str, depth: int) -> Any:
        match schema.get("type"):
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, name, depth)
            case "integer":
                return self._pick(_ODD_NUMBERS)
            case "number":
                return self._pick((*_ODD_NUMBERS, 0.5))
            case "boolean":
                return self._chance.random() < 0.5
            case "null":
                return None
            case "string":
                return self.text()
        return self._pick(_ANYTHING)

    def _object(self, schema: Json, depth: int) -> Json:
        share = 0.6 / (depth + 1)
        required = schema.get("required", ())
        made = {
            key: self.of(member, key, depth + 1)
            for key, member in schema.get("properties", {}).items()
            if key not in _NEVER and (key in required or self._chance.random() < share / 4)
        }
        more = schema.get("additionalProperties")
        if isinstance(more, dict):
            made |= {self.text(): self.of(more, "", depth + 1) for _ in range(self._small())}
        return made

    def _array(self, schema: Json, name: str, depth: int) -> list[Any]:
        if "prefixItems" in schema:
            return [self.of(item, name, depth + 1) for item in schema["prefixItems"]]
        items = schema.get("items") or {}
        return [self.of(items, "", depth + 1) for _ in range(self._small())]

    def spoiled(self, value: Any, name: str = "") -> Any:
        """The value with one thing in it replaced by what does not belong there."""
        if isinstance(value, dict) and value and self._chance.random() < 0.9:
            key = self._pick(tuple(value))
            if key == "Privileged":
                return value
            return {**value, key: self.spoiled(value[key], key)}
        if isinstance(value, list) and value and name != "Binds" and self._chance.random() < 0.5:
            index = self._chance.randrange(len(value))
            return [*value[:index], self.spoiled(value[index], name), *value[index + 1 :]]
        return self._pick(_ANYTHING)

    def text(self) -> str:
        known = (*CONTAINERS, *IMAGES, *NETWORKS, *VOLUMES)
        return str(self._pick(known if self._chance.random() < 0.5 else _ODD_TEXTS))

    def written(self, value: Any) -> str:
        """How a value stands in a query."""
        return value if isinstance(value, str) else json.dumps(value)

    def _source(self, place: Path) -> str:
        return str(self._pick((*VOLUMES, place / "in", place / "new", "x/y", "")))

    def _small(self) -> int:
        return self._chance.choice((0, 1, 1, 1, 2, 3))

    def _pick(self, choices: Any) -> Any:
        return self._chance.choice(tuple(choices))
