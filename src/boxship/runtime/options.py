"""Mount options as text to what the kernel takes: attributes, propagation, file system data."""

from __future__ import annotations

from boxship.base.frozen import dataclass
from boxship.kernel.mounts import (
    MOUNT_ATTR_ATIME,
    MOUNT_ATTR_NOATIME,
    MOUNT_ATTR_NODEV,
    MOUNT_ATTR_NODIRATIME,
    MOUNT_ATTR_NOEXEC,
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_NOSYMFOLLOW,
    MOUNT_ATTR_RDONLY,
    MOUNT_ATTR_STRICTATIME,
)
from boxship.oci.runtime import PROPAGATIONS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SET_AND_CLEAR: dict[str, tuple[int, int]] = {
    "ro": (MOUNT_ATTR_RDONLY, 0),
    "rw": (0, MOUNT_ATTR_RDONLY),
    "nosuid": (MOUNT_ATTR_NOSUID, 0),
    "suid": (0, MOUNT_ATTR_NOSUID),
    "nodev": (MOUNT_ATTR_NODEV, 0),
    "dev": (0, MOUNT_ATTR_NODEV),
    "noexec": (MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, MOUNT_ATTR_NOEXEC),
    "nosymfollow": (MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, MOUNT_ATTR_NOSYMFOLLOW),
    "nodiratime": (MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, MOUNT_ATTR_NODIRATIME),
    "noatime": (MOUNT_ATTR_NOATIME, MOUNT_ATTR_ATIME),
    "strictatime": (MOUNT_ATTR_STRICTATIME, MOUNT_ATTR_ATIME),
    "relatime": (0, MOUNT_ATTR_ATIME),
    "atime": (0, MOUNT_ATTR_ATIME),
    "norelatime": (0, MOUNT_ATTR_ATIME),
    "nostrictatime": (0, MOUNT_ATTR_ATIME),
}
"""Access times are one field of the attributes: setting a value means clearing the field."""

_WITHOUT_EFFECT = frozenset(("defaults", "bind", "rbind", "silent", "loud", "async"))

_OF_ANY_FILE_SYSTEM = (
    "sync", "dirsync", "lazytime", "nolazytime", "mand", "nomand",
)  # fmt: skip
"""What the kernel takes for every file system where it makes a new one."""


@dataclass(frozen=True, slots=True)
class MountOptions:
    """What a list of options comes to; the later of two that contradict each other wins."""

    bind: bool = False
    recursive: bool = False
    set_bits: int = 0
    clear_bits: int = 0
    recursive_set: int = 0
    recursive_clear: int = 0
    propagation: str = ""
    copy_up: bool = False
    map_owners: str = ""
    """``idmap`` or ``ridmap``; the latter for submounts too."""
    data: tuple[str, ...] = ()


def known_options() -> list[str]:
    """Return every option that is not a particular file system's own, sorted."""
    plain = list(_SET_AND_CLEAR)
    return sorted(
        {
            *plain, *(f"r{option}" for option in plain), *PROPAGATIONS, *_WITHOUT_EFFECT,
            *_OF_ANY_FILE_SYSTEM, "idmap", "ridmap", "tmpcopyup",
        }
    )  # fmt: skip


def parse_options(options: Iterable[str]) -> MountOptions:
    """Sort options into their kinds; what is none of ours is the file system's."""
    plain, recursive = [0, 0], [0, 0]
    propagation, map_owners, data, listed = "", "", [], tuple(options)
    for option in listed:
        if option in _SET_AND_CLEAR:
            _merge(plain, _SET_AND_CLEAR[option])
        elif option[:1] == "r" and option[1:] in _SET_AND_CLEAR:
            _merge(recursive, _SET_AND_CLEAR[option[1:]])
        elif option in PROPAGATIONS:
            propagation = option
        elif option in ("idmap", "ridmap"):
            map_owners = option
        elif option not in _WITHOUT_EFFECT and option != "tmpcopyup":
            data.append(option)
    return MountOptions(
        bind="bind" in listed or "rbind" in listed,
        recursive="rbind" in listed,
        set_bits=plain[0],
        clear_bits=plain[1],
        recursive_set=recursive[0],
        recursive_clear=recursive[1],
        propagation=propagation,
        copy_up="tmpcopyup" in listed,
        map_owners=map_owners,
        data=tuple(data),
    )


def _merge(bits: list[int], option: tuple[int, int]) -> None:
    to_set, to_clear = option
    bits[0] = bits[0] & ~to_clear | to_set
    bits[1] = bits[1] & ~to_set | to_clear
