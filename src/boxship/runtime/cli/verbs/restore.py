"""``restore``: bring a saved container back by criu."""

import fcntl
import os

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.base.suppress import suppress
from boxship.kernel import mounts, namespaces
from boxship.kernel.processes import set_child_subreaper
from boxship.runtime import process
from boxship.runtime.blueprint import CgroupPlan, directory_of
from boxship.runtime.cgroups import tree
from boxship.runtime.checkpoint import outside
from boxship.runtime.cli import criu
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.creation import Creation
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.waiting import wait

_PID = "restored.pid"
_FIRST_INHERITED = 200


def run(call: Call) -> int:
    """Return its exit status, 0 when detached."""
    images = criu.images_of(call.arguments)
    if not os.path.isdir(images):
        raise NotFoundError(f"--image-path: {images}: no such checkpoint")
    creation = Creation(call)
    if creation.plan.process.terminal or call.arguments.text("console-socket"):
        raise InvalidArgumentError("process.terminal: a container with a terminal cannot be saved "
                                   "and brought back")  # fmt: skip
    program = criu.find_criu(call.common.text("criu"))
    detached = call.arguments.switch("detach")
    if not (detached or call.arguments.switch("no-subreaper")):
        set_child_subreaper()
    spawned = creation.make_by(lambda: _restore(program, creation, images))
    if detached:
        return 0
    try:
        return wait(spawned)
    finally:
        remove_container(call, creation.store, creation.store.load(creation.container_id))


def _restore(program: str, creation: Creation, images: str) -> process.Spawned:
    """Have criu make the processes."""
    plan, arguments = creation.plan, creation.arguments
    root = creation.spec.root.path if creation.spec.root else "/"
    pid_file = f"{creation.directory}/{_PID}"
    options = ["restore", "--restore-detached", "--restore-sibling", "--pidfile", pid_file]
    options += criu.common_options(arguments, images, criu.RESTORE_LOG)
    options += ["--root", root]
    for target, source in outside(plan, root, everything=True):
        options += ["--external", f"mnt[{target}]:{source}"]
    for name in ("lsm-profile", "lsm-mount-context"):
        if value := arguments.text(name):
            options += [f"--{name}", value]
    options += _cgroup_roots(plan.cgroup)
    log = f"{criu.work_of(arguments, images)}/{criu.RESTORE_LOG}"
    sources = [*criu.inherited_streams(images), *_open_namespaces(creation)]
    # criu takes descriptors beyond those that it uses itself.
    held = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_INHERITED) for fd, _ in sources]
    for number, (_, name) in zip(held, sources, strict=True):
        options += ["--inherit-fd", f"fd[{number}]:{name}"]

    def before() -> None:
        _give_root(root)
        _join(plan.cgroup)

    tree.create(plan.cgroup)
    criu.run_criu(program, options, log, inherited=held, before=before)
    with open(pid_file, encoding="ascii") as stream:
        pid = int(stream.read())
    with suppress(FileNotFoundError):
        os.unlink(pid_file)
    spawned = process.Spawned(pid, os.pidfd_open(pid), -1, (), ())
    creation.record(spawned)
    creation.announce(spawned)
    return spawned


def _cgroup_roots(cgroup: CgroupPlan) -> list[str]:
    """Say where the saved cgroups are to be now; the unified hierarchy has no controller's name."""
    options = []
    for one in cgroup.directories:
        path = one.path.removeprefix(one.mount)
        names = "" if one.unified else ",".join(one.controllers)
        options += ["--cgroup-root", f"{names}:{path}" if names else path]
    return options


def _join(cgroup: CgroupPlan) -> None:
    tree.join(cgroup)
    if unified := directory_of(cgroup, ""):
        tree.write_file(f"{unified}/cgroup.procs", "0")


def _open_namespaces(creation: Creation) -> list[tuple[int, str]]:
    """Return (descriptor, name in the images) of namespaces to join."""
    return [
        (namespaces.open_namespace(path), name.partition(":")[2])
        for name, path in criu.joined_namespaces(creation.spec)
    ]


def _give_root(root: str) -> None:
    """Make the root a mount, as criu wants it, where it goes away with criu."""
    namespaces.unshare(namespaces.CLONE_FLAGS["mnt"])
    mounts.mount("", "/", "", mounts.MS_REC | mounts.MS_SLAVE)
    mounts.mount(root, root, "", mounts.MS_BIND | mounts.MS_REC)
