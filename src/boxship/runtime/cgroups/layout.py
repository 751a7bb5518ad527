"""Which cgroup hierarchies this machine has, and where they are mounted."""

import os

from boxship.base.files import opened
from boxship.base.frozen import dataclass

V1_CONTROLLERS = frozenset(
    ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids", "hugetlb",
     "net_cls", "net_prio", "perf_event", "rdma", "misc")
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted v1 hierarchy; ``controllers`` is empty for a named one such as systemd's."""

    mount: str
    controllers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """``unified`` is where cgroup2 is mounted; without it the machine is plain v1."""

    hierarchies: tuple[Hierarchy, ...] = ()
    unified: str = ""
    unified_controllers: tuple[str, ...] = ()
    swap_accounting: bool = True
    block_weight_file: str = ""
    """``blkio.weight``, ``blkio.bfq.weight`` or ``io.bfq.weight``…; empty when there is none."""

    @property
    def version(self) -> int:
        """2 when cgroup2 is alone, else 1 (hybrid counts as 1, as Docker says it)."""
        return 1 if self.hierarchies or not self.unified else 2

    def hierarchy_of(self, controller: str) -> Hierarchy | None:
        """Return the v1 hierarchy that has ``controller``."""
        return next((h for h in self.hierarchies if controller in h.controllers), None)


def parse_layout(mountinfo: str) -> Layout:
    """Read the hierarchies from the text of ``/proc/self/mountinfo``; the first mount counts."""
    hierarchies: dict[tuple[str, ...], Hierarchy] = {}
    unified = ""
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fstype, _, super_options = after.split(" ", 2)
        mount = before.split(" ")[4]
        if fstype == "cgroup2" and not unified:
            unified = mount
        elif fstype == "cgroup":
            options = super_options.split(",")
            controllers = tuple(option for option in options if option in V1_CONTROLLERS)
            key = controllers or tuple(option for option in options if option.startswith("name="))
            hierarchies.setdefault(key, Hierarchy(mount, controllers))
    return Layout(tuple(hierarchies.values()), unified)


_found: list[Layout] = []


def find_layout() -> Layout:
    """Look at this machine."""
    found = parse_layout(_read("/proc/self/mountinfo"))
    controllers: tuple[str, ...] = ()
    if found.unified:
        controllers = tuple(_read(f"{found.unified}/cgroup.controllers").split())
    memory, block = found.hierarchy_of("memory"), found.hierarchy_of("blkio")
    swap = memory is None or os.path.exists(f"{memory.mount}/memory.memsw.limit_in_bytes")
    weight = ""
    if block:
        names = ("blkio.weight", "blkio.bfq.weight")
        weight = next((n for n in names if os.path.exists(f"{block.mount}/{n}")), "")
    return Layout(found.hierarchies, found.unified, controllers, swap, weight)


def host_layout() -> Layout:
    """Return what ``find_layout`` found the first time; hierarchies do not change at run time."""
    if not _found:
        _found.append(find_layout())
    return _found[0]


def _read(path: str) -> str:
    with opened(path, os.O_RDONLY) as fd, open(fd, encoding="utf-8", closefd=False) as stream:
        return stream.read()
