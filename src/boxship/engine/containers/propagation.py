"""Whether mounts can be shared with the host: that takes a source which shares them. Pure.

Without this check the kernel would take the request and share nothing.
"""

from msgspec import structs

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.record import MountPoint

_SHARED = frozenset({"shared", "rshared"})
_SLAVE = frozenset({"slave", "rslave"})
_ESCAPES = (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\"))


def asks(points: tuple[MountPoint, ...]) -> bool:
    """Tell whether any of them needs to be settled."""
    return any(point.propagation in _SHARED | _SLAVE for point in points)


def settle(
    points: tuple[MountPoint, ...], mountinfo: str, data_root: str
) -> tuple[MountPoint, ...]:
    """Return the points as they can be made; ``mountinfo`` is the text of the kernel's file.

    InvalidArgumentError: the source's mount is private. Around the data root, where ``rslave`` is
    the default, such a mount gives up on it instead.
    """
    mounts = _mounts(mountinfo)
    return tuple(_settled(point, mounts, data_root) for point in points)


def near(source: str, data_root: str) -> bool:
    """Tell whether a bind of ``source`` takes along what the daemon has mounted."""
    holds = f"{data_root}/".startswith(f"{source.rstrip('/')}/")
    return bool(data_root) and (holds or source.startswith(f"{data_root}/"))


def _settled(point: MountPoint, mounts: dict[str, str], data_root: str) -> MountPoint:
    if point.type != "bind" or point.propagation not in _SHARED | _SLAVE:
        return point
    mount = point.source
    while mount not in mounts and mount != "/":
        mount = mount.rpartition("/")[0] or "/"
    fields = mounts.get(mount, "")
    if "shared:" in fields or ("master:" in fields and point.propagation in _SLAVE):
        return point
    if point.propagation in _SLAVE and near(point.source, data_root):
        return structs.replace(point, propagation="rprivate")
    kind = "shared" if point.propagation in _SHARED else "shared or slave"
    raise InvalidArgumentError(
        f"path {point.source} is mounted on {mount} but it is not a {kind} mount"
    )


def _mounts(mountinfo: str) -> dict[str, str]:
    """Return the optional fields of each mount, the topmost where several are stacked."""
    found = {}
    for line in mountinfo.splitlines():
        words = line.partition(" - ")[0].split(" ")
        path = words[4]
        for escape, character in _ESCAPES:
            path = path.replace(escape, character)
        found[path] = " ".join(words[6:])
    return found
