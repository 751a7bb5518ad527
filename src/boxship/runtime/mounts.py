"""Mount steps: everything by descriptor, so that no link inside the root can redirect a mount."""

import os
import stat

from boxship.base.suppress import suppress
from boxship.kernel import mounts as k
from boxship.runtime import steps
from boxship.runtime.copyup import copy_tree
from boxship.runtime.kernel import Kernel
from boxship.runtime.paths import ensure_directory, ensure_file, is_directory, open_inside

PROPAGATION_BITS = {
    "private": k.MS_PRIVATE,
    "slave": k.MS_SLAVE,
    "shared": k.MS_SHARED,
    "unbindable": k.MS_UNBINDABLE,
}
_NULL_DEVICE = os.makedev(1, 3)
_MOST_OPTIONS = 4095
"""Bytes that mount(2) takes."""
_SYMLINK_FREE = frozenset({"proc", "sysfs"})
_ALLOWED_IN_PROC = frozenset(
    f"/proc/{name}"
    for name in ("cpuinfo", "diskstats", "loadavg", "meminfo", "net/dev", "slabinfo", "stat",
                 "swaps", "uptime")
)  # fmt: skip
"""What lxcfs provides; anything else over /proc would fool those inside (CVE-2019-16884)."""


def propagation_bits(name: str) -> tuple[int, int]:
    """Return MS_* bit and AT_RECURSIVE or 0 of a name such as ``rslave``."""
    plain = name if name in PROPAGATION_BITS else name[1:]
    return PROPAGATION_BITS[plain], 0 if plain == name else k.AT_RECURSIVE


def mount_overlay(kernel: Kernel, step: steps.MountOverlay) -> int:
    """Mount the stack and return its descriptor."""
    kernel.chdir(step.cwd)
    mount_overlay_on(kernel, step, step.mountpoint)
    return kernel.open(step.mountpoint, os.O_PATH | os.O_DIRECTORY)


def mount_overlay_on(kernel: Kernel, step: steps.MountOverlay, target: str) -> None:
    """Mount the stack on ``target``; its names are looked up where we are."""
    options = overlay_options(step)
    if len(options) <= _MOST_OPTIONS:
        kernel.mount("overlay", target, "overlay", 0 if step.devices else k.MS_NODEV, options)
        return
    # Given one by one, layers need not fit into a page (Linux 6.7), but mount(2) is one call.
    names = [("upperdir", step.upper), ("workdir", step.work)] if step.upper else []
    texts = [*(("lowerdir+", name) for name in step.lower), *names]
    options_by_one = (*(f"{key}={name}" for key, name in texts), *step.options)
    attributes = 0 if step.devices else k.MOUNT_ATTR_NODEV
    made = kernel.new_filesystem("overlay", "overlay", options_by_one, attributes)
    place = kernel.open(target, os.O_PATH | os.O_DIRECTORY)
    kernel.move_mount(made, place)
    kernel.close(place)
    kernel.close(made)


def overlay_options(step: steps.MountOverlay) -> str:
    """Return what ``mount -t overlay -o`` takes."""
    options = ["lowerdir=" + ":".join(map(_escaped, step.lower))]
    if step.upper:
        options += [f"upperdir={_escaped(step.upper)}", f"workdir={_escaped(step.work)}"]
    return ",".join([*options, *step.options])


def bind_root(kernel: Kernel, step: steps.BindRoot) -> int:
    """Mount a directory on itself, since only a mount can become a root; return its descriptor."""
    tree = kernel.open_tree(k.AT_FDCWD, step.source, k.OPEN_TREE_CLONE | k.AT_RECURSIVE)
    target = kernel.open(step.source, os.O_PATH | os.O_DIRECTORY)
    kernel.move_mount(tree, target)
    kernel.close(target)
    # The parent must not be shared, or the kernel refuses pivot_root.
    kernel.mount_setattr(tree, propagation=k.MS_PRIVATE)
    if step.propagation:
        bits, flags = propagation_bits(step.propagation)
        kernel.mount_setattr(tree, propagation=bits, flags=flags)
    return tree


def mount_new(kernel: Kernel, root: int, step: steps.Mount, made: int = -1) -> None:
    """Mount a new file system at ``step.target``; ``made`` is one that is there already."""
    if step.fstype in _SYMLINK_FREE:
        # A link in place of /proc would move it away from what is masked later (CVE-2019-19921).
        kernel.close(ensure_directory(kernel, root, step.target, step.mode))
        target = open_inside(kernel, root, step.target, follow=False)
    else:
        target = ensure_directory(kernel, root, step.target, step.mode)
    _refuse_proc(kernel, target, step.target, is_proc=step.fstype == "proc")
    mount = made
    if mount < 0:
        mount = kernel.new_filesystem(
            step.fstype, step.source, step.options, 0 if step.copy_up else step.attributes
        )
    if step.copy_up:
        copy_tree(target, mount)
        kernel.mount_setattr(mount, step.attributes)
    _attach(kernel, mount, target, step.propagation)


def copy_tree_at(kernel: Kernel, source: str, recursive: bool) -> int:
    """Return a detached copy of the host's mount at ``source``, with those below it if asked."""
    flags = k.OPEN_TREE_CLONE | (k.AT_RECURSIVE if recursive else 0)
    return kernel.open_tree(k.AT_FDCWD, source, flags)


