"""Devices: what ``--device`` and ``--privileged`` show, and which the cgroup lets through.

The runtime adds /dev/null and its like to every container by itself.
"""

import os
import stat
from dataclasses import replace

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import DeviceMapping, HostConfig
from boxship.oci.runtime import Device, DeviceRule

_DEV = "/dev"
_NOT_DEVICES = frozenset({"pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"})
_SKIPPED = frozenset({"/dev/console"})
_EVERYTHING = "rwm"
_ALWAYS = (
    # Any node may be made, none but these and those of the request may be used.
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access=_EVERYTHING)
        for major, minor in (
            (1, 3),  # null
            (1, 5),  # zero
            (1, 7),  # full
            (1, 8),  # random
            (1, 9),  # urandom
            (5, 0),  # tty
            (5, 1),  # console
            (5, 2),  # ptmx
            (136, None),  # terminals
        )
    ),
)


def devices(host: HostConfig) -> tuple[Device, ...]:
    """Return the nodes to make. InvalidArgumentError: a device of the request does not exist."""
    found = _below(_DEV) if host.privileged else []
    there = {device.path for device in found}
    for mapping in host.devices or ():
        target = mapping.path_in_container or mapping.path_on_host
        found += [device for device in _mapped(mapping, target) if device.path not in there]
    return tuple(found)


def device_rules(host: HostConfig, nodes: tuple[Device, ...]) -> tuple[DeviceRule, ...]:
    """Return the cgroup's rules: nothing is allowed but what is said."""
    if host.privileged:
        return (DeviceRule(allow=True, access=_EVERYTHING),)
    access = {
        mapping.path_in_container or mapping.path_on_host: mapping.cgroup_permissions
        for mapping in host.devices or ()
    }
    rules = [DeviceRule(allow=False, access=_EVERYTHING), *_ALWAYS]
    for node in nodes:
        wanted = next((a for path, a in access.items() if _is_below(node.path, path)), "")
        rules.append(
            DeviceRule(
                allow=True,
                type=node.type,
                major=node.major,
                minor=node.minor,
                access=wanted or _EVERYTHING,
            )
        )
    rules += [_parsed(rule) for rule in host.device_cgroup_rules or ()]
    return tuple(rules)


def _is_below(path: str, parent: str) -> bool:
    return path == parent or path.startswith(parent.rstrip("/") + "/")


def _parsed(rule: str) -> DeviceRule:
    kind, numbers, access = rule.split(" ")
    major, _, minor = numbers.partition(":")
    return DeviceRule(
        allow=True,
        type=kind,
        major=None if major == "*" else int(major),
        minor=None if minor == "*" else int(minor),
        access=access,
    )


def _mapped(mapping: DeviceMapping, target: str) -> list[Device]:
    source = os.path.realpath(mapping.path_on_host)
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        raise _unusable(mapping, os.strerror(error.errno or 0).lower()) from error
    found = _below(source) if stat.S_ISDIR(mode) else [_device(source)]
    nodes = [node for node in found if node is not None]
    if not nodes:
        raise _unusable(mapping, "not a device node")
    return [_moved(node, target + node.path.removeprefix(source)) for node in nodes]


def _unusable(mapping: DeviceMapping, reason: str) -> InvalidArgumentError:
    return InvalidArgumentError(
        "error gathering device information while adding custom device "
        f'"{mapping.path_on_host}": {reason}'
    )


def _moved(device: Device, path: str) -> Device:
    return replace(device, path=path)


def _below(directory: str) -> list[Device]:
    found = []
    with os.scandir(directory) as entries:
        for entry in sorted(entries, key=lambda e: e.name):
            if entry.is_symlink() or entry.path in _SKIPPED:
                continue
            if entry.is_dir():
                if entry.name not in _NOT_DEVICES:
                    found += _below(entry.path)
            elif (device := _device(entry.path)) is not None:
                found.append(device)
    return found


def _device(path: str) -> Device | None:
    try:
        status = os.stat(path)
    except OSError:
        return None  # gone meanwhile
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    return Device(
        path,
        kind,
        os.major(status.st_rdev),
        os.minor(status.st_rdev),
        stat.S_IMODE(status.st_mode),
        status.st_uid,
        status.st_gid,
    )
