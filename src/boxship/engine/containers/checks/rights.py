"""Capabilities and security options: what they may say.

Security options are ``key=value`` (or the old ``key:value``)::

    no-new-privileges[=true|false]   seccomp=unconfined|builtin|<profile as JSON>
    apparmor=… label=…               accepted; neither has an effect on a machine without them
    systempaths=unconfined           is resolved by the client, to empty masked and read-only paths
    writable-cgroups=true|false
"""

import json

from boxship.base.errors import InvalidArgumentError, NotImplementedYetError
from boxship.model.container import HostConfig
from boxship.runtime.capabilities import adjust

_BOOLEANS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}


def check(host: HostConfig) -> None:
    """Raise InvalidArgumentError."""
    adjust((), host.cap_add or (), host.cap_drop or ())
    security_options(host)


def security_options(host: HostConfig) -> dict[str, str]:
    """Return the options by key, checked; the last of several wins, as in Docker."""
    found = {}
    for option in host.security_opt or ():
        key, value = _split(option)
        if key in ("no-new-privileges", "writable-cgroups"):
            if value.lower() not in _BOOLEANS:
                raise InvalidArgumentError(f'invalid --security-opt 2: "{option}"')
        elif key == "seccomp":
            _check_seccomp(value)
        elif key not in ("apparmor", "label", "systempaths"):
            raise InvalidArgumentError(f'invalid --security-opt 2: "{option}"')
        if key == "writable-cgroups" and _BOOLEANS[value.lower()]:
            raise NotImplementedYetError("writable-cgroups is not available in this version")
        found[key] = value
    return found


def no_new_privileges(host: HostConfig, default: bool) -> bool:
    """Tell whether the process may never gain rights."""
    text = security_options(host).get("no-new-privileges")
    return default if text is None else _BOOLEANS[text.lower()]


def _split(option: str) -> tuple[str, str]:
    if option == "no-new-privileges":
        return option, "true"
    for separator in ("=", ":"):
        key, found, value = option.partition(separator)
        if found:
            return key, value
    raise InvalidArgumentError(f'invalid --security-opt 1: "{option}"')


def _check_seccomp(value: str) -> None:
    if value in ("unconfined", "builtin"):
        return
    try:
        profile = json.loads(value)
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise InvalidArgumentError(
            "Decoding seccomp profile failed: a JSON object with a defaultAction is expected"
        )
