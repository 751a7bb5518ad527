"""Executing a program from an image that nobody can write to.

A process that enters a container can be looked at from inside, and ``/proc/PID/exe`` opens the file
it was executed from: root in the container could overwrite the host's program (CVE-2019-5736). A
detached bind mount that is read-only has no path and lets nobody open it for writing, while its
pages stay the page cache's. Rejected: a sealed copy in memory, which costs its size each time.
"""

import errno
import os
import sys
from collections.abc import Sequence

from boxship.kernel import mounts, processes

_MARK = "BOXSHIP_SEALED"


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
    """Tell whether our own image cannot be opened for writing."""
    try:
        os.close(os.open("/proc/self/exe", os.O_WRONLY | os.O_CLOEXEC))
    except OSError as error:
        # ETXTBSY is no seal: it ends with the last process that runs the file.
        return error.errno != errno.ETXTBSY
    return False


def execute_sealed(arguments: Sequence[str]) -> None:
    """Replace this process by its own interpreter, sealed, with ``arguments``.

    Return when it is sealed already, or when that has been tried once and did not help.
    """
    if is_sealed() or os.environ.pop(_MARK, ""):
        return
    interpreter = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
    environment = [f"{name}={value}" for name, value in os.environ.items()]
    image = read_only_image(interpreter)
    processes.execveat(image, [interpreter, *arguments], [*environment, f"{_MARK}=1"])
