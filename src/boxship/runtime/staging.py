"""The staging area of a user namespace's stage: see ``steps.MakeStaging``, ``staging_plan.py``.

Done with the host's rights, in a mount namespace that ends with the stage. Loaded only there.
"""

from __future__ import annotations

import os
import stat

from boxship.kernel import credentials, processes, signals
from boxship.kernel import mounts as k
from boxship.kernel.namespaces import CLONE_FLAGS
from boxship.runtime import steps
from boxship.runtime.mounts import mount_overlay_on
from boxship.runtime.userns import owners
from boxship.runtime.userns_maps import outside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from boxship.runtime.apply import Setup
    from boxship.runtime.kernel import Kernel

_NOTHING_TO_RUN = k.MOUNT_ATTR_NOSUID | k.MOUNT_ATTR_NOEXEC
_DIRECTORY = os.O_PATH | os.O_DIRECTORY


def make_staging(setup: Setup, _: steps.MakeStaging) -> None:
    """Make the mount namespace and the area, which is attached nowhere yet."""
    kernel = setup.kernel
    kernel.unshare(CLONE_FLAGS["mnt"])
    # Slaves: nothing of this reaches the host, and what the host mounts later comes along for
    # those binds that ask for it.
    kernel.mount("", "/", "", k.MS_SLAVE | k.MS_REC)
    setup.staging = kernel.new_filesystem("tmpfs", "staging", ("mode=755",), _NOTHING_TO_RUN)


def enter_staging(setup: Setup, step: steps.EnterStaging) -> None:
    """Attach the area and what has been copied."""
    kernel = setup.kernel
    place = kernel.open(step.place, _DIRECTORY)
    kernel.move_mount(setup.staging, place)
    kernel.close(place)
    kernel.fchdir(setup.staging)
    for name, tree in setup.staged.items():
        _attach(kernel, tree, setup.staging, name)
    setup.staged.clear()


def stage_overlay(setup: Setup, step: steps.MountOverlay) -> None:
    """Mount the root in the staging area."""
    setup.kernel.mkdir_at(setup.staging, step.mountpoint, 0o755)
    mount_overlay(setup.kernel, step, owners(setup, step.uid_map, step.gid_map))


def mapped_overlay(setup: Setup, step: steps.MountOverlay) -> None:
    """Mount the root where somebody else will look for it; it shows other owners."""
    mount_overlay(setup.kernel, step, owners(setup, step.uid_map, step.gid_map))
    setup.root = setup.kernel.open(step.mountpoint, _DIRECTORY)


def mount_directory(setup: Setup, step: steps.MountDirectory) -> int:
    """Mount a copy of the directory's mount, and return its descriptor; -1 in the staging area."""
    kernel = setup.kernel
    tree = kernel.open_tree(k.AT_FDCWD, step.source, k.OPEN_TREE_CLONE)
    namespace = owners(setup, step.uid_map, step.gid_map)
    if namespace >= 0:
        map_owners(tree, namespace, step.source)
    attributes = 0 if step.devices else k.MOUNT_ATTR_NODEV
    # What the host mounts below it later is not the container's.
    kernel.mount_setattr(tree, attributes, propagation=k.MS_PRIVATE)
    if step.staged:
        _attach(kernel, tree, setup.staging, step.mountpoint)
        return -1
    target = kernel.open(step.mountpoint, _DIRECTORY)
    kernel.move_mount(tree, target)
    kernel.close(target)
    return tree


def mount_overlay(kernel: Kernel, step: steps.MountOverlay, namespace: int) -> None:
    """Mount it on ``step.mountpoint``; the working directory stays what it is.

    ``namespace`` is a user namespace that gives the owners; -1: those on disk. Overlayfs itself
    cannot be mapped, but stands on mapped layers since Linux 5.19. All names are relative to
    ``step.cwd``, so one copy of that mount, mapped, serves all of them. It lies below the overlay
    and is not otherwise reachable.
    """
    here, target = kernel.open(".", _DIRECTORY), kernel.open(step.mountpoint, _DIRECTORY)
    tree = kernel.open_tree(k.AT_FDCWD, step.cwd, k.OPEN_TREE_CLONE)
    if namespace >= 0:
        map_owners(tree, namespace, step.cwd)
    kernel.move_mount(tree, target)
    kernel.fchdir(tree)
    _mount_here(kernel, step)
    kernel.fchdir(here)
    for fd in (tree, target, here):
        kernel.close(fd)


