"""JSON for ``inspect``: the daemon's own order, four blanks, and Go's view of the types."""

import json
from typing import Any

from boxship.gotemplate.values import NilMap, NilSlice, Struct

# Objects that are maps in Go; every other one is a struct. Only printing a whole object with
# ``{{.X}}`` shows the difference.
_MAPS = frozenset(
    (
        "Annotations",
        "AuxiliaryAddresses",
        "Config.Labels",
        "Containers",
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

# Nulls that are nil pointers; all others are nil slices and maps, which Go prints empty.
_POINTERS = frozenset(
    (
        "GraphDriver",
        "Health",
        "Healthcheck",
        "IPAMConfig",
        "Init",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "StopTimeout",
    )
)

# Fields that JSON leaves out when they are empty.
_OMITTED: dict[str, dict[str, Any]] = {
    "State": {"Health": None},
    "Config": {"Healthcheck": None, "StopSignal": "", "StopTimeout": None, "Shell": NilSlice()},
}

# Structs of which Go prints fields that JSON leaves out or names otherwise.
_PRINTED = {
    ("IPAM", "Config"): ("Subnet", "IPRange", "Gateway", "AuxAddress"),
}
_EMPTY: dict[tuple[str, str], dict[str, Any]] = {
    ("IPAM", "Config"): {"IPRange": "", "Gateway": "", "AuxAddress": NilMap()},
}


def dump(document: Any) -> str:
    return json.dumps(document, indent=4, ensure_ascii=False)


def dump_compact(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def as_go(value: Any, key: str = "", parent: str = "") -> Any:
    """A JSON document as the typed value that Docker's client reads it into."""
    if isinstance(value, list):
        return [_entry(item, key, parent) for item in value]
    if value is None and key and key not in _POINTERS:
        return NilMap() if key in _MAPS else NilSlice()
    if not isinstance(value, dict):
        return value
    items = {name: as_go(item, name, key) for name, item in value.items()}
    if key in _MAPS or key in _MAPS_WITHIN.get(parent, ()):
        return items
    return Struct(items, _OMITTED.get(key))


def _entry(item: Any, key: str, parent: str) -> Any:
    """One of a list that ``key`` of a struct ``parent`` is."""
    found = as_go(item, "", key)
    order = _PRINTED.get((parent, key))
    if order is None or not isinstance(found, Struct):
        return found
    also = _EMPTY[parent, key] | {"AuxAddress": found.get("AuxiliaryAddresses", NilMap())}
    return Struct(found, also, order)
