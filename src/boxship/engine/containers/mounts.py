"""From what a person wrote (``-v``, ``--mount``, ``--tmpfs``) to resolved mount points.

A bind is ``[source:]target[:mode]``; the mode is a comma list with at most one word of each kind::

    ro rw                                               access
    private rprivate slave rslave shared rshared        propagation
    z Z                                                 SELinux label: accepted, without effect
    consistent cached delegated default                 accepted, without effect

    nocopy                                              the volume stays empty

A source that is no absolute path is a volume's name; without a source it is an anonymous volume.
What volumes become at create is in ``volumes.py``.
"""

import os
import posixpath
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.propagation import near
from boxship.engine.containers.record import MountPoint
from boxship.engine.volumes.record import LOCAL
from boxship.engine.volumes.wishes import check_name
from boxship.model.container import BindOptions, HostConfig, ImageOptions, Mount, VolumeOptions

_KINDS = (
    frozenset({"ro", "rw"}),
    frozenset({"private", "rprivate", "slave", "rslave", "shared", "rshared"}),
    frozenset({"z", "Z"}),
    frozenset({"consistent", "cached", "delegated", "default"}),
    frozenset({"nocopy"}),
)
_PROPAGATION = _KINDS[1]

_TMPFS_WORDS = """
async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev
nodiratime noexec noiversion nolazytime nomand norelatime nostrictatime nosuid private rbind
relatime remount ro rprivate rshared rslave runbindable rw shared silent slave strictatime suid
sync unbindable
"""
_TMPFS_FLAGS = frozenset(_TMPFS_WORDS.split())
_TMPFS_VALUES = frozenset({"gid", "mode", "mpol", "nr_blocks", "nr_inodes", "size", "uid"})
_VOLUME_MODE = "z"
"""What Docker shows as the mode of a volume, if none was asked for."""
_SHALLOW = "ro-non-recursive"


def looks_at_host(host: HostConfig) -> bool:
    """Tell whether :func:`resolve` looks for a source: it may lie where nobody answers."""
    own = host.mounts if host.mounts is not UNSET else None
    return any(mount.type == "bind" for mount in own or ())


def resolve(host: HostConfig, data_root: str = "") -> tuple[MountPoint, ...]:
    """Return the mount points of binds and mounts, checked, in the order they were given.

    InvalidArgumentError says what is wrong with which of them.
    """
    mounts = host.mounts if host.mounts is not UNSET else None
    points = [parse_bind(text) for text in host.binds or ()]
    points += [_from_mount(mount) for mount in mounts or ()]
    _check_unique(points, _tmpfs(host))
    return tuple(_with_propagation(point, data_root) for point in points)


def shallow_read_only(points: tuple[MountPoint, ...]) -> tuple[MountPoint, ...]:
    """Leave what is mounted below read-only binds as it is, as all did before API 1.44."""
    return tuple(
        msgspec.structs.replace(point, options=(*point.options, _SHALLOW))
        if point.type == "bind" and not point.read_write and _SHALLOW not in point.options
        else point
        for point in points
    )


def _with_propagation(point: MountPoint, data_root: str) -> MountPoint:
    """Settle the propagation of a bind that may not say any.

    Where the daemon's own mounts are, a copy that never learns of an unmount would keep them.
    """
    if point.type != "bind":
        return point
    is_near = near(point.source, data_root)
    if is_near and point.propagation not in ("", "rslave", "rshared"):
        raise InvalidArgumentError(
            'invalid mount config: must use either propagation mode "rslave" or "rshared" when '
            f'mount source is within the daemon root, daemon root: "{data_root}", '
            f'bind mount source: "{point.source}", propagation: "{point.propagation}"'
        )
    default = "rslave" if is_near else "rprivate"
    return msgspec.structs.replace(point, propagation=point.propagation or default)


def _tmpfs(host: HostConfig) -> dict[str, str]:
    return (host.tmpfs or {}) if host.tmpfs is not UNSET else {}


def _check_unique(points: Iterable[MountPoint], tmpfs: dict[str, str]) -> None:
    seen: set[str] = set()
    for target in (*(p.destination for p in points), *map(posixpath.normpath, tmpfs)):
        if target in seen:
            raise InvalidArgumentError(f"Duplicate mount point: {target}")
        seen.add(target)


