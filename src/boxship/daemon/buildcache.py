"""``"builder"`` of ``daemon.json``, as the engine is told it: the cache, the history, who may what.

The names are dockerd's; newer ones (``reservedSpace``) mean what the older (``keepStorage``) do.
dockerd passes over keys that it doesn't know in here; we name them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boxship.base.errors import InvalidArgumentError
from boxship.base.moments import parse_duration
from boxship.base.units import parse_bytes
from boxship.engine.settings import BuildCacheSettings, CachePolicy

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

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
    """Translate. InvalidArgumentError names what cannot be."""
    builder = _object("builder", config.mapping("builder"))
    gc = _object("builder.gc", builder.get("gc", {}))
    history = _object("builder.history", builder.get("history", {}))
    policies = gc.get("policy") or []
    _size("builder.gc", gc, "defaultMinFreeSpace")
    if not isinstance(policies, list):
        raise InvalidArgumentError("builder.gc.policy: expected a list")
    return BuildCacheSettings(
        collects=_truth("builder.gc", gc, "enabled"),
        keep_bytes=_size("builder.gc", gc, *_DEFAULTS),
        policies=tuple(map(_policy, policies)),
        history_most=_most(history),
        history_age_ns=_age(history),
        denied=_denied(_object("builder.entitlements", builder.get("entitlements", {}))),
    )


def _policy(value: object) -> CachePolicy:
    where = "builder.gc.policy"
    policy = _object(where, value)
    filters = _filters(f"{where}.filter", policy.get("filter") or [])
    if age := policy.get("keepDuration"):
        _duration(f"{where}.keepDuration", age)
        filters = (*filters, f"unused-for={age}")
    return CachePolicy(
        keep_bytes=_size(where, policy, *_KEPT),
        max_used_bytes=_size(where, policy, "maxUsedSpace"),
        min_free_bytes=_size(where, policy, "minFreeSpace"),
        filters=filters,
        all=_truth(where, policy, "all", default=False),
    )


def _filters(where: str, given: object) -> tuple[str, ...]:
    """Read ``["type=source.local"]`` or dockerd's own ``{"type": {"source.local": true}}``."""
    if isinstance(given, dict) and all(isinstance(those, dict) for those in given.values()):
        return tuple(f"{name}={each}" for name, those in given.items() for each in those)
    if isinstance(given, list) and all("=" in str(each) for each in given):
        return tuple(map(str, given))
    raise InvalidArgumentError(f"{where}: expected a list of name=value")


def _denied(given: Mapping[str, Any]) -> frozenset[str]:
    allowed = {name: _truth("builder.entitlements", given, name) for name in given}
    words = {"network-host": "network.host", "security-insecure": "security.insecure"}
    return frozenset(
        words.get(name, name) for name, is_allowed in allowed.items() if not is_allowed
    )


def _most(history: Mapping[str, Any]) -> int:
    most = history.get("maxEntries", BuildCacheSettings.history_most)
    if not isinstance(most, int) or isinstance(most, bool) or most < 0:
        raise InvalidArgumentError(f"builder.history.maxEntries: {most!r} is no number of builds")
    return most


def _age(history: Mapping[str, Any]) -> int:
    """Read ``48h``, or a number of nanoseconds as Go writes durations."""
    return _duration("builder.history.maxAge", history.get("maxAge", 0))


def _duration(where: str, age: object) -> int:
    if isinstance(age, int) and not isinstance(age, bool) and age >= 0:
        return age
    try:
        return parse_duration(str(age))
    except ValueError as error:
        raise InvalidArgumentError(f"{where}: {age!r} is no time like 48h") from error


def _truth(where: str, found: Mapping[str, Any], name: str, *, default: bool = True) -> bool:
    value = found.get(name, default)
    if not isinstance(value, bool):
        raise InvalidArgumentError(f"{where}.{name}: {value!r} is neither true nor false")
    return value


def _object(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{where}: expected an object, got {value!r}")
    for key in value:
        if key not in _KEYS[where]:
            known = ", ".join(_KEYS[where])
            raise InvalidArgumentError(f"{where}: unknown key {key!r} (known are {known})")
    return value


def _size(where: str, found: Mapping[str, Any], *names: str) -> int:
    for name in names:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if value:
            try:
                return parse_bytes(str(value))
            except ValueError as error:
                raise InvalidArgumentError(f"{where}.{name}: {error}") from error
    return 0
