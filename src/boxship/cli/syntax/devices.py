"""``--device``, ``--device-cgroup-rule`` and ``--gpus``."""

import re
from collections.abc import Iterable
from typing import Any

from boxship.cli.kinds import parse_csv, parse_integer

_RULE = re.compile(r"[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}")
# vendor.com/class=name
_CDI_NAME = re.compile(
    r"[A-Za-z](?:[\w.-]*[A-Za-z0-9])?/[A-Za-z](?:[\w.-]*[A-Za-z0-9])?"
    r"=[A-Za-z0-9](?:[\w.:-]*[A-Za-z0-9])?",
    re.ASCII,
)


def split_described(given: Iterable[str]) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the request for those that have a CDI name, if any, and the others, paths."""
    named: list[str] = []
    paths: list[str] = []
    for text in given:
        (named if _CDI_NAME.fullmatch(text) else paths).append(text)
    if not named:
        return None, paths
    request = {
        "Driver": "cdi",
        "Count": 0,
        "DeviceIDs": named,
        "Capabilities": None,
        "Options": None,
    }
    return request, paths


def parse_device(text: str) -> dict[str, Any]:
    """``path[:path inside][:rwm]``."""
    source, *rest = text.split(":")
    inside, permissions = source, "rwm"
    if len(rest) > 2:
        raise ValueError(f"invalid device specification: {text}")
    if len(rest) == 2:
        inside, permissions = rest[0] or source, rest[1]
    elif rest and _is_permission(rest[0]):
        permissions = rest[0]
    elif rest:
        inside = rest[0] or source
    return {
        "PathOnHost": source,
        "PathInContainer": inside,
        "CgroupPermissions": permissions,
    }


def check_device(text: str) -> str:
    """The daemon's view of a device: paths are absolute, permissions are among rwm."""
    parts = text.split(":")
    if len(parts) > 3:
        raise ValueError(f"bad format for path: {text}")
    if len(parts) == 3 and not _is_permission(parts[2]):
        raise ValueError(f"bad mode specified: {parts[2]}")
    inside = parts[1] if len(parts) > 1 and not _is_permission(parts[1]) else parts[0]
    if not inside.startswith("/"):
        raise ValueError(f"{inside} is not an absolute path")
    return text


def _is_permission(text: str) -> bool:
    return bool(text) and set(text) <= set("rwm") and len(set(text)) == len(text)


def check_rule(text: str) -> str:
    if not _RULE.fullmatch(text):
        raise ValueError(f"invalid device cgroup format '{text}'")
    return text


def parse_gpus(text: str) -> dict[str, Any]:
    """``all``, a number, or ``device=0,capabilities=compute`` with quotes around lists."""
    request: dict[str, Any] = {
        "Driver": "",
        "Count": 0,
        "DeviceIDs": None,
        "Capabilities": [],
        "Options": {},
    }
    seen: set[str] = set()
    for field in parse_csv(text):
        key, separator, value = field.partition("=")
        if not separator:
            key, value = "count", field
        if key in seen:
            raise ValueError(f"gpu request key '{key}' can be specified only once")
        seen.add(key)
        _set_gpu_field(request, key, value)
    if "count" not in seen and request["DeviceIDs"] is None:
        request["Count"] = 1
    capabilities = request["Capabilities"]
    request["Capabilities"] = [[*capabilities, *["gpu"] * ("gpu" not in capabilities)]]
    return request


def _set_gpu_field(request: dict[str, Any], key: str, value: str) -> None:
    match key:
        case "driver":
            request["Driver"] = value
        case "count":
            request["Count"] = -1 if value == "all" else parse_integer(value)
        case "device":
            request["DeviceIDs"] = value.split(",")
        case "capabilities":
            request["Capabilities"] = value.split(",")
        case "options":
            pairs = (item.partition("=") for item in parse_csv(value))
            request["Options"] = {name: content for name, _, content in pairs}
        case _:
            raise ValueError(f"unexpected key '{key}' in '{key}={value}'")
