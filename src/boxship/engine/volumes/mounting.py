"""What the local driver's options say is mounted on a volume's directory: once, for all its users.

``type``, ``device`` and ``o`` are those of mount(8): a bind of a directory (``o=bind``), or a file
system of that type. A host's name in ``addr=`` is looked up, because the kernel's NFS client takes
addresses only.
"""

import os
import socket
from collections.abc import Mapping
from errno import EIO
from typing import TYPE_CHECKING

from boxship.base.errors import InternalError
from boxship.base.files import opened
from boxship.kernel import mounts as k
from boxship.runtime.options import MountOptions, parse_options

if TYPE_CHECKING:
    from boxship.engine.plugins.provider import HostPath

_MS_BIND, _MS_REC = 0x1000, 0x4000
_AS_FLAGS = 0xF
"""The attributes that mount(2) has as flags of the same value: ro, nosuid, nodev, noexec."""
_WHOLE = k.OPEN_TREE_CLONE | k.AT_RECURSIVE | k.AT_EMPTY_PATH
_PLACE = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def mount(options: Mapping[str, str], place: str) -> None:
    """Mount it; blocking, and where a server does not answer, for long. InternalError says why."""
    device, kind = options.get("device", ""), options.get("type", "")
    words = options.get("o", "")
    asked = parse_options(_with_addresses(word) for word in words.split(",") if word)
    try:
        if asked.bind:
            tree = k.open_tree(
                k.AT_FDCWD, device, k.OPEN_TREE_CLONE | (k.AT_RECURSIVE if asked.recursive else 0)
            )
        else:
            tree = k.new_filesystem(kind, device, asked.data)
        try:
            if asked.set_bits or asked.clear_bits:
                k.mount_setattr(tree, asked.set_bits, asked.clear_bits)
            with opened(place, _PLACE) as target:
                k.move_mount(tree, target)
        finally:
            os.close(tree)
    except OSError as error:
        raise InternalError(
            f"error while mounting volume '{place}': failed to mount local volume: mount "
            f"{device}:{place}{_told(asked)}: {os.strerror(error.errno or EIO).lower()}"
        ) from error


def bind(source: "HostPath", place: str) -> None:
    """Mount the directory ``source``, and what is mounted below it, on ``place``. InternalError."""
    try:
        directory = source.open_directory()
        try:
            tree = k.open_tree(directory, "", _WHOLE)
        finally:
            os.close(directory)
        try:
            with opened(place, _PLACE) as target:
                k.move_mount(tree, target)
        finally:
            os.close(tree)
    except OSError as error:
        raise InternalError(
            f"error while mounting volume '{place}': bind of {source}: {error}"
        ) from error


def _told(asked: MountOptions) -> str:
    """Flags as mount(2) takes them, and the file system's own options."""
    bind = (_MS_BIND if asked.bind else 0) | (_MS_REC if asked.bind and asked.recursive else 0)
    flags = bind | (asked.set_bits & _AS_FLAGS)
    data = ",".join(asked.data)
    return (f", flags: 0x{flags:x}" if flags else "") + (f", data: {data}" if data else "")


def _with_addresses(option: str) -> str:
    key, equals, value = option.partition("=")
    if key != "addr" or not equals:
        return option
    try:
        return f"addr={socket.getaddrinfo(value, None)[0][4][0]}"
    except OSError as error:
        raise InternalError(f"error resolving passed in network volume address: {error}") from error
