"""``"builder": {"gc": …}`` of ``daemon.json``, as the engine is told it.

The names are dockerd's; newer ones (``reservedSpace``) mean what the older (``keepStorage``) do.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from boxship.base.errors import InvalidArgumentError
from boxship.base.units import parse_bytes
from boxship.engine.settings import BuildCacheSettings, CachePolicy

if TYPE_CHECKING:
    from boxship.daemon.config import DaemonConfig

_DEFAULTS = ("defaultKeepStorage", "defaultReservedSpace", "defaultMaxUsedSpace")
_KEPT = ("keepStorage", "reservedSpace")


def build_cache_settings(config: "DaemonConfig") -> BuildCacheSettings:
    """Translate. InvalidArgumentError names what cannot be."""
    gc = _object("builder.gc", config.mapping("builder").get("gc", {}))
    collects = gc.get("enabled", True)
    if not isinstance(collects, bool):
        raise InvalidArgumentError(f"builder.gc.enabled: {collects!r} is neither true nor false")
    policies = gc.get("policy") or []
    if not isinstance(policies, list):
        raise InvalidArgumentError("builder.gc.policy: expected a list")
    return BuildCacheSettings(
        collects, _size("builder.gc", gc, *_DEFAULTS), tuple(map(_policy, policies))
    )


def _policy(value: object) -> CachePolicy:
    where = "builder.gc.policy"
    policy = _object(where, value)
    filters = policy.get("filter") or []
    if isinstance(filters, dict):  # dockerd's own form: {"unused-for": {"2200h": true}}
        filters = [f"{name}={each}" for name, those in filters.items() for each in those]
    if not isinstance(filters, list) or not all("=" in str(each) for each in filters):
        raise InvalidArgumentError(f"{where}.filter: expected a list of name=value")
    return CachePolicy(
        keep_bytes=_size(where, policy, *_KEPT),
        max_used_bytes=_size(where, policy, "maxUsedSpace"),
        min_free_bytes=_size(where, policy, "minFreeSpace"),
        filters=tuple(map(str, filters)),
        all=policy.get("all") is True,
    )


def _object(where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise InvalidArgumentError(f"{where}: expected an object, got {value!r}")
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
