"""Which system calls a container may make: Docker's default, a profile of its own, or all.

A profile of one's own is in Docker's format, which is the runtime spec's with conditions: a rule
may hold only for some architectures, capabilities or kernels, and ``archMap`` replaces the list of
architectures.
"""

import json
from functools import lru_cache
from typing import Any

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.checks.rights import security_options
from boxship.model.container import HostConfig
from boxship.oci.runtime import Seccomp
from boxship.runtime.host import Host
from boxship.runtime.seccomp.profile import default_profile

_MACHINES = {"x86_64": ("amd64", "SCMP_ARCH_X86_64"), "aarch64": ("arm64", "SCMP_ARCH_AARCH64")}
_CONDITIONS = ("includes", "excludes", "comment", "name")


def profile_of(
    host: HostConfig, daemon_profile: str, capabilities: tuple[str, ...], machine: Host
) -> Seccomp | None:
    """Return the rules, or None for no filter at all. InvalidArgumentError: a bad profile."""
    asked = security_options(host).get("seccomp", "")
    if host.privileged and not asked:
        return None
    chosen = asked or daemon_profile
    if chosen == "unconfined":
        return None
    if chosen in ("", "builtin"):
        return default_profile(capabilities, machine.machine, machine.kernel)
    text = asked or _read(daemon_profile)
    return _parsed(text, capabilities, machine.machine, machine.kernel)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidArgumentError(f"opening seccomp profile ({path}) failed: {error}") from error


@lru_cache(maxsize=32)
def _parsed(
    text: str, capabilities: tuple[str, ...], machine: str, kernel: tuple[int, int]
) -> Seccomp:
    try:
        document = json.loads(text)
        rules = [
            {key: value for key, value in _named(rule).items() if key not in _CONDITIONS}
            for rule in document.get("syscalls") or ()
            if _holds(rule, capabilities, machine, kernel)
        ]
        return Seccomp.from_json({**_with_architectures(document, machine), "syscalls": rules})
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidArgumentError(f"Decoding seccomp profile failed: {error}") from error


def _named(rule: dict[str, Any]) -> dict[str, Any]:
    """Accept the old form, in which a rule has one ``name``."""
    if rule.get("name") and rule.get("names"):
        raise ValueError("'name' and 'names' were both specified in a rule, use either")
    return {**rule, "names": rule["names"] if rule.get("names") else [rule["name"]]}


def _holds(
    rule: dict[str, Any], capabilities: tuple[str, ...], machine: str, kernel: tuple[int, int]
) -> bool:
    architecture = _MACHINES.get(machine, (machine, ""))[0]
    includes, excludes = rule.get("includes") or {}, rule.get("excludes") or {}
    held = set(capabilities)
    return (
        (not includes.get("arches") or architecture in includes["arches"])
        and set(includes.get("caps") or ()) <= held
        and kernel >= _version(includes.get("minKernel"))
        and architecture not in (excludes.get("arches") or ())
        and held.isdisjoint(excludes.get("caps") or ())
        and not (excludes.get("minKernel") and kernel >= _version(excludes["minKernel"]))
    )


def _version(text: str | None) -> tuple[int, int]:
    major, _, minor = (text or "0.0").partition(".")
    return int(major), int(minor.partition(".")[0] or 0)


def _with_architectures(document: dict[str, Any], machine: str) -> dict[str, Any]:
    mapped = document.pop("archMap", None)
    if not mapped:
        return document
    if document.get("architectures"):
        raise ValueError("'architectures' and 'archMap' were both specified, use either")
    return {**document, "architectures": _architectures(mapped, machine)}


def _architectures(entries: list[dict[str, Any]], machine: str) -> list[str]:
    own = _MACHINES.get(machine, ("", ""))[1]
    for entry in entries:
        if entry["architecture"] == own:
            return [own, *(entry.get("subArchitectures") or ())]
    return []
