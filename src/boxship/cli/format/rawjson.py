"""JSON for ``inspect``: the daemon's own order, four blanks, and Go's view of the types."""

import json
from typing import Any

from boxship.cli.gotemplate.values import Struct

# Objects that are maps in Go; every other one is a struct. Only printing a whole object with
# ``{{.X}}`` shows the difference.
_MAPS = frozenset(
    (
        "Annotations",
        "Config.Labels",
        "Data",
        "DriverOpts",
        "ExposedPorts",
        "Labels",
        "Networks",
        "Options",
        "PortBindings",
        "Ports",
        "StorageOpt",
        "Sysctls",
        "Tmpfs",
        "Volumes",
    )
)
_MAPS_WITHIN = {"LogConfig": frozenset(("Config",))}

# Slices and maps that the daemon writes as null; Go prints them empty.
_NULL_MAPS = _MAPS
_POINTERS = frozenset(
    (
        "GraphDriver",
        "Healthcheck",
        "Health",
        "IPAMConfig",
        "Init",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "StopTimeout",
    )
)

# Fields that are left out when they are nil, and still exist for a template.
_OMITTED: dict[str, tuple[str, ...]] = {
    "State": ("Health",),
    "Config": ("Healthcheck", "StopSignal", "StopTimeout", "ArgsEscaped", "NetworkDisabled"),
}


def dump(document: Any) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False)


def as_go(value: Any, key: str = "", parent: str = "") -> Any:
    """A JSON document as the typed value that Docker's client reads it into."""
    if isinstance(value, list):
        return [as_go(item, "", key) for item in value]
    if value is None and key and key not in _POINTERS:
        return {} if key in _NULL_MAPS else []
    if not isinstance(value, dict):
        return value
    items = {name: as_go(item, name, key) for name, item in value.items()}
    if key in _MAPS or key in _MAPS_WITHIN.get(parent, ()):
        return items
    for name in _OMITTED.get(key, ()):
        items.setdefault(name, "" if name == "StopSignal" else None)
    return Struct(items)
