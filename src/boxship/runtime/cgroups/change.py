"""Change the limits of a cgroup that is in use: all of them or, when the kernel refuses one, none.

The values from before are read first, because nobody else knows them: they need not be those that
the cgroup was made with.
"""

import contextlib
import errno
import os
import re

from boxship.base.frozen import replace
from boxship.runtime.blueprint import CgroupPlan, CgroupWrite, directory_of
from boxship.runtime.cgroups.tree import CgroupError, apply_writes, read_file

Writes = tuple[CgroupWrite, ...]

_DEVICE = re.compile(r"\d+:\d+")
_NOTHING_SET = {
    "io.max": "rbps=max wbps=max riops=max wiops=max",
    "io.weight": "default",
    "rdma.max": "hca_handle=max hca_object=max",
}
"""What takes an entry away; elsewhere it is 0."""
_GONE = (errno.ENOENT, errno.ENODEV)


def change(plan: CgroupPlan, writes: Writes) -> Writes:
    """Write values and return what puts the old ones back, by ``change`` again. CgroupError.

    Nothing is written, and nothing returned, when the cgroup has been removed meanwhile.
    """
    try:
        before = tuple(old for write in writes for old in _before(plan, write))
        apply_writes(plan, writes)
    except (CgroupError, OSError) as error:
        if error.errno in _GONE and not _exists(plan):
            return ()
        if isinstance(error, OSError):  # of reading, before anything was written
            raise CgroupError(f"cannot read a limit: {error}", error.errno or 0) from error
        with contextlib.suppress(CgroupError):
            apply_writes(plan, before)
        raise
    return before


def _exists(plan: CgroupPlan) -> bool:
    return any(os.path.isdir(directory.path) for directory in plan.directories)


def _before(plan: CgroupPlan, write: CgroupWrite) -> Writes:
    """Return what undoes ``write``; a file that is not there is left for the write to complain."""
    try:
        text = read_file(f"{directory_of(plan, write.controller)}/{write.file}")
    except FileNotFoundError:
        return ()
    return (replace(write, value=undoing(write, text), usage=""),)


def undoing(write: CgroupWrite, text: str) -> str:
    """Return the value that undoes ``write`` in a file that says ``text`` now. Pure."""
    key, _, rest = write.value.partition(" ")
    if rest and (_DEVICE.fullmatch(key) or write.file in _NOTHING_SET):
        return _line_of(key, text) or f"{key} {_NOTHING_SET.get(write.file, '0')}"
    # A weight file says "default 100", and the devices' own weights on the lines below.
    return _line_of("default", text) or text.strip() or "\n"


def _line_of(key: str, text: str) -> str:
    lines = (line for line in text.splitlines() if line.split(" ")[0] == key)
    return next(lines, "")
