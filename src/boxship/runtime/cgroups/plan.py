"""From limits and a machine's layout to a ``CgroupPlan``. Pure."""

from __future__ import annotations

from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import replace
from boxship.oci.runtime import IntelRdt, Resources
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan, CgroupWrite
from boxship.runtime.cgroups import v1, v2
from boxship.runtime.cgroups.ebpf import device_program
from boxship.runtime.cgroups.layout import Layout


def plan_cgroup(path: str, resources: Resources, layout: Layout) -> CgroupPlan:
    """Plan the directory ``path`` (``/boxship/<id>``) in every hierarchy.

    Hierarchies that are missing do not matter until a limit needs one: then InvalidArgumentError.
    Hybrid machines get a directory in the unified hierarchy too. It has no controllers but those
    that a limit needs, yet it can kill and count what is inside in one go.
    """
    relative = path.strip("/")
    if ".." in relative.split("/"):
        raise InvalidArgumentError(f"linux.cgroupsPath: {path!r} leads out of the hierarchy")
    writes = plan_writes(resources, layout)
    directories = tuple(
        CgroupDirectory(h.mount, f"{h.mount}/{relative}", h.controllers) for h in layout.hierarchies
    )
    program = b""
    if layout.unified:
        controllers = layout.unified_controllers
        if layout.version != 2:
            used = {write.controller for write in writes}
            controllers = tuple(each for each in controllers if each in used)
        unified = CgroupDirectory(
            layout.unified, f"{layout.unified}/{relative}", controllers, unified=True
        )
        directories += (unified,)
        if layout.version == 2 and resources.devices:
            program = device_program(resources.devices)
    return CgroupPlan(directories, writes, program)


def plan_writes(resources: Resources, layout: Layout) -> tuple[CgroupWrite, ...]:
    """Plan the values alone, as for an update of a running container."""
    for n, page in enumerate(resources.hugepage_limits):
        if not _is_page_size(page.page_size):
            raise InvalidArgumentError(
                f"linux.resources.hugepageLimits[{n}].pageSize: "
                f"{page.page_size!r} is not a size such as 2MB"
            )
    available = frozenset(layout.unified_controllers)
    if layout.version == 2:
        wanted = tuple(v2.writes(resources))
    else:
        wanted = _hybrid_writes(resources, layout)
        available |= frozenset(c for h in layout.hierarchies for c in h.controllers)
    kept = []
    for write in wanted:
        if not write.controller or write.controller in available:
            kept.append(write)
        elif write.limit != "devices":
            raise InvalidArgumentError(
                f"cannot set {write.limit} limit: container could not join or create cgroup"
            )
    return tuple(kept)


def _hybrid_writes(resources: Resources, layout: Layout) -> tuple[CgroupWrite, ...]:
    """Speak v1, and v2 for the controllers that this machine has there."""
    unified = list(v2.unified(resources))
    if unified and not layout.unified:
        raise InvalidArgumentError("linux.resources.unified: this machine has no cgroup v2")
    if resources.hugepage_limits and "hugetlb" in layout.unified_controllers:
        unified = [w for page in resources.hugepage_limits for w in v2.hugepages(page)] + unified
        resources = replace(resources, hugepage_limits=())
    return (*v1.writes(resources, layout), *unified)


def with_resctrl(
    plan: CgroupPlan, wanted: IntelRdt | None, container_id: str, mount: str
) -> CgroupPlan:
    """Add a group of resctrl's, which is made, filled and joined like a cgroup of v1."""
    if wanted is None:
        return plan
    name = wanted.clos_id or container_id
    if "/" in name or name in (".", "..", "info", "mon_groups", "mon_data"):
        raise InvalidArgumentError(f"linux.intelRdt.closID: {name!r} is not a group's name")
    lines = [*wanted.schemata, wanted.l3_cache_schema, wanted.mem_bw_schema]
    if any("\n" in line for line in lines):
        raise InvalidArgumentError("linux.intelRdt.schemata: a line break in a line")
    group = f"{mount}/{name}"
    directories = [CgroupDirectory(mount, group, ("resctrl",), keep=bool(wanted.clos_id))]
    if wanted.enable_monitoring or wanted.enable_cmt or wanted.enable_mbm:
        directories.append(CgroupDirectory(mount, f"{group}/mon_groups/{container_id}", ("mon",)))
    writes = tuple(
        CgroupWrite("intelRdt", "resctrl", "schemata", f"{line}\n") for line in lines if line
    )
    return replace(
        plan, directories=(*plan.directories, *directories), writes=(*plan.writes, *writes)
    )


def _is_page_size(text: str) -> bool:
    """Tell whether ``text`` is like 2MB."""
    number, unit = text[:-2], text[-2:]
    return number.isascii() and number.isdigit() and number[0] != "0" and unit in ("KB", "MB", "GB")
