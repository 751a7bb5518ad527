"""A container's file system from outside, with what is mounted into it: its root, opened.

Of one that runs it is the root of its first process: a walk that begins there meets the mounts of
that process. For one that does not run, the mounts are made in a mount namespace that nobody else
is in, and which ends with the view, also when this process is killed::

    thread ── unshare ── mount ── root, namespace ──► view; the thread ends
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType, TracebackType

from boxship.base.suppress import suppress
from boxship.kernel import credentials, processes
from boxship.kernel import mounts as k
from boxship.kernel.namespaces import CLONE_FLAGS, unshare
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.runtime import steps
from boxship.runtime.kernel import LINUX
from boxship.runtime.mounts import mount_overlay_on
from boxship.runtime.paths import ensure_directory, ensure_file

_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

_NO_TARGET = (errno.ENOTDIR, errno.ELOOP, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
"""The container has put something else there, or nothing can be made."""


@dataclass(frozen=True)
class Bind:
    """Something of the host's in the container's tree."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Missing:
    """Something that belongs there and cannot be had, and why."""

    target: str
    why: str


_KERNELS = frozenset(
    {
        *("proc", "sysfs", "cgroup", "cgroup2", "mqueue", "devpts", "debugfs", "tracefs"),
        *("securityfs", "bpf", "pstore", "efivarfs", "configfs", "fusectl", "binfmt_misc"),
    }
)


class View:
    """Owns the descriptors; use it as a context. ``root`` is an O_PATH one.

    ``kernels`` are the devices (``st_dev``) of file systems that are the kernel's own: what is in
    them are no files of the container. To read some of them takes something away from somebody,
    to write them changes the machine. ``missing`` are those that stand for what could not be
    mounted, empty and read-only, each with the reason.
    """

    def __init__(
        self,
        root: int,
        namespace: int = -1,
        kernels: frozenset[int] = frozenset(),
        missing: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self.root = root
        self.kernels = kernels
        self.missing = missing
        self._namespace = namespace

    def __enter__(self) -> View:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.root)
        if self._namespace >= 0:
            os.close(self._namespace)


def view_running(pid: int) -> View:
    """Look at what a process sees. FileNotFoundError: it has ended."""
    kernels = _kernels(pid)
    return View(os.open(f"/proc/{pid}/root", _ROOT), kernels=kernels)


def _kernels(pid: int) -> frozenset[int]:
    """Return the devices of the kernel's file systems that a process has mounted."""
    found = set()
    with open(f"/proc/{pid}/mountinfo", "rb") as mounts:
        for line in mounts:
            before, _, after = line.partition(b" - ")
            if after.split(b" ", 1)[0].decode() in _KERNELS:
                major, _, minor = before.split(b" ", 3)[2].partition(b":")
                found.add(os.makedev(int(major), int(minor)))
    return frozenset(found)


def view_mounted(
    root: steps.MountOverlay | str,
    mountpoint: str,
    binds: Sequence[Bind | Missing],
    *,
    read_only: bool = False,
) -> View:
    """Mount a root, an overlay or a directory, and ``binds``, whose targets are made if need be.

    ``read_only`` is the root; the binds say so themselves.
    """
    return _in_thread(lambda: _mounted(root, mountpoint, binds, read_only))


@contextmanager
def making_files_as(uid: int, gid: int) -> Iterator[None]:
    """Let this thread make files as somebody else, keeping its rights.

    Where owners are mapped, the host's root is nobody, and could make none.
    """
    effective, permitted, inheritable = credentials.capget()
    try:
        _become(uid, gid, (effective, permitted, inheritable))
        yield
    finally:
        _become(0, 0, (effective, permitted, inheritable))


def _become(uid: int, gid: int, capabilities: tuple[int, int, int]) -> None:
    credentials.set_filesystem_ids(uid, gid)
    credentials.capset(*capabilities)
    # New credentials may have made the process what fs.suid_dumpable says, with all its threads.
    processes.set_dumpable(True)


