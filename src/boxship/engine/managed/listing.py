"""Choosing plugins by filters; pure."""

from collections.abc import Callable, Mapping

from boxship.base.errors import InvalidArgumentError
from boxship.engine.managed.record import PluginRecord

_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def chooser(filters: Mapping[str, tuple[str, ...]]) -> Callable[[PluginRecord], bool]:
    """Return what tells whether a plugin is wanted. InvalidArgumentError: an unknown filter."""
    for name in filters:
        if name not in ("enabled", "capability"):
            raise InvalidArgumentError(f"invalid filter '{name}'")
    enabled = filters.get("enabled", ())
    if any(value not in _TRUTH for value in enabled):
        raise InvalidArgumentError(f"invalid filter 'enabled=[{' '.join(enabled)}]'")
    states = {_TRUTH[value] for value in enabled}
    capabilities = filters.get("capability", ())

    def wanted(record: PluginRecord) -> bool:
        if states and record.enabled not in states:
            return False
        return not capabilities or any(_has(record, each) for each in capabilities)

    return wanted


def _has(record: PluginRecord, capability: str) -> bool:
    """Compare with the type's name: ``volumedriver`` of ``docker.volumedriver/1.0``."""
    names = (text.partition("/")[0].removeprefix("docker.") for text in record.types)
    return capability.lower().partition("/")[0].removeprefix("docker.") in names
