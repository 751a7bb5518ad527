"""What a test left behind: mounts, processes, cgroups, descriptors.

Other programs of the machine mount, fork and make cgroups as well while a test runs, and another
run of this suite is such a program. Therefore only what can be laid at our door counts: mounts of
or below our directories, our descendants and processes that hold our directories, and new cgroups
in which only these live, or nobody if their name is one of this run's. Of the host's network,
which no test is to touch, this run's namespaces, and interfaces with such names as engines give:
unless somebody else's engine makes some, whose they are does not show.
"""

import gc
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

RUN = f"test-{os.getpid()}-"
"""How all cgroups that tests of this run make begin; none is made at the daemon's default place."""
NAMESPACES = Path("/run/netns")
NAMESPACE = f"bx{os.getpid()}-"
"""How the names of this run's network namespaces begin (`machines.py`)."""
_INTERFACES = ("boxship", "bxs", "br-", "veth")
_ENGINES = {b"boxshipd", b"dockerd"}
OWN = "/bx-"  # private daemons' cgroups: their owner, `engine.py`, accounts for them


@dataclass(frozen=True)
class Account:
    """What is there at one moment."""

    mounts: frozenset[str]
    processes: frozenset[str]
    cgroups: frozenset[str]  # where nobody else lives
    inhabited: frozenset[str]  # where somebody else does
    descriptors: frozenset[str]
    interfaces: frozenset[str]
    namespaces: frozenset[str]
    others: bool
    """Somebody else's engine makes interfaces on the host."""

    def beyond(self, earlier: "Account") -> dict[str, list[str]]:
        """What came since `earlier`, by kind; empty if nothing did."""
        news = {
            "mounts": self.mounts - earlier.mounts,
            "processes": self.processes - earlier.processes,
            "cgroups": self.cgroups - earlier.cgroups - earlier.inhabited,
            "descriptors": self.descriptors - earlier.descriptors,
            "network": self.namespaces - earlier.namespaces,
        }
        if not (self.others or earlier.others):
            news["network"] |= self.interfaces - earlier.interfaces
        return {kind: sorted(new) for kind, new in news.items() if new}


def account(*directories: Path) -> Account:
    """Take stock of this process, its descendants, and whatever touches `directories`."""
    gc.collect()
    places = [str(directory) for directory in directories]
    ours = set(descendants(os.getpid())) | {os.getpid()}
    if places:
        ours |= set(holders(places))
    groups = [path for path in cgroups() if OWN not in path]
    alone = frozenset(path for path in groups if _is_ours(path, ours))
    return Account(
        mounts=frozenset(mounts_of(places)),
        processes=frozenset(f"{pid} {title(pid)}" for pid in ours - {os.getpid()}),
        cgroups=alone,
        inhabited=frozenset(groups) - alone,
        descriptors=frozenset(descriptors(os.getpid())),
        interfaces=frozenset(interfaces()),
        namespaces=frozenset(n for n in _listing(NAMESPACES) if n.startswith(NAMESPACE)),
        others=any(_makes_interfaces(pid) for pid in _pids() if pid not in ours),
    )


def _is_ours(cgroup: str, processes: set[int]) -> bool:
    """Whether only our processes are in it; an empty one tells by its name."""
    inside = _inhabitants(cgroup)
    return inside <= processes if inside else f"/{RUN}" in cgroup


def interfaces() -> list[str]:
    """Interfaces on the host that an engine may have made."""
    return [name for name in _listing("/sys/class/net") if name.startswith(_INTERFACES)]


def _makes_interfaces(pid: int) -> bool:
    """Whether it is an engine with networks on the host."""
    words = _read(f"/proc/{pid}/cmdline").split(b"\0")
    names = {os.path.basename(word) for word in words[:2]}
    if not names & _ENGINES or b"--bridge=none" in words:
        return False
    try:
        return os.readlink(f"/proc/{pid}/ns/net") == os.readlink("/proc/self/ns/net")
    except OSError:
        return False  # it is gone


def mounts_of(places: Iterable[str]) -> list[str]:
    """Mount points with one of `places` in their line of mountinfo."""
    lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    wanted = naming(places)
    return [os.fsdecode(line.split()[4]) for line in lines if wanted.search(line)]


def naming(places: Iterable[str]) -> re.Pattern[bytes]:
    """Match where one of them is named, itself or something below it: no /tmp/a-10 for /tmp/a-1."""
    names = b"|".join(re.escape(place).encode() for place in places) or b"(?!)"
    return re.compile(b"(?:%s)(?![\\w-])" % names)


def descendants(root: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for pid in _pids():
        children.setdefault(parent_of(pid), []).append(pid)
    found, rest = [], [root]
    while rest:
        below = children.get(rest.pop(), [])
        found += below
        rest += below
    return found


def holders(places: Iterable[str]) -> Iterator[int]:
    """Processes that name a place in their command line or environment, or have it open."""
    search, own = naming(places).search, os.getpid()
    for pid in _pids():
        if pid != own and any(map(search, _belongings(pid))):
            yield pid


def cgroups() -> list[str]:
    """Every cgroup directory of every hierarchy, below the roots."""
    return [path for root in hierarchies() for path in _below(root)]


def _below(cgroup: str) -> Iterator[str]:
    """Yield the cgroups in one. Most have none, which the number of links tells without a look."""
    try:
        if os.stat(cgroup).st_nlink == 2:
            return
        with os.scandir(cgroup) as entries:
            children = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return  # it is gone
    for child in children:
        yield child
        yield from _below(child)


def hierarchies() -> list[str]:
    """Where cgroup hierarchies are mounted, v1 and v2."""
    text = os.fsdecode(Path("/proc/self/mountinfo").read_bytes())
    rows = [line.split() for line in text.splitlines()]
    return [row[4] for row in rows if row[row.index("-") + 1] in ("cgroup", "cgroup2")]


def descriptors(pid: int) -> list[str]:
    """Open descriptors; sockets and pipes by number, files by name."""
    found, directory = [], f"/proc/{pid}/fd"
    for number in _listing(directory):
        try:
            found.append(f"{number} -> {os.readlink(f'{directory}/{number}')}")
        except OSError:
            continue  # the one that listed the directory
    return found


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def parent_of(pid: int) -> int:
    """Its parent; 0 if it is gone."""
    stat = _read(f"/proc/{pid}/stat")
    # The name in parentheses may hold spaces and parentheses itself.
    return int(stat.rpartition(b")")[2].split()[1]) if stat else 0


def title(pid: int) -> str:
    line = _read(f"/proc/{pid}/cmdline").replace(b"\0", b" ") or _read(f"/proc/{pid}/comm")
    return line.decode(errors="replace").strip()


def _belongings(pid: int) -> Iterator[bytes]:
    yield _read(f"/proc/{pid}/cmdline")
    yield _read(f"/proc/{pid}/environ")
    for name in descriptors(pid):
        yield os.fsencode(name)


def _inhabitants(cgroup: str) -> set[int]:
    found: set[int] = set()
    for path in chain((cgroup,), _below(cgroup)):
        found |= {int(pid) for pid in _read(f"{path}/cgroup.procs").split()}
    return found


def _listing(directory: str | Path) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []  # the process is gone


def _read(path: str) -> bytes:
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""  # the process or the cgroup is gone
    try:
        pieces = []
        while piece := os.read(file, 1 << 16):
            pieces.append(piece)
        return b"".join(pieces)
    except OSError:
        return b""
    finally:
        os.close(file)