def _mount_here(kernel: Kernel, step: steps.MountOverlay) -> None:
    """Mount it where we are, as who is 0 on the disk.

    Overlayfs makes its own files (work directory, whiteouts) as who has mounted it; the host's root
    is nobody on a mapped layer and could make none.
    """
    effective, permitted, inheritable = credentials.capget()
    if step.uid_map:
        uid, gid = (max(outside(entries, 0), 0) for entries in (step.uid_map, step.gid_map))
        credentials.set_filesystem_ids(uid, gid)
        credentials.capset(permitted, permitted, inheritable)
    try:
        mount_overlay_on(kernel, step, ".")
    finally:
        if step.uid_map:
            credentials.set_filesystem_ids(0, 0)
            credentials.capset(effective, permitted, inheritable)
            # New credentials may have made us what fs.suid_dumpable says, and alone.
            processes.set_dumpable(False)
            processes.set_parent_death_signal(signals.SIGKILL)


def stage_tree(setup: Setup, step: steps.StageTree) -> None:
    """Copy, map, change attributes."""
    kernel = setup.kernel
    flags = k.OPEN_TREE_CLONE | (k.AT_RECURSIVE if step.recursive else 0)
    tree = kernel.open_tree(k.AT_FDCWD, step.source, flags)
    namespace = owners(setup, step.uid_map, step.gid_map)
    if namespace >= 0:
        map_owners(tree, namespace, step.source, recursive=step.map_recursive)
    if step.set_attributes or step.clear_attributes:
        kernel.mount_setattr(tree, step.set_attributes, step.clear_attributes)
    if step.recursive_set or step.recursive_clear:
        kernel.mount_setattr(tree, step.recursive_set, step.recursive_clear, flags=k.AT_RECURSIVE)
    setup.staged[step.name] = tree


def stage_node(setup: Setup, step: steps.StageNode) -> None:
    """Make a node of the container's own; in a user namespace ourselves, show the host's."""
    kernel = setup.kernel
    kind = {"c": stat.S_IFCHR, "b": stat.S_IFBLK}[step.kind]
    area = setup.staging
    try:
        device = os.makedev(step.major, step.minor)
        kernel.mknod_at(area, step.name, kind | step.mode, device)
    except PermissionError:
        tree = kernel.open_tree(k.AT_FDCWD, step.source, k.OPEN_TREE_CLONE)
        _attach(kernel, tree, area, step.name)
    else:
        node = kernel.open_at(area, step.name, os.O_PATH | os.O_NOFOLLOW)
        kernel.chown(node, step.uid, step.gid)
        kernel.close(node)


def map_owners(tree: int, namespace: int, source: str, *, recursive: bool = False) -> None:
    """Give a detached copy the owners of a user namespace; the error names ``source``."""
    try:
        k.map_owners(tree, namespace, k.AT_RECURSIVE if recursive else 0)
    except OSError as error:
        words = f"owners cannot be mapped: {error.strerror}"
        raise OSError(error.errno, words, source) from error


def _attach(kernel: Kernel, tree: int, area: int, name: str) -> None:
    if stat.S_ISDIR(kernel.fstat(tree).st_mode):
        kernel.mkdir_at(area, name, 0o755)
    else:
        kernel.close(kernel.open_at(area, name, os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644))
    target = kernel.open_at(area, name, os.O_PATH | os.O_NOFOLLOW)
    kernel.move_mount(tree, target)
    kernel.close(target)
    kernel.close(tree)
