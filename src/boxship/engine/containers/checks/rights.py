"""Capabilities and security options: what they may say.

Security options are ``key=value`` (or the old ``key:value``)::

    no-new-privileges[=true|false]   seccomp=unconfined|builtin|<profile as JSON>
    apparmor=… label=…               no effect on a machine without these modules, as in Docker
    writable-cgroups=true|false      /sys/fs/cgroup may be written to; on cgroup v2 only

``systempaths=unconfined`` never comes here: clients turn it into empty masked and read-only paths.
"""

import json

from boxship.base.errors import InvalidArgumentError
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
        elif key not in ("apparmor", "label"):
            raise InvalidArgumentError(f'invalid --security-opt 2: "{option}"')
        found[key] = value
    return found


def no_new_privileges(host: HostConfig, default: bool) -> bool:
    """Tell whether the process may never gain rights."""
    text = security_options(host).get("no-new-privileges")
    return default if text is None else _BOOLEANS[text.lower()]


def writable_cgroups(host: HostConfig) -> bool:
    """Tell whether the container may write to its own cgroups; privileged ones may unless told."""
    text = security_options(host).get("writable-cgroups")
    return host.privileged if text is None else _BOOLEANS[text.lower()]


def apparmor_profile(host: HostConfig, modules: tuple[str, ...]) -> str:
    """Return the profile to start processes under; none without AppArmor, or if it says so.

    No profile is ours to load, so there is no default as Docker's ``docker-default``.
    """
    profile = security_options(host).get("apparmor", "")
    confined = "apparmor" in modules and profile not in ("", "unconfined")
    return profile if confined else ""


def check_writable_cgroups(host: HostConfig, *, unified: bool) -> None:
    """Raise InvalidArgumentError where that would be a way out.

    In a cgroup of version 1, whoever writes to ``devices.allow`` opens the host's disks.
    """
    if writable_cgroups(host) and not host.privileged and not unified:
        raise InvalidArgumentError(
            "writable-cgroups: only with cgroup v2; this machine has v1, where writing to "
            "cgroups is a way out of the container"
        )


def _split(option: str) -> tuple[str, str]:
    if option == "no-new-privileges":
        return option, "true"
    for separator in ("=", ":"):
        key, found, value = option.partition(separator)
        if found:
            return key, value
    raise InvalidArgumentError(f'invalid --security-opt 1: "{option}"')


def _check_seccomp(value: str) -> None:
    if value in ("", "unconfined", "builtin"):
        return
    try:
        profile = json.loads(value)
    except (ValueError, RecursionError):
        profile = None
    if not isinstance(profile, dict) or "defaultAction" not in profile:
        raise InvalidArgumentError(
            "Decoding seccomp profile failed: a JSON object with a defaultAction is expected"
        )
