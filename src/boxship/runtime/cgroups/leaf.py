"""Where to put a process when the container's own cgroup takes none.

cgroup v2 has processes in leaves only: once a container's init (systemd, say) has moved into a
cgroup below its own and enabled controllers there, its own refuses every newcomer with EBUSY. Then
the place to be is where init is.
"""

import os

from boxship.runtime.blueprint import CgroupPlan
from boxship.runtime.cgroups.tree import read_file


def open_leaf(plan: CgroupPlan, init: int) -> int:
    """Return a descriptor of the cgroup2 directory that the process of pidfd ``init`` is in.

    It must be the container's own or below it: raise OSError.
    """
    own = next(directory for directory in plan.directories if directory.unified)
    path = f"{own.mount}{_path_of(_pid(init))}"
    if not f"{path}/".startswith(f"{own.path}/"):
        raise OSError(16, f"the container's cgroup takes no process, and its init is at {path}")
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)


def _pid(pidfd: int) -> int:
    for line in read_file(f"/proc/self/fdinfo/{pidfd}").splitlines():
        name, _, value = line.partition(":")
        if name == "Pid" and int(value) > 0:
            return int(value)
    raise OSError(3, "the container's init has ended")


def _path_of(pid: int) -> str:
    for line in read_file(f"/proc/{pid}/cgroup").splitlines():
        if line.startswith("0::"):
            return line.removeprefix("0::").rstrip("/")
    raise OSError(2, f"process {pid} is in no cgroup of version 2")
