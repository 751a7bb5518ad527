"""What is at a path of a container, as ``X-Docker-Container-Path-Stat`` says it. Pure."""

import base64
import stat

import msgspec

from boxship.base.clock import format_file_time
from boxship.engine.containers.requests import PathStat
from boxship.wire.containers import PathStatHeader

# The bits of Go's os.FileMode above the nine of the permissions.
_KINDS = {
    stat.S_IFDIR: 1 << 31,
    stat.S_IFLNK: 1 << 27,
    stat.S_IFBLK: 1 << 26,
    stat.S_IFIFO: 1 << 25,
    stat.S_IFSOCK: 1 << 24,
    stat.S_IFCHR: 1 << 26 | 1 << 21,
}
_FLAGS = {stat.S_ISUID: 1 << 23, stat.S_ISGID: 1 << 22, stat.S_ISVTX: 1 << 20}


def path_stat(found: PathStat) -> str:
    """Return the header's value."""
    mtime = format_file_time(found.mtime_ns)
    header = PathStatHeader(found.name, found.size, go_mode(found.mode), mtime, found.link_target)
    return base64.b64encode(msgspec.json.encode(header)).decode()


def go_mode(mode: int) -> int:
    """Return a mode of the kernel's as Go writes it."""
    flags = sum(bit for flag, bit in _FLAGS.items() if mode & flag)
    return (mode & 0o777) | flags | _KINDS.get(stat.S_IFMT(mode), 0)
