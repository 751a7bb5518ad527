"""A container's explanation as plain text: a few sections, each a table, the commands last."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from boxship.cli.command.container import settings
from boxship.cli.format.sizes import binary_size, human_size
from boxship.cli.format.tabwriter import align

_FLAGS = {row.field: f"--{row.flag}" for row in settings.HOST} | {
    "NetworkMode": "--network",
    "RestartPolicy": "--restart",
    "Binds": "--volume",
    "CapAdd": "--cap-add",
    "CapDrop": "--cap-drop",
    "LogConfig": "--log-driver, --log-opt",
    "PortBindings": "--publish",
    "SecurityOpt": "--security-opt",
    "Devices": "--device",
    "Ulimits": "--ulimit",
    "Tmpfs": "--tmpfs",
    "Sysctls": "--sysctl",
    "Mounts": "--mount",
}
_BYTES = frozenset({"Memory", "MemorySwap", "MemoryReservation", "ShmSize"})
_MOST = 1 << 62
"""What the kernel of cgroup v1 says for "no limit" is near 2**63."""
_WIDEST = 100

Json = dict[str, Any]


def text_of(found: Json) -> str:
    """Return all of it."""
    sections = (
        ("", _head(found)),
        ("Differs from Docker's default", _differences(found)),
        ("Layers, topmost first", _layers(found)),
        ("Network", _network(found)),
        ("Namespaces", _namespaces(found)),
        (f"Cgroup, version {found['CgroupVersion']}", _cgroup(found)),
        ("Devices that may be used", _devices(found)),
    )
    parts = [_section(title, rows) for title, each in sections if (rows := list(each))]
    script = "\n".join(found["Commands"])
    return "\n".join((*parts, f"The same by hand\n\n{script}\n"))


def _section(title: str, rows: Iterable[tuple[str, ...]]) -> str:
    margin = "  " if title else ""
    body = "".join(margin + "\t".join(row) + "\n" for row in rows)
    return (f"{title}\n" if title else "") + align(body, minimum=0, padding=3)


def _head(found: Json) -> Iterator[tuple[str, ...]]:
    process = f", process {found['Pid']}" if found["Pid"] else ""
    yield "Container", f"{found['Name']} ({found['Id'][:12]})"
    yield "State", f"{found['Status']}{process}"
    yield "Runtime", found["Runtime"]
    image = found["ImageId"].removeprefix("sha256:")[:12]
    yield "Image", f"{found['Image']} ({image})" if found["Image"] else image
    yield "Command", json.dumps(found["Command"])


def _differences(found: Json) -> Iterator[tuple[str, ...]]:
    if not found["Differences"]:
        yield ("nothing",)
    for each in found["Differences"]:
        field = each["Field"]
        value, default = (_value(field, each[key]) for key in ("Value", "Default"))
        yield _FLAGS.get(field, field), value, f"default {default}"


def _value(field: str, value: Any) -> str:
    if field in _BYTES and isinstance(value, int) and value > 0:
        return binary_size(value)
    if field == "NanoCpus" and value:
        return f"{value / 10**9:g}"
    return json.dumps(value) if value not in (None, "", 0) else "none"


def _layers(found: Json) -> Iterator[tuple[str, ...]]:
    yield human_size(found["WritableSize"], 3), "its own", found["Writable"]
    for layer in found["Layers"]:
        made_by = " ".join(layer["CreatedBy"].split())
        if len(made_by) > _WIDEST:
            made_by = made_by[: _WIDEST - 1] + "…"
        yield human_size(layer["Size"], 3), layer["Id"].removeprefix("sha256:")[:12], made_by


def _network(found: Json) -> Iterator[tuple[str, ...]]:
    yield "mode", found["NetworkMode"] or "default"
    if found["Addresses"]:
        yield "addresses", ", ".join(found["Addresses"])
    for each in found["Interfaces"]:
        carried = f"{human_size(each['Received'], 3)} received, {human_size(each['Sent'], 3)} sent"
        yield each["Name"], carried


def _namespaces(found: Json) -> Iterator[tuple[str, ...]]:
    if not found["Namespaces"]:
        yield ("none: it does not run",)
    for each in found["Namespaces"]:
        yield each["Kind"], each["Id"], "the host's" if each["OfHost"] else "its own"


def _cgroup(found: Json) -> Iterator[tuple[str, ...]]:
    if not found["Limits"]:
        yield "directories", "made when it starts:"
        yield from (("", path) for path in found["Cgroups"])
    used = {each["Name"]: each for each in found["Usage"]}
    for each in found["Limits"]:
        if each["Name"] == "devices":  # a list, too long for a column
            continue
        now = used.pop(each["Name"], None)
        usage = f"in use {_counted(now)}" if now else ""
        yield each["Name"], _counted(each), usage, each["File"]
    for each in used.values():
        yield each["Name"], _counted(each), "", each["File"]


def _devices(found: Json) -> Iterator[tuple[str, ...]]:
    for each in found["Limits"]:
        if each["Name"] == "devices":
            yield (each["Value"],)


def _counted(each: Json) -> str:
    value, file = str(each["Value"]), each["File"].rpartition("/")[2]
    if not value.isdecimal():
        return value.removeprefix("usage_usec ") + (" µs" if file == "cpu.stat" else "")
    number = int(value)
    if number >= _MOST:
        return "no limit"
    return binary_size(number) if file.startswith("memory.") else value
