"""``checkpoint``: save a running container by criu, and end it unless told otherwise."""

import json
import os

from boxship.base.errors import ConflictError
from boxship.base.files import write_atomic
from boxship.runtime.cli import criu
from boxship.runtime.cli.bundle import load_spec
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.ending import remove_container
from boxship.runtime.cli.store import PAUSED, RUNNING, Record, Store

EXTERNAL = "boxship-external.json"


def run(call: Call) -> int:
    """Write the images."""
    program = criu.find_criu(call.common.text("criu"))
    store = Store(call.root)
    record = store.load(call.container_id)
    status = store.status(record)
    if status not in (RUNNING, PAUSED):
        raise ConflictError(f"cannot checkpoint a container that is {status}")
    images = criu.images_of(call.arguments)
    os.makedirs(images, 0o700, exist_ok=True)
    externals = _external_mounts(record)
    saved = json.dumps({"mounts": externals}).encode()
    write_atomic(f"{images}/{EXTERNAL}", saved, durable=False)
    pre_dump = call.arguments.switch("pre-dump")
    work = os.path.abspath(call.arguments.text("work-path") or images)
    criu.run_criu(program, _options(call, record, images, externals), f"{work}/{criu.DUMP_LOG}")
    if not pre_dump and not call.arguments.switch("leave-running"):
        remove_container(call, store, record)
    return 0


def _options(call: Call, record: Record, images: str, externals: list[str]) -> list[str]:
    arguments = call.arguments
    pre_dump = arguments.switch("pre-dump")
    options = ["pre-dump" if pre_dump else "dump", "--tree", str(record.pid)]
    options += criu.common_options(arguments, images, criu.DUMP_LOG)
    options += ["--root", record.rootfs]
    for target in externals:
        options += ["--external", f"mnt[{target}]:{target}"]
    for name, option in (("parent-path", "--prev-images-dir"), ("page-server", "--address")):
        if value := arguments.text(name):
            options += [option, value]
    if pre_dump or arguments.text("parent-path"):
        options.append("--track-mem")
    if arguments.given("status-fd"):
        options += ["--status-fd", arguments.text("status-fd")]
    if arguments.switch("leave-running"):
        options.append("--leave-running")
    return options


def _external_mounts(record: Record) -> list[str]:
    """Return where things from outside of the root are mounted in the container."""
    spec = load_spec(record.bundle)
    binds = [one for one in spec.mounts if one.type == "bind" or "bind" in one.options]
    binds += [one for one in spec.mounts if "rbind" in one.options and one not in binds]
    return [mount.destination for mount in binds]
