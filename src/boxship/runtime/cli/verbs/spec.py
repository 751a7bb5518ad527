"""``spec``: write a config.json to start from."""

import json
import os

from boxship.base.errors import ConflictError
from boxship.base.frozen import replace
from boxship.oci.runtime import (
    Capabilities,
    IdMapping,
    Linux,
    Mount,
    Namespace,
    Process,
    Resources,
    Rlimit,
    Root,
    Spec,
)
from boxship.runtime.cli.bundle import CONFIG
from boxship.runtime.cli.call import Call
from boxship.runtime.defaults import default_spec

_GIVEN = ("CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE")


def run(call: Call) -> int:
    """Write it; one that is there stays."""
    path = os.path.join(call.arguments.text("bundle"), CONFIG)
    made = default_spec(("sh",), terminal=True)
    made = replace(made, root=Root("rootfs", readonly=True), process=_modest(made.process))
    if call.arguments.switch("rootless"):
        made = _rootless(made)
    document = made.to_json()
    # Left out as what goes without saying, but people edit it.
    document["process"].setdefault("user", {"uid": 0, "gid": 0})
    text = json.dumps(document, indent="\t") + "\n"
    try:
        with open(path, "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise ConflictError(f"File {path} exists. Remove it first") from None
    return 0


def _modest(process: Process | None) -> Process:
    """Begin with as little as runc's file does, not with what Docker's containers may."""
    assert process is not None
    return replace(
        process,
        capabilities=Capabilities(bounding=_GIVEN, effective=_GIVEN, permitted=_GIVEN),
        rlimits=(Rlimit("RLIMIT_NOFILE", 1024, 1024),),
        no_new_privileges=True,
    )


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
