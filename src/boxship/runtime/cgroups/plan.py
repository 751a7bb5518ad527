"""From limits and a machine's layout to a ``CgroupPlan``. Pure."""

from boxship.base.errors import InvalidArgumentError
from boxship.oci.runtime import Resources
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite
from boxship.runtime.cgroups import v1, v2
from boxship.runtime.cgroups.layout import Layout


def plan_cgroup(path: str, resources: Resources, layout: Layout) -> CgroupPlan:
    """Plan the directory ``path`` (``/boxship/<id>``) in every hierarchy.

    Hierarchies that are missing do not matter until a limit needs one: then InvalidArgumentError.
    Hybrid machines get a directory in the unified hierarchy too. It has no controllers, yet it
    can kill and count what is inside in one go.
    """
    relative = path.strip("/")
    directories = tuple(
        CgroupDirectory(h.mount, f"{h.mount}/{relative}", h.controllers) for h in layout.hierarchies
    )
    if layout.unified:
        controllers = layout.unified_controllers if layout.version == 2 else ()
        unified = CgroupDirectory(
            layout.unified, f"{layout.unified}/{relative}", controllers, unified=True
        )
        directories += (unified,)
    return CgroupPlan(directories, plan_writes(resources, layout))


def plan_writes(resources: Resources, layout: Layout) -> tuple[CgroupWrite, ...]:
    """Plan the values alone, as for an update of a running container."""
    if layout.version == 2:
        wanted = tuple(v2.writes(resources))
        available = frozenset(layout.unified_controllers)
    else:
        wanted = tuple(v1.writes(resources, layout))
        available = frozenset(c for h in layout.hierarchies for c in h.controllers)
    kept = []
    for write in wanted:
        if not write.controller or write.controller in available:
            kept.append(write)
        elif write.limit != "devices":
            raise InvalidArgumentError(
                f"cannot set {write.limit} limit: container could not join or create cgroup"
            )
    return tuple(kept)
