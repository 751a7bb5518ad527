"""``default-ulimits`` of the configuration: ``nofile=1024:4096``, or objects in ``daemon.json``."""

from collections.abc import Mapping
from typing import Any

from boxship.daemon.jsontext import shown
from boxship.daemon.option import SettingError
from boxship.engine.containers.checks.options import ULIMITS
from boxship.model.container import Ulimit

_KEY = "default-ulimits"
_UNLIMITED = -1


def read_ulimits(configured: Mapping[str, Any]) -> tuple[Ulimit, ...]:
    """Read what was given. SettingError names what makes no limit."""
    return tuple(_checked(_ulimit(name, value)) for name, value in configured.items())


def _ulimit(name: str, value: object) -> Ulimit:
    if isinstance(value, dict):
        return _from_object(name, value)
    soft, _, hard = str(value).partition(":")
    try:
        return Ulimit(name, hard=int(hard or soft), soft=int(soft))
    except ValueError as error:
        told = f"invalid default-ulimit {name}={value} (a limit is soft[:hard])"
        raise SettingError((_KEY, name), told) from error


def _from_object(name: str, value: Mapping[str, object]) -> Ulimit:
    """Read ``{"Name": "nofile", "Soft": 1024, "Hard": 4096}``; Go's JSON knows no case of keys."""
    limits = {}
    for key, inner in value.items():
        path, word = (_KEY, name, key), key.lower()
        if word not in ("name", "soft", "hard"):
            known = "known are Name, Soft, Hard"
            raise SettingError(path, f"{_KEY}.{name}: unknown key {shown(key)} ({known})")
        if word == "name":
            if inner != name:
                told = f"{_KEY}.{name}.{key}: {shown(inner)} is not {shown(name)}, as it is called"
                raise SettingError(path, told)
        elif not isinstance(inner, int) or isinstance(inner, bool):
            told = f"{_KEY}.{name}.{key}: expected a number, got {shown(inner)}"
            raise SettingError(path, told)
        else:
            limits[word] = inner
    if len(limits) < 2:
        told = f"{_KEY}.{name}: Soft and Hard are needed, got {shown(value)}"
        raise SettingError((_KEY, name), told)
    return Ulimit(name, hard=limits["hard"], soft=limits["soft"])


def _checked(limit: Ulimit) -> Ulimit:
    if limit.name not in ULIMITS:
        told = f"{_KEY}: invalid ulimit type: {limit.name} (one of {', '.join(sorted(ULIMITS))})"
        raise SettingError((_KEY, limit.name), told)
    if limit.hard != _UNLIMITED and (limit.soft == _UNLIMITED or limit.soft > limit.hard):
        told = (
            f"invalid default-ulimit {limit.name}: ulimit soft limit must be less than or equal to "
            f"hard limit: {limit.soft} > {limit.hard}"
        )
        raise SettingError((_KEY, limit.name), told)
    return limit
