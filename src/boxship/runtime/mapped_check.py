"""Whether this kernel and a file system can show layers with other owners: tried, not guessed.

An overlay on mapped layers takes Linux 5.19, and that the file system of the layers can be mapped.
"""

import os
import shutil
import tempfile

from boxship.base.errors import UnavailableError
from boxship.kernel import mounts as k
from boxship.kernel import namespaces, processes
from boxship.runtime.kernel import LINUX
from boxship.runtime.staging import mount_overlay
from boxship.runtime.steps import MountOverlay
from boxship.runtime.userns import namespace_with_maps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from boxship.runtime.userns_maps import Map

_DIRECTORIES = ("l", "upper", "work", "root")


def check_mapped_layers(directory: str, uid_map: "Map", gid_map: "Map") -> None:
    """Raise UnavailableError when layers in ``directory`` cannot be mapped.

    The caller must have one thread: the try is made by a fork of it, which is gone afterwards.
    """
    place = tempfile.mkdtemp(prefix="mapped-", dir=directory)
    try:
        os.chmod(place, 0o755)
        for name in _DIRECTORIES:
            os.mkdir(f"{place}/{name}", 0o755)
        told = _tried(place, uid_map, gid_map)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    if told:
        raise UnavailableError(
            "userns-remap needs layers that can show other owners: Linux 5.19 or later, and a "
            f"file system at {directory} that can be mounted so: {told}"
        )


def _tried(place: str, uid_map: "Map", gid_map: "Map") -> str:
    reading, writing = os.pipe()
    pid = processes.fork_into()
    if pid == 0:
        _try(place, uid_map, gid_map, writing)
    os.close(writing)
    with open(reading, encoding="utf-8") as stream:
        told = stream.read()
    _, status = os.waitpid(pid, 0)
    return told or (f"status {status}" if status else "")


def _try(place: str, uid_map: "Map", gid_map: "Map", writing: int) -> "NoReturn":
    status = 1
    try:
        namespaces.unshare(namespaces.CLONE_FLAGS["mnt"])
        k.mount("", "/", "", k.MS_PRIVATE | k.MS_REC)
        step = MountOverlay(
            place, ("l",), "upper", "work", f"{place}/root", uid_map=uid_map, gid_map=gid_map
        )
        mount_overlay(LINUX, step, namespace_with_maps(uid_map, gid_map))
        found = os.stat(f"{place}/root").st_uid
        if found != uid_map[0][1]:
            raise OSError(0, f"user 0 is shown as {found}, not as {uid_map[0][1]}")  # noqa: TRY301
        status = 0
    except OSError as error:
        os.write(writing, str(error).encode())
        status = 0
    finally:
        os._exit(status)
