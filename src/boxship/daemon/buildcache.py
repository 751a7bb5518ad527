"""``"builder"`` of ``daemon.json``, as the engine is told it: the cache, the history, who may what.

The names are dockerd's; newer ones (``reservedSpace``) mean what the older (``keepStorage``) do.
dockerd passes over keys that it doesn't know in here; we name them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boxship.base.moments import parse_duration
from boxship.base.units import parse_bytes
from boxship.daemon.jsontext import Path, shown
from boxship.daemon.option import SettingError
from boxship.engine.settings import BuildCacheSettings, CachePolicy

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

_BUILDER: Path = ("builder",)
_GC: Path = ("builder", "gc")
_POLICY: Path = ("builder", "gc", "policy")
_ENTITLEMENTS: Path = ("builder", "entitlements")
_HISTORY: Path = ("builder", "history")
_DEFAULTS = ("defaultKeepStorage", "defaultReservedSpace", "defaultMaxUsedSpace")
_KEPT = ("keepStorage", "reservedSpace")
_KEYS = {
    "builder": ("gc", "entitlements", "history"),
    "builder.gc": ("enabled", "policy", "defaultMinFreeSpace", *_DEFAULTS),
    "builder.gc.policy": ("all", "filter", "keepDuration", "maxUsedSpace", "minFreeSpace", *_KEPT),
    "builder.entitlements": ("network-host", "security-insecure", "device"),
    "builder.history": ("maxAge", "maxEntries"),
}


def build_cache_settings(config: "DaemonConfig") -> BuildCacheSettings:
    """Translate. SettingError names what cannot be."""
    builder = _object(_BUILDER, config.mapping("builder"))
    gc = _object(_GC, builder.get("gc", {}))
    history = _object(_HISTORY, builder.get("history", {}))
    policies = gc.get("policy") or []
    _size(_GC, gc, "defaultMinFreeSpace")
    if not isinstance(policies, list):
        raise _wrong(_POLICY, f"expected a list, got {shown(policies)}")
    return BuildCacheSettings(
        collects=_truth(_GC, gc, "enabled"),
        keep_bytes=_size(_GC, gc, *_DEFAULTS),
        policies=tuple(_policy((*_POLICY, n), each) for n, each in enumerate(policies)),
        history_most=_most(history),
        history_age_ns=_age(history),
        denied=_denied(_object(_ENTITLEMENTS, builder.get("entitlements", {}))),
    )


def _policy(where: Path, value: object) -> CachePolicy:
    policy = _object(where, value)
    filters = _filters((*where, "filter"), policy.get("filter") or [])
    if age := policy.get("keepDuration"):
        _duration((*where, "keepDuration"), age)
        filters = (*filters, f"unused-for={age}")
    return CachePolicy(
        keep_bytes=_size(where, policy, *_KEPT),
        max_used_bytes=_size(where, policy, "maxUsedSpace"),
        min_free_bytes=_size(where, policy, "minFreeSpace"),
        filters=filters,
        all=_truth(where, policy, "all", default=False),
    )


def _filters(where: Path, given: object) -> tuple[str, ...]:
    """Read ``["type=source.local"]`` or dockerd's own ``{"type": {"source.local": true}}``."""
    if isinstance(given, dict) and all(isinstance(those, dict) for those in given.values()):
        return tuple(f"{name}={each}" for name, those in given.items() for each in those)
    if isinstance(given, list) and all("=" in str(each) for each in given):
        return tuple(map(str, given))
    raise _wrong(where, f"expected a list of name=value, got {shown(given)}")


def _denied(given: Mapping[str, Any]) -> frozenset[str]:
    allowed = {name: _truth(_ENTITLEMENTS, given, name) for name in given}
    words = {"network-host": "network.host", "security-insecure": "security.insecure"}
    return frozenset(
        words.get(name, name) for name, is_allowed in allowed.items() if not is_allowed
    )


def _most(history: Mapping[str, Any]) -> int:
    most = history.get("maxEntries", BuildCacheSettings.history_most)
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise _wrong((*_HISTORY, "maxEntries"), f"{shown(most)} is no number of builds")
    return most


def _age(history: Mapping[str, Any]) -> int:
    """Read ``48h``, or a number of nanoseconds as Go writes durations."""
    return _duration((*_HISTORY, "maxAge"), history.get("maxAge", 0))


def _duration(where: Path, age: object) -> int:
    if isinstance(age, int) and not isinstance(age, bool) and age >= 0:
        return age
    try:
        return parse_duration(str(age))
    except ValueError as error:
        raise _wrong(where, f"{shown(age)} is no time like 48h") from error


def _truth(where: Path, found: Mapping[str, Any], name: str, *, default: bool = True) -> bool:
    value = found.get(name, default)
    if not isinstance(value, bool):
        raise _wrong((*where, name), f"{shown(value)} is neither true nor false")
    return value


def _object(where: Path, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(where, f"expected an object, got {shown(value)}")
    keys = _KEYS[_named(where)]
    for key in value:
        if key not in keys:
            told = f"{_named(where)}: unknown key {shown(key)} (known are {', '.join(keys)})"
            raise SettingError((*where, key), told)
    return value


def _size(where: Path, found: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value:
            try:
                return parse_bytes(str(value))
            except ValueError as error:
                raise _wrong((*where, name), str(error)) from error
    return 0


def _named(where: Path) -> str:
    """Return the keys on the way, without the places in lists."""
    return ".".join(key for key in where if isinstance(key, str))


def _wrong(where: Path, what: str) -> SettingError:
    return SettingError(where, f"{_named(where)}: {what}")
