"""Paths inside a container's root, resolved by the kernel from the root's descriptor.

The root's content is hostile: any component may be a link to ``/``, to ``..`` or to a magic link,
and may be exchanged while we look (CVE-2021-30465). So a path is never checked as text and then
used: ``openat2(RESOLVE_IN_ROOT)`` gives a descriptor that lies inside, and everything after works
on that descriptor. What is missing is created one component at a time below such a descriptor.
"""

import errno
import os
import stat

from boxship.kernel.mounts import PROC_SUPER_MAGIC
from boxship.kernel.paths import (
    RESOLVE_BENEATH,
    RESOLVE_IN_ROOT,
    RESOLVE_NO_MAGICLINKS,
    RESOLVE_NO_SYMLINKS,
    RESOLVE_NO_XDEV,
)
from boxship.runtime.kernel import Kernel

_MAX_LINKS = 40
_PROC_ROOT = 1
"""The root of every procfs has this inode number."""


def open_inside(
    kernel: Kernel, root: int, path: str, flags: int = os.O_PATH, *, follow: bool = True
) -> int:
    """Open ``path`` below ``root``; without ``follow`` no link is crossed anywhere in it."""
    rules = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (0 if follow else RESOLVE_NO_SYMLINKS)
    return kernel.openat2(root, path, flags, rules)


def open_in_procfs(kernel: Kernel, path: str, flags: int) -> int:
    """Open ``path`` below ``/proc``, which must be the kernel's own: no other file system, nothing
    mounted over any part of it. What is written here must not land elsewhere (CVE-2025-52881).
    """
    root = kernel.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        genuine = kernel.filesystem_magic(root) == PROC_SUPER_MAGIC
        if not genuine or kernel.fstat(root).st_ino != _PROC_ROOT:
            raise OSError(errno.ENOTSUP, "not the root of a proc file system", "/proc")
        rules = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS
        return kernel.openat2(root, path, flags, rules)
    finally:
        kernel.close(root)


def ensure_directory(kernel: Kernel, root: int, path: str, mode: int = 0o755) -> int:
    """Open the directory ``path`` (O_PATH), creating what is missing of it."""
    try:
        return open_inside(kernel, root, path, os.O_PATH | os.O_DIRECTORY)
    except FileNotFoundError:
        return _create(kernel, root, path, mode, leaf_is_file=False)


def ensure_file(kernel: Kernel, root: int, path: str) -> int:
    """Open the non-directory ``path`` (O_PATH), creating an empty file if there is nothing."""
    try:
        return open_inside(kernel, root, path)
    except FileNotFoundError:
        return _create(kernel, root, path, 0o755, leaf_is_file=True)


def is_directory(kernel: Kernel, fd: int) -> bool:
    """Tell whether ``fd`` is a directory."""
    return stat.S_ISDIR(kernel.fstat(fd).st_mode)


def _create(kernel: Kernel, root: int, path: str, mode: int, *, leaf_is_file: bool) -> int:
    """Create ``path``, going where dangling links lead, which is inside the root as well."""
    for _ in range(_MAX_LINKS):
        names = [name for name in path.split("/") if name not in ("", ".")]
        here, existing = _deepest(kernel, root, names)
        for position in range(existing, len(names)):
            is_file = leaf_is_file and position == len(names) - 1
            try:
                there = _make(kernel, here, names[position], mode, is_file=is_file)
            except FileExistsError:
                content = kernel.readlink_at(here, names[position])
                parent = [] if content.startswith("/") else names[:position]
                path = "/".join([*parent, content, *names[position + 1 :]])
                break
            finally:
                kernel.close(here)
            here = there
        else:
            return here
    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)


def _deepest(kernel: Kernel, root: int, names: list[str]) -> tuple[int, int]:
    """Open the longest beginning of ``names`` that exists; return it and its length."""
    for count in range(len(names), 0, -1):
        try:
            fd = open_inside(kernel, root, "/".join(names[:count]))
        except FileNotFoundError:
            continue
        return fd, count
    return open_inside(kernel, root, "/"), 0


def _make(kernel: Kernel, parent: int, name: str, mode: int, *, is_file: bool) -> int:
    if name == "..":
        # Only a link can bring this here: its target climbs out of something that is not there.
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
    if is_file:
        flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_RDONLY
        return kernel.open_at(parent, name, flags, 0o755)
    kernel.mkdir_at(parent, name, mode)
    return kernel.open_at(parent, name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
