"""``spec``: write a config.json to start from."""

import json
import os

from boxship.base.errors import ConflictError
from boxship.base.frozen import replace
from boxship.oci.runtime import IdMapping, Linux, Mount, Namespace, Resources, Root, Spec
from boxship.runtime.cli.bundle import CONFIG
from boxship.runtime.cli.call import Call
from boxship.runtime.defaults import default_spec


def run(call: Call) -> int:
    """Write it; one that is there stays."""
    path = os.path.join(call.arguments.text("bundle"), CONFIG)
    made = default_spec(("sh",), terminal=True)
    made = replace(made, root=Root("rootfs", readonly=True))
    if call.arguments.switch("rootless"):
        made = _rootless(made)
    text = json.dumps(made.to_json(), indent="\t") + "\n"
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConflictError(f"File {path} exists. Remove it first") from None
    return 0


def _rootless(spec: Spec) -> Spec:
    """Leave out what only root may do: cgroups, a network of its own, foreign ids."""
    kept = [one for one in spec.linux.namespaces if one.type not in ("network", "user")]
    linux: Linux = replace(
        spec.linux,
        namespaces=(*kept, Namespace("user")),
        uid_mappings=(IdMapping(0, os.geteuid(), 1),),
        gid_mappings=(IdMapping(0, os.getegid(), 1),),
        resources=Resources(),
    )
    mounts = tuple(_rootless_mount(mount) for mount in spec.mounts if mount.type != "cgroup")
    return replace(spec, linux=linux, mounts=mounts)


def _rootless_mount(mount: Mount) -> Mount:
    if mount.type == "sysfs":
        return Mount("/sys", "none", "/sys", ("rbind", "nosuid", "noexec", "nodev", "ro"))
    options = tuple(option for option in mount.options if not option.startswith(("gid=", "uid=")))
    return replace(mount, options=options)
