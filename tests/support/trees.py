"""What a directory tree is, to be compared: everything but inodes and times of reading."""

import hashlib
import os
import stat
from pathlib import Path

_NOT_OURS = ("trusted.overlay.", "user.overlay.", "security.selinux")


def fingerprint(root: Path) -> dict[str, tuple[object, ...]]:
    """Describe each file below `root` by its path; hard links by the first of their names."""
    seen: dict[tuple[int, int], str] = {}
    result: dict[str, tuple[object, ...]] = {}
    for directory, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = os.path.join(directory, name)
            relative = os.path.relpath(path, root)
            found = os.lstat(path)
            inode = (found.st_dev, found.st_ino)
            first = relative if stat.S_ISDIR(found.st_mode) else seen.setdefault(inode, relative)
            result[relative] = (*_looks(path, found), first)
    return result


def _looks(path: str, found: os.stat_result) -> tuple[object, ...]:
    content = ""
    if stat.S_ISREG(found.st_mode):
        with open(path, "rb") as file:
            content = hashlib.file_digest(file, "sha256").hexdigest()
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    size = 0 if stat.S_ISDIR(found.st_mode) else found.st_size
    names = [n for n in os.listxattr(path, follow_symlinks=False) if not n.startswith(_NOT_OURS)]
    xattrs = {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)}
    return (
        oct(found.st_mode), found.st_uid, found.st_gid, found.st_rdev, size, found.st_mtime_ns,
        content, xattrs,
    )  # fmt: skip
