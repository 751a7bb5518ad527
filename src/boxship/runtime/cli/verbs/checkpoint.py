"""``checkpoint``: save a running container by criu, and end it unless told otherwise."""

import os

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.runtime.checkpoint import outside
from boxship.runtime.cli import criu
from boxship.runtime.cli.bundle import load_spec
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.store import PAUSED, RUNNING, Record, Store
from boxship.runtime.host import Host
from boxship.runtime.plan import plan


def run(call: Call) -> int:
    """Write the images."""
    store = Store(call.root)
    record = store.load(call.container_id)
    status = store.status(record)
    if status not in (RUNNING, PAUSED):
        raise ConflictError(f"cannot checkpoint a container that is {status}")
    if record.process.terminal:
        raise InvalidArgumentError("cannot checkpoint a container with a terminal: its other end "
                                   "is outside")  # fmt: skip
    program = criu.find_criu(call.common.text("criu"))
    images = criu.images_of(call.arguments)
    options = _options(call, record, images)
    os.makedirs(images, 0o700, exist_ok=True)
    pre_dump = call.arguments.switch("pre-dump")
    if not pre_dump:
        criu.save_descriptors(images, record.pid)
    log = f"{criu.work_of(call.arguments, images)}/{criu.DUMP_LOG}"
    status_fd = call.arguments.number("status-fd") if call.arguments.given("status-fd") else -1
    criu.run_criu(program, options, log, inherited=(status_fd,) if status_fd >= 0 else ())
    if not pre_dump and not call.arguments.switch("leave-running"):
        remove_container(call, store, record)
    return 0


def _options(call: Call, record: Record, images: str) -> list[str]:
    arguments = call.arguments
    pre_dump = arguments.switch("pre-dump")
    options = ["pre-dump" if pre_dump else "dump", "--tree", str(record.pid)]
    options += criu.common_options(arguments, images, criu.DUMP_LOG)
    options += ["--root", record.rootfs, *criu.freezer_of(record.cgroup)]
    options += _externals(record)
    if parent := arguments.text("parent-path"):
        _check_parent(parent, images)
        options += ["--prev-images-dir", parent]
    if pre_dump or parent:
        options.append("--track-mem")
    if server := arguments.text("page-server"):
        address, _, port = server.rpartition(":")
        if not (address and port.isdecimal()):
            raise InvalidArgumentError(f"--page-server: {server!r} is not ADDRESS:PORT")
        options += ["--page-server", "--address", address.strip("[]"), "--port", port]
    if arguments.given("status-fd"):
        options += ["--status-fd", arguments.text("status-fd")]
    if arguments.switch("leave-running"):
        options.append("--leave-running")
    return options


def _check_parent(parent: str, images: str) -> None:
    """criu keeps the way from images to their parents, so that both can be moved together."""
    if os.path.isabs(parent):
        raise InvalidArgumentError("--parent-path: must be relative to --image-path")
    if not os.path.isdir(f"{images}/{parent}"):
        raise InvalidArgumentError(f"--parent-path: {images}/{parent}: no such directory")


def _externals(record: Record) -> list[str]:
    """Name the mounts and namespaces that come from outside of the container."""
    spec = load_spec(record.bundle)
    made = plan(spec, record.container_id, Host.look(), bundle=record.bundle)
    mounts = [target for target, _ in outside(made, f"/proc/{record.pid}/root")]
    names = [f"mnt[{target}]:{target}" for target in mounts]
    for name, path in criu.joined_namespaces(spec):
        kind, _, key = name.partition(":")
        names.append(f"{kind}[{os.stat(path).st_ino}]:{key}")
    return [word for name in names for word in ("--external", name)]