def parse_bind(text: str) -> MountPoint:
    """Read ``source:target[:mode]``."""
    parts = text.split(":")
    if not 1 <= len(parts) <= 3 or not all(parts):
        raise InvalidArgumentError(f"invalid volume specification: '{text}'")
    if len(parts) == 1 or (len(parts) == 2 and _is_mode(parts[1]) and parts[0][:1] == "/"):
        parts.insert(0, "")
    source, target, mode = (*parts, "")[:3]
    words = [word for word in mode.split(",") if word]
    if mode and not _is_mode(mode):
        raise InvalidArgumentError(f"invalid mode: {mode}")
    kind, other = ("bind", "Volume") if source.startswith("/") else ("volume", "Bind")
    where = f"invalid volume specification: '{text}': invalid mount config for type \"{kind}\": "
    if _PROPAGATION & set(words) if kind == "volume" else "nocopy" in words:
        raise InvalidArgumentError(f"{where}field {other}Options must not be specified")
    target = checked_target(target, where)
    if kind == "volume":
        return _volume(source, target, mode=mode, words=words)
    propagation = next((word for word in words if word in _PROPAGATION), "")
    return MountPoint(
        type="bind",
        source=posixpath.normpath(source),
        destination=target,
        mode=mode,
        read_write="ro" not in words,
        propagation=propagation,
        options=("rbind", "create"),
    )


def _is_mode(text: str) -> bool:
    words = text.split(",")
    counts = [sum(word in kind for word in words) for kind in _KINDS]
    return sum(counts) == len(words) and max(counts) <= 1


def _volume(name: str, target: str, *, mode: str, words: Sequence[str]) -> MountPoint:
    if name:
        check_name(name)
    return MountPoint(
        type="volume",
        destination=target,
        mode=mode or _VOLUME_MODE,
        read_write="ro" not in words,
        name=name,
        driver=LOCAL,
        anonymous=not name,
        copy="nocopy" not in words,
    )


def checked_target(target: str, where: str) -> str:
    """Return a place in a container, normalized. InvalidArgumentError begins with ``where``."""
    if not target.startswith("/"):
        raise InvalidArgumentError(
            f"{where}invalid mount path: '{target}' mount path must be absolute"
        )
    if "\0" in target:
        raise InvalidArgumentError(f"{where}invalid mount path: {target!r} has a NUL in it")
    target = "/" + posixpath.normpath(target).lstrip("/")
    if target == "/":
        raise InvalidArgumentError(f"{where}invalid specification: destination can't be '/'")
    return target


def _from_mount(mount: Mount) -> MountPoint:
    where = f'invalid mount config for type "{mount.type}": '
    if mount.type not in _MAKERS:
        raise InvalidArgumentError(f"{where}mount type unknown")
    if not mount.target:
        raise InvalidArgumentError(f"{where}field Target must not be empty")
    _check_options(mount)
    target = checked_target(mount.target, where)
    return _MAKERS[mount.type](mount, target, where)


def _from_volume_mount(mount: Mount, target: str, where: str) -> MountPoint:
    options = mount.volume_options or VolumeOptions()
    subpath = _subpath(options.subpath, where, "volume")
    if subpath and not mount.source:
        raise InvalidArgumentError(f"{where}must not set Subpath when using anonymous volumes")
    if not mount.source and mount.read_only:
        raise InvalidArgumentError(
            f"{where}must not set ReadOnly mode when using anonymous volumes"
        )
    words = ("nocopy",) * options.no_copy + ("ro",) * mount.read_only
    point = _volume(mount.source, target, mode="", words=words)
    if not subpath:
        return point
    # What the image has there is for a whole volume.
    return msgspec.structs.replace(point, subpath=subpath, copy=False)


def _from_image_mount(mount: Mount, target: str, where: str) -> MountPoint:
    """It can never be written to, whatever is asked for, as in Docker."""
    if not mount.source:
        raise InvalidArgumentError(f"{where}field Source must not be empty")
    options = mount.image_options or ImageOptions()
    return MountPoint(
        type="image",
        source=mount.source,
        destination=target,
        read_write=False,
        subpath=_subpath(options.subpath, where, "image"),
    )


def _subpath(text: str, where: str, whole: str) -> str:
    """Return a path inside something, normalized; empty: all of it."""
    path = posixpath.normpath(text) if text else "."
    if path == ".." or path.startswith(("/", "../")) or "\0" in path:
        raise InvalidArgumentError(
            f"{where}subpath must be a relative path within the {whole}: {text!r}"
        )
    return "" if path == "." else path