def mount_bind(kernel: Kernel, root: int, step: steps.BindMount, tree: int) -> None:
    """Attach ``tree``, a copy of ``step.source``, at ``step.target``."""
    ensure = ensure_directory if is_directory(kernel, tree) else ensure_file
    target = ensure(kernel, root, step.target)
    is_proc = _is_proc(step.target) and kernel.filesystem_magic(tree) == k.PROC_SUPER_MAGIC
    _refuse_proc(kernel, target, step.target, is_proc=is_proc)
    if step.set_attributes or step.clear_attributes:
        kernel.mount_setattr(tree, step.set_attributes, step.clear_attributes)
    if step.recursive_set or step.recursive_clear:
        kernel.mount_setattr(tree, step.recursive_set, step.recursive_clear, flags=k.AT_RECURSIVE)
    _attach(kernel, tree, target, step.propagation)


def mount_cgroup1(kernel: Kernel, root: int, step: steps.MountCgroup1) -> None:
    """Mount a tmpfs with a bind per hierarchy, read-only at last when asked for."""
    target = ensure_directory(kernel, root, step.target)
    base = kernel.new_filesystem(
        "tmpfs", "tmpfs", ("mode=755",), step.attributes & ~k.MOUNT_ATTR_RDONLY
    )
    kernel.move_mount(base, target)
    kernel.close(target)
    for name, source in step.hierarchies:
        kernel.mkdir_at(base, name, 0o755)
        tree = kernel.open_tree(k.AT_FDCWD, source, k.OPEN_TREE_CLONE)
        kernel.mount_setattr(tree, step.attributes)
        below = kernel.open_at(base, name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        _attach(kernel, tree, below, "")
    for name, content in step.links:
        kernel.symlink_at(content, base, name)
    if step.attributes & k.MOUNT_ATTR_RDONLY:
        kernel.mount_setattr(base, k.MOUNT_ATTR_RDONLY)
    kernel.close(base)


def mask_paths(kernel: Kernel, root: int, paths: tuple[str, ...]) -> None:
    """Cover files with /dev/null and directories with one empty read-only tmpfs."""
    # The container's own node: through the host's, bound into a container, root in there could
    # change the mode of everybody's /dev/null. That it is one is proven (CVE-2025-31133).
    null = open_inside(kernel, root, "/dev/null", follow=False)
    status = kernel.fstat(null)
    if not stat.S_ISCHR(status.st_mode) or status.st_rdev != _NULL_DEVICE:
        raise PermissionError(1, "not the null device", "/dev/null")
    empty = -1
    for path in paths:
        target = _open_existing(kernel, root, path)
        if target < 0:
            continue
        if not is_directory(kernel, target):
            tree = kernel.open_tree(null, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
            _attach(kernel, tree, target, "")
        elif empty < 0:
            empty = kernel.new_filesystem(
                "tmpfs", "tmpfs", ("nr_blocks=1", "nr_inodes=1"), k.MOUNT_ATTR_RDONLY
            )
            kernel.move_mount(empty, target)
            kernel.close(target)
        else:
            tree = kernel.open_tree(empty, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
            _attach(kernel, tree, target, "")
    kernel.close(null)
    if empty >= 0:
        kernel.close(empty)


def readonly_paths(kernel: Kernel, root: int, paths: tuple[str, ...]) -> None:
    """Mount each path on itself, read-only with everything below it."""
    for path in paths:
        target = _open_existing(kernel, root, path)
        if target < 0:
            continue
        tree = kernel.open_tree(target, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH | k.AT_RECURSIVE)
        kernel.mount_setattr(tree, k.MOUNT_ATTR_RDONLY, flags=k.AT_RECURSIVE)
        _attach(kernel, tree, target, "")


def attach_console(kernel: Kernel, root: int, peer: int) -> None:
    """Show the pty ``peer`` as /dev/console; a link in its place is not followed."""
    directory = open_inside(kernel, root, "/dev", os.O_PATH | os.O_DIRECTORY)
    with suppress(FileExistsError):
        kernel.close(
            kernel.open_at(directory, "console", os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        )
    target = kernel.open_at(directory, "console", os.O_PATH | os.O_NOFOLLOW)
    kernel.close(directory)
    if stat.S_ISLNK(kernel.fstat(target).st_mode):
        raise PermissionError(1, "is a symbolic link", "/dev/console")
    tree = kernel.open_tree(peer, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
    _attach(kernel, tree, target, "")


def _attach(kernel: Kernel, mount: int, target: int, propagation: str) -> None:
    kernel.move_mount(mount, target)
    if propagation:
        bits, flags = propagation_bits(propagation)
        kernel.mount_setattr(mount, propagation=bits, flags=flags)
    kernel.close(mount)
    kernel.close(target)


def _open_existing(kernel: Kernel, root: int, path: str) -> int:
    """Open a path to be hidden; -1 when it is missing.

    Below /proc and /sys, which the kernel fills, a link can only be an attempt to have something
    else hidden in its stead, so none is followed there.
    """
    try:
        return open_inside(kernel, root, path, follow=not path.startswith(("/proc/", "/sys/")))
    except (FileNotFoundError, NotADirectoryError):
        return -1


def _refuse_proc(kernel: Kernel, target: int, path: str, *, is_proc: bool) -> None:
    """Refuse what would give the container another /proc than the kernel's."""
    if is_proc or path in _ALLOWED_IN_PROC:
        return
    if _is_proc(path):
        raise PermissionError(1, "only a proc file system can be mounted there", path)
    if kernel.filesystem_magic(target) == k.PROC_SUPER_MAGIC:
        raise PermissionError(1, "cannot be mounted over because it is inside /proc", path)


def _is_proc(path: str) -> bool:
    return path == "/proc" or os.path.normpath(path) in ("/proc", "//proc")


def _escaped(path: str) -> str:
    """Guard what separates options and layers in overlay's own syntax."""
    return path.replace("\\", "\\\\").replace(":", "\\:").replace(",", "\\,")
