"""Carry out setup steps, one function per kind, without taking a decision.

The container's root is a descriptor from the moment it is mounted; every target is resolved from
it. ``walk`` names the step that failed in ``StepError`` and notes when each one ended.
"""

from __future__ import annotations

import os
import stat
import time

from boxship.base.frozen import dataclass, field
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.kernel import mounts as k
from boxship.kernel.namespaces import CLONE_FLAGS
from boxship.kernel.terminal import PTMX_DEVICE
from boxship.runtime import mounts, steps
from boxship.runtime.kernel import Kernel
from boxship.runtime.paths import ensure_directory, open_in_procfs, open_inside

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from boxship.runtime.userns_maps import Map


class StepError(Exception):
    """A step failed in this process; the original error is the cause."""

    def __init__(self, step: str, errno: int, message: str, exit_code: int = 125) -> None:
        super().__init__(message)
        self.step, self.errno, self.message, self.exit_code = step, errno, message, exit_code


@dataclass(slots=True)
class Setup:
    """What steps share: the kernel, the root's descriptor, and the way to the parent."""

    kernel: Kernel
    hand_out: Callable[[int], None]
    """Gives the pty's master side to the parent."""
    root: int = -1
    peer: int = -1
    """The pty's side for the process itself; -1 without a terminal."""
    trees: dict[tuple[str, str], int] = field(default_factory=dict)
    """Copies made by CopyTree, by source and target."""
    owners: dict[tuple[Map, Map], int] = field(default_factory=dict)
    """User namespaces by their maps of users and groups."""
    staging: int = -1
    """The staging area's mount; -1 without one."""
    staged: dict[str, int] = field(default_factory=dict)
    """Copies made by StageTree, by name."""
    host_network: int = -1
    """A netlink socket of the network namespace we came from; -1 without need of it."""
    pid_namespace: int = -1
    """Another container's, which the process will be born into; -1 otherwise."""
    ended: list[int] = field(default_factory=list)


def walk(plan_steps: Sequence[steps.Step], setup: Setup) -> None:
    """Carry out the steps in order; raise StepError for the first that fails."""
    note, clock = setup.ended.append, time.monotonic_ns
    for step in plan_steps:
        try:
            _APPLY[type(step)](setup, step)
        except OSError as error:
            number = error.errno or 0
            words = error.strerror or os.strerror(number)
            where = f" {error.filename!r}" if error.filename else ""
            message = f"{describe(step)}: {words}{where}"
            raise StepError(type(step).__name__, number, message) from error
        note(clock())


_SUBJECTS = ("target", "path", "source", "key")


def describe(step: steps.Step) -> str:
    """Name a step and what it is about: ``mount /proc``."""
    kind = type(step).__name__
    subject = next((s for s in (getattr(step, n, "") for n in _SUBJECTS) if s), "")
    return f"{kind} {subject}".rstrip()


def _unshare(setup: Setup, step: steps.Unshare) -> None:
    setup.kernel.unshare(sum(CLONE_FLAGS[kind] for kind in step.kinds))


def _join(setup: Setup, step: steps.JoinNamespace) -> None:
    fd = setup.kernel.open(step.source, os.O_RDONLY)
    setup.kernel.setns(fd, CLONE_FLAGS[step.kind])
    setup.kernel.close(fd)


def _propagation(setup: Setup, step: steps.SetPropagation) -> None:
    bits, flags = mounts.propagation_bits(step.propagation)
    setup.kernel.mount("", "/", "", bits | (k.MS_REC if flags else 0))


def _copy_tree(setup: Setup, step: steps.CopyTree) -> None:
    tree = mounts.copy_tree_at(setup.kernel, step.source, step.recursive)
    if step.uid_map or step.gid_map:
        _rare("map_owners")(setup, step, tree)
    setup.trees[step.source, step.target] = tree


def _mount(setup: Setup, step: steps.Mount) -> None:
    made = -1
    if step.fstype == "proc" and setup.pid_namespace >= 0:
        latecomer = load("boxship.runtime.latecomer")
        made = latecomer.new_procfs(setup, step.source, step.options, step.attributes)
    mounts.mount_new(setup.kernel, setup.root, step, made)


