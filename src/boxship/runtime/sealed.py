"""Executing a program from an image that nobody can write to.

A process that enters a container can be looked at from inside, and ``/proc/PID/exe`` opens the file
it was executed from: root in the container could overwrite the host's program (CVE-2019-5736). A
detached bind mount that is read-only has no path and lets nobody open it for writing, while its
pages stay the page cache's. Rejected: a sealed copy in memory, which costs its size each time.
"""

from __future__ import annotations

import os
import sys

from boxship.kernel import mounts, processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def read_only_image(path: str) -> int:
    """Return a close-on-exec descriptor of ``path`` on a detached, read-only mount."""
    tree = mounts.open_tree(mounts.AT_FDCWD, path, mounts.OPEN_TREE_CLONE)
    try:
        mounts.mount_setattr(tree, mounts.MOUNT_ATTR_RDONLY)
    except BaseException:
        os.close(tree)
        raise
    return tree


def is_sealed() -> bool:
    """Tell whether our own image is on a mount that is read-only.

    Not whether it can be opened for writing: that fails for every program while it runs (ETXTBSY).
    """
    return bool(os.statvfs("/proc/self/exe").f_flag & os.ST_RDONLY)


def execute_sealed(arguments: Sequence[str]) -> None:
    """Replace this process by its own interpreter, sealed, with ``arguments``.

    Return when it is sealed already.
    """
    if is_sealed():
        return
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    environment = [f"{name}={value}" for name, value in os.environ.items()]
    image = read_only_image(interpreter)
    processes.execveat(image, [interpreter, *arguments], environment)
