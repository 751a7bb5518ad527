"""From a runtime spec to the plan of a container that another runtime makes. Pure.

What is left for us is the root, stacked in a mount namespace of the starter's own: the host never
sees it, and nothing of it stays when everybody is killed. ::

    setup    the root, and the working directory in it
    cgroup   where the runtime puts the container, as we have told it: for whoever counts, freezes
             or kills its processes, and removes what a killed runtime leaves
    foreign  the program, and the bundle's config.json but for what only the root can tell: the
             user's numbers (``container.py`` looks them up)
"""

import json
from collections.abc import Iterator

from boxship.base.frozen import replace
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.blueprint import CgroupPlan, ForeignPlan, Plan, ProcessPlan
from boxship.runtime.plan import rlimit, triples
from boxship.runtime.userns_maps import Map

_VERSION = "1.0.2"
"""What every runtime in use knows; nothing newer is asked for unless the container needs it."""


def plan(
    spec: oci.Spec,
    container_id: str,
    cgroup: CgroupPlan,
    root: steps.MountedRoot,
    foreign: ForeignPlan,
) -> Plan:
    """Plan the start of ``container_id``; ``foreign`` is complete but for ``config``."""
    assert spec.process is not None
    process = plan_process(spec.process)
    kinds = {namespace.type: namespace.path for namespace in spec.linux.namespaces}
    users = _maps(spec.linux) if "user" in kinds else ((), ())
    # With other owners, only the container's own root can make something in it; runtimes do.
    makes_cwd = process.cwd != "/" and not any(users)
    return Plan(
        container_id=container_id,
        process=process,
        setup=(
            steps.Unshare(("mnt",)),
            *_peers(spec),
            steps.SetPropagation("rslave"),
            replace(root, uid_map=users[0], gid_map=users[1]),
            *((steps.MakeDirectory(process.cwd),) if makes_cwd else ()),
        ),
        cgroup=cgroup,
        new_pid_namespace=kinds.get("pid") == "",
        foreign=replace(foreign, config=_config(spec, root.mountpoint)),
    )


def _maps(linux: oci.Linux) -> tuple[Map, Map]:
    return triples(linux.uid_mappings), triples(linux.gid_mappings)


def _peers(spec: oci.Spec) -> Iterator[steps.Step]:
    """What the container shares with the host, the runtime must find as a peer of the host's.

    The copies come to lie over what they are copies of, in our mount namespace.
    """
    for mount in spec.mounts:
        if not {"shared", "rshared"}.isdisjoint(mount.options):
            yield steps.CopyTree(mount.source, mount.source, "rbind" in mount.options)


def plan_process(process: oci.Process) -> ProcessPlan:
    """Plan a process of its own, for init and for exec alike."""
    return ProcessPlan(
        args=process.args,
        env=process.env,
        cwd=process.cwd,
        terminal=process.terminal,
        height=process.console_size.height if process.console_size else 0,
        width=process.console_size.width if process.console_size else 0,
        user=process.user.username,
        uid=process.user.uid,
        gid=process.user.gid,
        groups=process.user.additional_gids,
        rlimits=tuple(rlimit(limit) for limit in process.rlimits),
        document=json.dumps(process.to_json(), separators=(",", ":")),
    )


def _config(spec: oci.Spec, root: str) -> str:
    """Return config.json without its process."""
    sysctl = spec.linux.sysctl
    if spec.domainname:
        # The field is younger than the runtimes; dockerd says it in this way, too.
        sysctl = {**sysctl, "kernel.domainname": spec.domainname}
    written = replace(
        spec,
        oci_version=_VERSION,
        process=None,
        root=oci.Root(root, spec.root.readonly if spec.root else False),
        domainname="",
        linux=replace(spec.linux, sysctl=sysctl),
    )
    return json.dumps(written.to_json(), separators=(",", ":"))