def _bind(setup: Setup, step: steps.BindMount) -> None:
    tree = setup.trees.pop((step.source, step.target), -1)
    if step.staged:
        # With all that is below, which is locked here: the copy has been limited when it was made.
        tree = mounts.copy_tree_at(setup.kernel, step.staged, recursive=True)
    elif tree < 0:
        tree = mounts.copy_tree_at(setup.kernel, step.source, step.recursive)
    mounts.mount_bind(setup.kernel, setup.root, step, tree)


def _overlay(setup: Setup, step: steps.MountOverlay) -> None:
    if step.staged:
        _rare("stage_overlay", "staging")(setup, step)
    elif step.uid_map:
        _rare("mapped_overlay", "staging")(setup, step)
    else:
        setup.root = mounts.mount_overlay(setup.kernel, step)


def _directory_root(setup: Setup, step: steps.MountDirectory) -> None:
    setup.root = load("boxship.runtime.staging").mount_directory(setup, step)


def _bind_root(setup: Setup, step: steps.BindRoot) -> None:
    setup.root = mounts.bind_root(setup.kernel, step)


def _node(setup: Setup, step: steps.MakeNode) -> None:
    kernel = setup.kernel
    parent, _, name = step.path.rpartition("/")
    kind = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}[step.kind]
    directory = ensure_directory(kernel, setup.root, parent or "/")
    device = os.makedev(step.major, step.minor)
    try:
        kernel.mknod_at(directory, name, kind | step.mode, device)
    except FileExistsError:
        _check_node(kernel, directory, name, kind, device)
    if step.uid or step.gid:
        fd = kernel.open_at(directory, name, os.O_PATH | os.O_NOFOLLOW)
        kernel.chown(fd, step.uid, step.gid)
        kernel.close(fd)
    kernel.close(directory)


def _check_node(kernel: Kernel, directory: int, name: str, kind: int, device: int) -> None:
    fd = kernel.open_at(directory, name, os.O_PATH | os.O_NOFOLLOW)
    status = kernel.fstat(fd)
    kernel.close(fd)
    if stat.S_IFMT(status.st_mode) != kind or status.st_rdev != device:
        raise FileExistsError(17, "something else is there", name)


def _link(setup: Setup, step: steps.MakeLink) -> None:
    parent, _, name = step.path.rpartition("/")
    directory = ensure_directory(setup.kernel, setup.root, parent or "/")
    with suppress(FileExistsError):
        setup.kernel.symlink_at(step.content, directory, name)
    setup.kernel.close(directory)


def _console(setup: Setup, step: steps.MakeConsole) -> None:
    kernel = setup.kernel
    master, setup.peer = open_pty(kernel, setup.root, step.height, step.width)
    mounts.attach_console(kernel, setup.root, setup.peer)
    setup.hand_out(master)
    kernel.close(master)


def open_pty(kernel: Kernel, root: int, height: int, width: int) -> tuple[int, int]:
    """Open a pty of the container's own devpts, having made sure that it is one."""
    probe = open_inside(kernel, root, "/dev/pts/ptmx", follow=False)
    _check_ptmx(kernel, probe)
    kernel.close(probe)
    flags = os.O_RDWR | os.O_NOCTTY
    master = open_inside(kernel, root, "/dev/pts/ptmx", flags, follow=False)
    _check_ptmx(kernel, master)
    peer = kernel.open_peer(master)
    if height and width:
        kernel.set_window_size(master, height, width)
    return master, peer


def _check_ptmx(kernel: Kernel, fd: int) -> None:
    wrong_device = kernel.fstat(fd).st_rdev != PTMX_DEVICE
    if wrong_device or kernel.filesystem_magic(fd) != k.DEVPTS_SUPER_MAGIC:
        raise PermissionError(1, "not a pty multiplexer", "/dev/pts/ptmx")