def _mounted(
    root: steps.MountOverlay | str,
    mountpoint: str,
    binds: Sequence[Bind | Missing],
    read_only: bool,
) -> View:
    unshare(CLONE_FLAGS["mnt"])  # and with it our own working directory
    k.mount("", "/", "", k.MS_SLAVE | k.MS_REC)
    if isinstance(root, str):
        _attach(root, os.open(mountpoint, _ROOT), k.OPEN_TREE_CLONE)
    else:
        os.chdir(root.cwd)
        mount_overlay_on(LINUX, root, mountpoint)
    top = os.open(mountpoint, _ROOT)
    missing: dict[int, str] = {}
    try:
        for bind in sorted(binds, key=lambda bind: bind.target.count("/")):
            if isinstance(bind, Bind):
                _bind(top, bind)
            else:
                missing |= _stand_in(top, mountpoint, bind)
        if read_only:  # at last: places for binds may have had to be made
            k.mount_setattr(top, k.MOUNT_ATTR_RDONLY)
        namespace = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        return View(top, namespace, missing=missing)
    except BaseException:
        os.close(top)
        raise


def _bind(top: int, bind: Bind) -> None:
    with suppress(FileNotFoundError):  # the source has gone
        is_directory = os.path.isdir(bind.source)
        try:
            try:
                target = openat2(top, bind.target, os.O_PATH, RESOLVE_IN_ROOT)
            except FileNotFoundError:  # it has never been started, which makes the place, too
                ensure = ensure_directory if is_directory else ensure_file
                target = ensure(LINUX, top, bind.target)
        except OSError as error:
            if error.errno in _NO_TARGET:
                return
            raise
        _attach(bind.source, target, k.OPEN_TREE_CLONE | k.AT_RECURSIVE, read_only=bind.read_only)


def _stand_in(top: int, mountpoint: str, missing: Missing) -> dict[int, str]:
    """Cover the place of what is missing, so that nothing gets below it; return the device.

    A place that is not there is not made: it is not known what it should be.
    """
    try:
        target = openat2(top, missing.target, os.O_PATH, RESOLVE_IN_ROOT)
    except OSError:
        return {}
    try:
        cover = k.new_filesystem("tmpfs", "", ("mode=555",))
        try:
            device = os.fstat(cover).st_dev
            if not stat.S_ISDIR(os.fstat(target).st_mode):
                whole, cover = cover, _file_of(cover, mountpoint)
                os.close(whole)
            k.mount_setattr(cover, k.MOUNT_ATTR_RDONLY)
            k.move_mount(cover, target)
        finally:
            os.close(cover)
    finally:
        os.close(target)
    return {device: missing.why}


def _file_of(tree: int, mountpoint: str) -> int:
    """Return a mount of a new file in a mount that is attached nowhere yet, nor afterwards.

    Before Linux 6.15 only what is attached can be copied. The mountpoint will do: who has the root
    has it open.
    """
    os.close(os.open("file", os.O_CREAT | os.O_CLOEXEC, 0o444, dir_fd=tree))
    place = os.open(mountpoint, _ROOT)
    try:
        k.move_mount(tree, place)
    finally:
        os.close(place)
    try:
        return k.open_tree(tree, "file", k.OPEN_TREE_CLONE)
    finally:
        k.umount2(mountpoint, k.MNT_DETACH)


def _attach(source: str, target: int, flags: int, *, read_only: bool = False) -> None:
    try:
        tree = k.open_tree(k.AT_FDCWD, source, flags)
        try:
            if read_only:
                k.mount_setattr(tree, k.MOUNT_ATTR_RDONLY, flags=k.AT_RECURSIVE)
            k.move_mount(tree, target)
        finally:
            os.close(tree)
    finally:
        os.close(target)


def _in_thread(make: Callable[[], View]) -> View:
    """Call it in a thread of its own: what it does to its namespaces ends with that."""
    made: list[View] = []
    failed: list[BaseException] = []

    def work() -> None:
        try:
            made.append(make())
        except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
            failed.append(error)

    thread = threading.Thread(target=work, name="view")
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return made[0]
