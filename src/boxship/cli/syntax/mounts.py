"""``--mount``, ``--volume`` and ``--tmpfs``."""

import os
from collections.abc import Callable
from typing import Any

from boxship.cli.kinds import parse_bool, parse_csv, parse_size

_FLAGS_WITHOUT_VALUE = ("readonly", "ro", "volume-nocopy", "bind-nonrecursive")
_RECURSIVE = {
    "enabled": {},
    "disabled": {"NonRecursive": True},
    "writable": {"ReadOnlyNonRecursive": True},
    "readonly": {"ReadOnlyForceRecursive": True},
}

Mount = dict[str, Any]


def parse_mount(text: str) -> Mount:
    """``type=bind,src=/a,dst=/b,readonly`` in the API's shape, in the API's order of fields."""
    mount: Mount = {"Type": "volume"}
    for field in parse_csv(text):
        key, separator, value = field.partition("=")
        key = key.lower()
        if not separator and key not in _FLAGS_WITHOUT_VALUE:
            raise ValueError(f"invalid field '{field}' must be a key=value pair")
        setter = _SETTERS.get(key)
        if setter is None:
            raise ValueError(f"unexpected key '{key}' in '{field}'")
        setter(mount, value if separator else "true", key)
    if "VolumeOptions" in mount:
        mount["VolumeOptions"].setdefault("DriverConfig", {})
    if not mount.get("Target"):
        raise ValueError("target is required")
    _check_options(mount)
    return mount


def _check_options(mount: Mount) -> None:
    kind = mount["Type"]
    owners = (
        ("VolumeOptions", "volume", "volume"),
        ("BindOptions", "bind", "bind"),
        ("TmpfsOptions", "tmpfs", "tmpfs"),
        ("ImageOptions", "image", "image"),
    )
    for options, owner, name in owners:
        if options in mount and kind != owner:
            raise ValueError(f"cannot mix '{name}-*' options with mount type '{kind}'")
    bind = mount.get("BindOptions", {})
    if bind.get("ReadOnlyNonRecursive") and not mount.get("ReadOnly"):
        raise ValueError("option 'bind-recursive=writable' requires 'readonly' to be specified")
    if bind.get("ReadOnlyForceRecursive"):
        if not mount.get("ReadOnly"):
            raise ValueError("option 'bind-recursive=readonly' requires 'readonly' to be specified")
        if bind.get("Propagation") != "rprivate":
            raise ValueError(
                "option 'bind-recursive=readonly' requires 'bind-propagation=rprivate' "
                "to be specified"
            )


def _type(mount: Mount, value: str, _key: str) -> None:
    mount["Type"] = value.lower()


def _source(mount: Mount, value: str, _key: str) -> None:
    if value == "." or value.startswith(("./", "../")) or value == "..":
        value = os.path.abspath(value)
    mount["Source"] = value


def _target(mount: Mount, value: str, _key: str) -> None:
    mount["Target"] = value


def _read_only(mount: Mount, value: str, key: str) -> None:
    if _boolean(value, key):
        mount["ReadOnly"] = True


def _consistency(mount: Mount, value: str, _key: str) -> None:
    mount["Consistency"] = value.lower()


def _propagation(mount: Mount, value: str, _key: str) -> None:
    mount.setdefault("BindOptions", {})["Propagation"] = value.lower()


def _nonrecursive(mount: Mount, value: str, key: str) -> None:
    if _boolean(value, key):
        mount.setdefault("BindOptions", {})["NonRecursive"] = True


def _recursive(mount: Mount, value: str, _key: str) -> None:
    if value not in _RECURSIVE:
        allowed = ", ".join(_RECURSIVE)
        raise ValueError(f"invalid value for bind-recursive: {value} (must be one of {allowed})")
    if _RECURSIVE[value]:
        mount.setdefault("BindOptions", {}).update(_RECURSIVE[value])


def _subpath(mount: Mount, value: str, key: str) -> None:
    options = "ImageOptions" if key.startswith("image") else "VolumeOptions"
    mount.setdefault(options, {})["Subpath"] = value


def _no_copy(mount: Mount, value: str, key: str) -> None:
    options = mount.setdefault("VolumeOptions", {})
    if _boolean(value, key):
        options["NoCopy"] = True


def _volume_label(mount: Mount, value: str, _key: str) -> None:
    name, _, content = value.partition("=")
    mount.setdefault("VolumeOptions", {}).setdefault("Labels", {})[name] = content


def _driver(mount: Mount, value: str, _key: str) -> None:
    config = mount.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})
    config["Name"] = value


def _driver_option(mount: Mount, value: str, _key: str) -> None:
    name, _, content = value.partition("=")
    config = mount.setdefault("VolumeOptions", {}).setdefault("DriverConfig", {})
    config.setdefault("Options", {})[name] = content


def _tmpfs_size(mount: Mount, value: str, key: str) -> None:
    try:
        mount.setdefault("TmpfsOptions", {})["SizeBytes"] = parse_size(value)
    except ValueError as error:
        raise ValueError(f"invalid value for {key}: {value}") from error


def _tmpfs_mode(mount: Mount, value: str, key: str) -> None:
    try:
        mount.setdefault("TmpfsOptions", {})["Mode"] = int(value, 8)
    except ValueError as error:
        raise ValueError(f"invalid value for {key}: {value}") from error


def _boolean(value: str, key: str) -> bool:
    try:
        return parse_bool(value)
    except ValueError as error:
        raise ValueError(f"invalid value for {key}: {value}") from error


_SETTERS: dict[str, Callable[[Mount, str, str], None]] = {
    "type": _type,
    "source": _source,
    "src": _source,
    "target": _target,
    "dst": _target,
    "destination": _target,
    "readonly": _read_only,
    "ro": _read_only,
    "consistency": _consistency,
    "bind-propagation": _propagation,
    "bind-nonrecursive": _nonrecursive,
    "bind-recursive": _recursive,
    "volume-subpath": _subpath,
    "volume-nocopy": _no_copy,
    "volume-label": _volume_label,
    "volume-driver": _driver,
    "volume-opt": _driver_option,
    "image-subpath": _subpath,
    "tmpfs-size": _tmpfs_size,
    "tmpfs-mode": _tmpfs_mode,
}


def split_volumes(specs: tuple[str, ...]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """``--volume`` values as binds and as anonymous volumes; a relative source becomes absolute."""
    binds: list[str] = []
    anonymous: dict[str, dict[str, str]] = {}
    for spec in specs:
        source, separator, rest = spec.partition(":")
        if not separator:
            anonymous[spec] = {}
            continue
        if source.startswith("."):
            source = os.path.abspath(source)
        binds.append(f"{source}:{rest}")
    return binds, anonymous


def parse_tmpfs(specs: tuple[str, ...]) -> dict[str, str]:
    """``/path[:options]`` as path to options."""
    parsed = (spec.partition(":") for spec in specs)
    return {path: options for path, _, options in parsed}