def _sysctl(setup: Setup, step: steps.WriteSysctl) -> None:
    kernel = setup.kernel
    # The host's /proc shows the namespaces of whoever opens it, so the container's own (which
    # its image could have prepared) is not needed.
    fd = open_in_procfs(kernel, "sys/" + sysctl_path(step.key), os.O_WRONLY)
    kernel.write(fd, step.value.encode())
    kernel.close(fd)


def sysctl_path(key: str) -> str:
    """Return the path below /proc/sys: of ``a.b/1.c`` and ``a/b.1/c`` alike ``a/b.1/c``.

    Whichever comes first separates, and the other one is part of a name (sysctl.d(5)).
    """
    slash, dot = key.find("/"), key.find(".")
    if dot < 0 or 0 <= slash < dot:
        return key
    return key.translate({ord("."): "/", ord("/"): "."})


def _directory(setup: Setup, step: steps.MakeDirectory) -> None:
    setup.kernel.close(ensure_directory(setup.kernel, setup.root, step.path, step.mode))


def _readonly_root(setup: Setup, _: steps.ReadonlyRoot) -> None:
    setup.kernel.mount_setattr(setup.root, k.MOUNT_ATTR_RDONLY)


def _pivot(setup: Setup, step: steps.PivotRoot) -> None:
    """Stack the old root under the new one and let go of it: no directory for it is needed."""
    kernel = setup.kernel
    kernel.fchdir(setup.root)
    if step.by_move:
        kernel.mount(".", "/", "", k.MS_MOVE)
        kernel.chroot(".")
    else:
        kernel.pivot_root(".", ".")
        kernel.umount2(".", k.MNT_DETACH)
    kernel.chdir("/")
    kernel.close(setup.root)


def _rare(name: str, module: str = "apply_rare") -> Callable[..., None]:
    """Return a function that calls the one of this name in a module for rare steps.

    It is loaded by the process that needs it, before it leaves the host's file system, and never
    by the launcher, in whose memory it would be a burden to every shim.
    """

    def call(*arguments: Any) -> None:
        getattr(load(f"boxship.runtime.{module}"), name)(*arguments)

    return call


_APPLY: dict[type[steps.Step], Callable[[Setup, Any], None]] = {
    steps.Unshare: _unshare,
    steps.JoinNamespace: _join,
    steps.LoopbackUp: lambda setup, _: setup.kernel.loopback_up(),
    steps.SetHostname: lambda setup, step: setup.kernel.sethostname(step.name),
    steps.SetDomainname: lambda setup, step: setup.kernel.setdomainname(step.name),
    steps.SetPropagation: _propagation,
    steps.MountOverlay: _overlay,
    steps.MountDirectory: _directory_root,
    steps.BindRoot: _bind_root,
    steps.Mount: _mount,
    steps.CopyTree: _copy_tree,
    steps.MakeStaging: _rare("make_staging", "staging"),
    steps.EnterStaging: _rare("enter_staging", "staging"),
    steps.StageTree: _rare("stage_tree", "staging"),
    steps.StageNode: _rare("stage_node", "staging"),
    steps.NewTimeNamespace: _rare("new_time_namespace"),
    steps.HoldHostNetwork: _rare("hold_host_network"),
    steps.MoveInterfaces: _rare("move_interfaces"),
    steps.BindMount: _bind,
    steps.MakeNode: _node,
    steps.MakeLink: _link,
    steps.MakeConsole: _console,
    steps.MountCgroup1: lambda setup, step: mounts.mount_cgroup1(setup.kernel, setup.root, step),
    steps.WriteSysctl: _sysctl,
    steps.MaskPaths: lambda setup, step: mounts.mask_paths(setup.kernel, setup.root, step.paths),
    steps.ReadonlyPaths: lambda setup, step: mounts.readonly_paths(
        setup.kernel, setup.root, step.paths
    ),
    steps.MakeDirectory: _directory,
    steps.ReadonlyRoot: _readonly_root,
    steps.PivotRoot: _pivot,
}