def _check_options(mount: Mount) -> None:
    for field, given, kinds in (
        ("BindOptions", mount.bind_options, ("bind",)),
        ("VolumeOptions", mount.volume_options, ("volume",)),
        ("ImageOptions", mount.image_options, ("image",)),
        # Docker lets these stand beside a bind, and swarm's clients send them.
        ("TmpfsOptions", mount.tmpfs_options, ("tmpfs", "bind")),
    ):
        if given is not None and mount.type not in kinds:
            raise InvalidArgumentError(
                f'{field} must not be specified on mount type "{mount.type}"'
            )


def _bind(mount: Mount, target: str, where: str) -> MountPoint:
    if not mount.source:
        raise InvalidArgumentError(f"{where}field Source must not be empty")
    if not mount.source.startswith("/"):
        raise InvalidArgumentError(
            f"{where}invalid mount path: '{mount.source}' mount path must be absolute"
        )
    bind = mount.bind_options
    create = bind is not None and bind.create_mountpoint
    if not create and not os.path.lexists(mount.source):
        raise InvalidArgumentError(f"{where}bind source path does not exist: {mount.source}")
    propagation = bind.propagation if bind else ""
    if propagation and propagation not in _PROPAGATION:
        raise InvalidArgumentError(f"{where}invalid propagation mode: {propagation}")
    if bind is not None:
        _check_recursive_read_only(mount, bind, where)
    options = ["bind" if bind and bind.non_recursive else "rbind"]
    if create:
        options.append("create")
    if bind and bind.read_only_non_recursive:
        options.append(_SHALLOW)
    return MountPoint(
        type="bind",
        source=posixpath.normpath(mount.source),
        destination=target,
        read_write=not mount.read_only,
        propagation=propagation,
        options=tuple(options),
    )


def _check_recursive_read_only(mount: Mount, bind: BindOptions, where: str) -> None:
    how = {
        "ReadOnlyNonRecursive": bind.read_only_non_recursive,
        "ReadOnlyForceRecursive": bind.read_only_force_recursive,
    }
    chosen = [name for name, given in how.items() if given]
    if len(chosen) > 1:
        raise InvalidArgumentError(f"{where}{' and '.join(chosen)} exclude each other")
    if chosen and not mount.read_only:
        raise InvalidArgumentError(f"{where}{chosen[0]} needs ReadOnly")
    if bind.read_only_force_recursive and bind.non_recursive:
        raise InvalidArgumentError(f"{where}ReadOnlyForceRecursive excludes NonRecursive")
    if bind.read_only_force_recursive and bind.propagation not in ("", "rprivate"):
        raise InvalidArgumentError(f"{where}ReadOnlyForceRecursive needs propagation rprivate")


def _new_tmpfs(mount: Mount, target: str, where: str) -> MountPoint:
    if mount.source:
        raise InvalidArgumentError(f"{where}field Source must not be specified")
    options: list[str] = []
    wanted = mount.tmpfs_options
    if wanted is not None:
        if wanted.size_bytes:
            options.append(f"size={wanted.size_bytes}")
        if wanted.mode:
            options.append(f"mode={wanted.mode:o}")
        options += ["=".join(pair) for pair in wanted.options or ()]
    _check_tmpfs_options(target, options)
    return MountPoint(
        type="tmpfs",
        destination=target,
        read_write=not mount.read_only,
        options=tuple(options),
    )


_MAKERS: dict[str, Callable[[Mount, str, str], MountPoint]] = {
    "bind": _bind,
    "image": _from_image_mount,
    "tmpfs": _new_tmpfs,
    "volume": _from_volume_mount,
}


def tmpfs_options(host: HostConfig) -> dict[str, tuple[str, ...]]:
    """Return ``--tmpfs`` by absolute target, checked, with Docker's defaults in front."""
    found = {}
    for path, text in _tmpfs(host).items():
        options = [word for word in text.split(",") if word]
        _check_tmpfs_options(path, options)
        found[checked_target(path, "")] = ("noexec", "nosuid", "nodev", *options)
    return found


def _check_tmpfs_options(path: str, options: Iterable[str]) -> None:
    for option in options:
        key, equals, _ = option.partition("=")
        if key not in (_TMPFS_VALUES if equals else _TMPFS_FLAGS):
            raise InvalidArgumentError(f'invalid tmpfs option "{option}" for {path}')
