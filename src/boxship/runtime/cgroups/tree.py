"""Cgroup directories: create, fill, join, remove.

Files are opened by hand rather than with ``open()``: a container start writes some thirty of
them, and a Python stream costs ten times the system calls.
"""

import errno
import os

from boxship.base.errors import BoxshipError
from boxship.base.files import opened
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite, directory_of


class CgroupError(BoxshipError):
    """A cgroup could not be made or a limit not set; ``errno`` is the kernel's."""

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message)
        self.errno = number


def create(plan: CgroupPlan) -> None:
    """Create all directories and write all values; raise CgroupError."""
    for directory in plan.directories:
        try:
            _create_one(directory)
        except OSError as error:
            message = f"cannot create cgroup {directory.path}: {error.strerror}"
            raise CgroupError(message, error.errno or 0) from error
    if plan.device_program:
        _attach_device_program(plan)
    apply_writes(plan, plan.writes)


def apply_writes(plan: CgroupPlan, writes: tuple[CgroupWrite, ...]) -> None:
    """Write values; one that fails is tried again after the others.

    That is how limits that bound each other (memory, and memory with swap) can be moved both up
    and down without knowing what they are now.
    """
    for write in writes:
        if write.usage:
            _check_usage(plan, write)
    postponed = [write for write in writes if not _try_write(plan, write)]
    for write in postponed:
        path = f"{directory_of(plan, write.controller)}/{write.file}"
        try:
            write_file(path, write.value)
        except OSError as error:
            message = f"cannot set {write.limit} limit: {path}: {error.strerror}"
            raise CgroupError(message, error.errno or 0) from error


def _check_usage(plan: CgroupPlan, write: CgroupWrite) -> None:
    """Refuse a limit that is passed already."""
    directory = directory_of(plan, write.controller)
    used = int(read_file(f"{directory}/{write.usage}"))
    if 0 < int(write.value.replace("max", "-1")) < used:
        message = f"cannot set {write.limit} limit: {used} bytes are in use"
        raise CgroupError(message, errno.EBUSY)


def _attach_device_program(plan: CgroupPlan) -> None:
    bpf = load("boxship.kernel.bpf")  # a machine with v1's devices does not need it
    try:
        with opened(directory_of(plan, ""), os.O_RDONLY | os.O_DIRECTORY) as directory:
            bpf.attach_device_program(directory, plan.device_program)
    except OSError as error:
        raise CgroupError(f"cannot set devices limit: {error}", error.errno or 0) from error


def open_unified(plan: CgroupPlan) -> int:
    """Return a descriptor of the cgroup2 directory for a child to be born in; -1 without one."""
    for directory in plan.directories:
        if directory.unified:
            return os.open(directory.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    return -1


def join(plan: CgroupPlan) -> None:
    """Move ourselves, who have one thread, into every v1 directory; in cgroup2's we were born.

    Moving a process takes a lock whose writers first wait for an RCU grace period, 6 to 10 ms on
    an idle machine: more than all the rest of a container's start. A thread that moves itself, by
    writing 0 to v1's ``tasks``, need not take it (Linux 5.6).
    """
    for directory in plan.directories:
        if directory.unified:
            continue
        try:
            write_file(f"{directory.path}/tasks", "0")
        except OSError as error:
            message = f"cannot join cgroup {directory.path}: {error.strerror}"
            raise CgroupError(message, error.errno or 0) from error


def remove(plan: CgroupPlan) -> tuple[str, ...]:
    """Remove the directories with what was made below them; return those still in use.

    One that cannot be removed at all keeps none of the others; its OSError is raised last.
    """
    busy = []
    failure: OSError | None = None
    for directory in reversed(plan.directories):
        if directory.keep:
            continue
        try:
            _remove_one(directory.path)
        except OSError as error:
            if error.errno == errno.EBUSY:
                busy.append(directory.path)
            elif os.path.exists(directory.path):  # else read-only, and never made
                failure = error
    if failure and not busy:
        raise failure
    return tuple(busy)


def read_file(path: str) -> str:
    """Return the text of a cgroup file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        chunks = []
        while chunk := os.read(fd, 65536):
            chunks.append(chunk)
    finally:
        os.close(fd)
    return b"".join(chunks).decode()


def write_file(path: str, value: str) -> None:
    """Write a cgroup file in one call."""
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, value.encode())
    finally:
        os.close(fd)


def _try_write(plan: CgroupPlan, write: CgroupWrite) -> bool:
    try:
        write_file(f"{directory_of(plan, write.controller)}/{write.file}", write.value)
    except OSError:
        return False
    return True


def _create_one(directory: CgroupDirectory) -> None:
    try:
        os.mkdir(directory.path, 0o755)
    except FileExistsError:
        pass
    except FileNotFoundError:
        os.makedirs(directory.path, 0o755, exist_ok=True)
    if directory.unified and directory.controllers:
        _delegate(directory)
    elif "cpuset" in directory.controllers:
        _seed_cpuset(directory.path, directory.mount)


def _delegate(directory: CgroupDirectory) -> None:
    """Enable the controllers from the mount down to the parent, where they are not yet."""
    parent = os.path.dirname(directory.path)
    wanted = set(directory.controllers)
    if wanted <= set(read_file(f"{parent}/cgroup.subtree_control").split()):
        return
    relative = parent[len(directory.mount) :].strip("/")
    here = directory.mount
    for name in ["", *filter(None, relative.split("/"))]:
        here = f"{here}/{name}" if name else here
        for controller in sorted(wanted):
            # One at a time: a controller that cannot be had (cpu with realtime tasks) must not
            # take the others with it. Whoever sets its limit will get the error.
            with suppress(OSError):
                write_file(f"{here}/cgroup.subtree_control", f"+{controller}")


def _seed_cpuset(path: str, mount: str) -> None:
    """Give a v1 cpuset its parent's processors and memory nodes; it is born without any."""
    if read_file(f"{path}/cpuset.cpus").strip() and read_file(f"{path}/cpuset.mems").strip():
        return
    parent = os.path.dirname(path)
    if len(parent) > len(mount):
        _seed_cpuset(parent, mount)
        # From now on the kernel does it for the parent's new children.
        write_file(f"{parent}/cgroup.clone_children", "1")
    for name in ("cpuset.cpus", "cpuset.mems"):
        if not read_file(f"{path}/{name}").strip():
            write_file(f"{path}/{name}", read_file(f"{parent}/{name}").strip())


def _remove_one(path: str) -> None:
    try:
        os.rmdir(path)
    except FileNotFoundError:
        return
    except OSError as error:
        # EBUSY means processes or children; only the latter can be helped here.
        if error.errno != errno.EBUSY or not _remove_children(path):
            raise
        os.rmdir(path)


def _remove_children(path: str) -> bool:
    with os.scandir(path) as entries:
        children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    for child in children:
        _remove_one(child)
    return bool(children)
