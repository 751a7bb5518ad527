"""``restore``: bring a saved container back by criu."""

import os

from boxship.base.errors import NotFoundError
from boxship.base.frozen import replace
from boxship.kernel.processes import set_child_subreaper
from boxship.runtime import process
from boxship.runtime.cgroups import tree
from boxship.runtime.cli import criu
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.creation import Creation
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.waiting import wait

_PID = "restored.pid"


def run(call: Call) -> int:
    """Return its exit status, 0 when detached."""
    program = criu.find_criu(call.common.text("criu"))
    images = criu.images_of(call.arguments)
    if not os.path.isdir(images):
        raise NotFoundError(f"{images}: no such checkpoint")
    creation = Creation(call)
    detached = call.arguments.switch("detach")
    if not detached:
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
    tree.create(replace(creation.plan.cgroup, writes=()))
    pid_file = f"{creation.directory}/{_PID}"
    arguments = creation.arguments
    options = ["restore", "--restore-detached", "--restore-sibling", "--pidfile", pid_file]
    options += criu.common_options(arguments, images, criu.RESTORE_LOG)
    options += ["--root", creation.spec.root.path if creation.spec.root else "/"]
    for mount in creation.spec.mounts:
        if mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options:
            options += ["--external", f"mnt[{mount.destination}]:{mount.source}"]
    work = os.path.abspath(arguments.text("work-path") or images)
    criu.run_criu(program, options, f"{work}/{criu.RESTORE_LOG}")
    with open(pid_file, encoding="ascii") as stream:
        pid = int(stream.read())
    spawned = process.Spawned(pid, os.pidfd_open(pid), -1, (), ())
    creation.record(spawned)
    creation.announce(spawned)
    return spawned
