"""User and time namespaces, and mounts that show other owners: all against the real kernel."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.oci.runtime import (
    IdMapping,
    Mount,
    Namespace,
    TimeOffset,
    TimeOffsets,
    User,
)
from boxship.runtime.blueprint import CgroupPlan
from boxship.runtime.process import spawn_init
from support.boxes import Box, Container, Outcome, captured, in_a_shim

pytestmark = pytest.mark.privileged

FIRST = 100_000
MAPS = (IdMapping(0, FIRST, 65536),)


def give(box: Box, owner: int) -> None:
    """Let ``owner`` own all of the box and find the way to it."""
    for name in ("upper", "work", "mountpoint", "l"):
        (box.place / name).mkdir()
    for directory, _, files in os.walk(box.place):
        for name in ("", *files):
            os.lchown(os.path.join(directory, name), owner, owner)
    for parent in (box.place, *box.place.parents):
        if parent.is_relative_to("/tmp") and parent != Path("/tmp"):
            parent.chmod(0o755)


@pytest.fixture
def mapped(box: Box) -> Iterator[Box]:
    """A box with a user namespace of its own, whose root owns the root file system."""
    give(box, FIRST)
    namespaces = (*box.spec.linux.namespaces, Namespace("user"))
    box.change_linux(namespaces=namespaces, uid_mappings=MAPS, gid_mappings=MAPS)
    yield box


@pytest.mark.spec("linux.uidMappings", "linux.gidMappings")
def test_root_inside_is_somebody_outside(mapped: Box) -> None:
    def work(container: Container) -> tuple[str, int, Outcome]:
        status = Path(f"/proc/{container.spawned.pid}/status").read_text()
        uid = next(line for line in status.splitlines() if line.startswith("Uid:"))
        owner = os.stat(f"/proc/{container.spawned.pid}/ns/pid")
        inside = container.execute("sh", "-c", "id -u; cat /proc/self/uid_map; echo $$")
        return uid.split()[1], owner.st_ino, inside

    uid, _, inside = mapped.with_running(work)
    assert uid == str(FIRST)
    assert inside.output.split()[:4] == ["0", "0", str(FIRST), "65536"]


def test_it_is_pid_1_with_devices_and_a_proc_of_its_own(mapped: Box) -> None:
    script = (
        "echo $$; ls /proc | grep -c '^[0-9]'; echo lost > /dev/null; stat -c %t:%T /dev/zero;"
        "cat /proc/self/cgroup | wc -l; mount -t tmpfs x /tmp && echo mounted;"
        "touch /tmp/mine; stat -c %u /tmp/mine; grep Cap /proc/self/status"
    )
    result = mapped.run("sh", "-c", script)
    assert result.failure is None
    lines = result.output.splitlines()
    assert lines[0] == "1"
    assert int(lines[1]) < 6
    assert lines[2] == "1:5"


def test_another_user_inside(mapped: Box) -> None:
    result = mapped.run("id", user=User(uid=1000, gid=1001, additional_gids=(10,)))
    assert "uid=1000(user) gid=1001(users) groups=10(wheel)" in result.output


def test_a_missing_map_fails_before_anything_is_made(mapped: Box) -> None:
    mapped.change_linux(uid_mappings=(IdMapping(5, FIRST, 10),))
    result = mapped.run("true")
    # Without a user 0 inside, files cannot be made: said, not hung.
    assert result.failure is not None


def test_a_bad_map_is_named(mapped: Box) -> None:
    overlapping = (IdMapping(0, FIRST, 10), IdMapping(5, FIRST + 50, 10))
    mapped.change_linux(uid_mappings=overlapping)
    failure = mapped.run("true").failure
    assert failure is not None
    assert "uid_map" in failure[2]


def test_namespaces_of_another_container_are_joined_user_first(mapped: Box) -> None:
    kinds = ("user", "network", "ipc")

    def beside(first: Container) -> tuple[list[str], list[str]]:
        pid = first.spawned.pid
        files = {"network": "net"} | {kind: kind for kind in ("user", "ipc")}
        before = mapped.spec.linux
        joined = tuple(
            replace(n, path=f"/proc/{pid}/ns/{files[n.type]}") if n.type in kinds else n
            for n in before.namespaces
        )
        mapped.change_linux(namespaces=joined, uid_mappings=(), gid_mappings=())
        try:
            script = "; ".join(f"readlink /proc/self/ns/{files[kind]}" for kind in kinds)
            mine = mapped.run("sh", "-c", script)
            assert mine.failure is None, mine.failure
        finally:
            mapped.change_linux(namespaces=before.namespaces, uid_mappings=MAPS, gid_mappings=MAPS)
        return mine.output.split(), [os.readlink(f"/proc/{pid}/ns/{files[k]}") for k in kinds]

    mine, theirs = mapped.with_running(beside)
    assert mine == theirs


def test_exec_cannot_be_traced_from_inside(mapped: Box) -> None:
    """The joining process has our memory until it executes; its memory stays closed to root."""

    def work(container: Container) -> Outcome:
        script = "for p in /proc/[0-9]*; do [ -r $p/mem ] && cat $p/maps; done | grep -c python"
        return container.execute("sh", "-c", script)

    assert mapped.with_running(work).output.strip() == "0"


def clocks(box: Box) -> tuple[float, float]:
    """How far the container's clocks are from ours: boottime (/proc/uptime)."""
    result = box.run("cat", "/proc/uptime")
    assert result.failure is None, result.failure
    return float(result.output.split()[0]) - time.clock_gettime(time.CLOCK_BOOTTIME), 0.0


@pytest.mark.parametrize("own_user", [False, True])
def test_clocks_have_their_offsets(box: Box, mapped: Box, own_user: bool) -> None:
    if not own_user:
        kept = tuple(n for n in box.spec.linux.namespaces if n.type != "user")
        box.change_linux(namespaces=kept, uid_mappings=(), gid_mappings=())
    namespaces = (*box.spec.linux.namespaces, Namespace("time"))
    offsets = TimeOffsets(TimeOffset(100_000, 5), TimeOffset(50_000, 0))
    box.change_linux(namespaces=namespaces, time_offsets=offsets)
    assert abs(clocks(box)[0] - 100_000) < 5

    def work(container: Container) -> tuple[str, str]:
        inside = container.execute("readlink", "/proc/self/ns/time").output.strip()
        return inside, os.readlink(f"/proc/{container.spawned.pid}/ns/time")

    inside, container_time = box.with_running(work)
    assert inside == container_time
    assert inside != os.readlink("/proc/self/ns/time")


@pytest.mark.spec("mounts[].uidMappings", "mounts[].gidMappings")
@pytest.mark.parametrize("own_user", [False, True])
def test_a_mount_shows_other_owners(box: Box, mapped: Box, tmp_path: Path, own_user: bool) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "file").write_text("x")
    os.chown(shared / "file", 7, 8)
    if not own_user:
        kept = tuple(n for n in box.spec.linux.namespaces if n.type != "user")
        box.change_linux(namespaces=kept, uid_mappings=(), gid_mappings=())
    # On disk 0… is shown as FIRST…: inside the user namespace that is 0… again.
    maps = (IdMapping(0, FIRST, 1000),)
    mount = Mount("/data", "bind", str(shared), ("rbind", "idmap"), maps, maps)
    box.spec = replace(box.spec, mounts=(*box.spec.mounts, mount))
    script = "stat -c '%u %g' /data/file; touch /data/new"
    result = box.run("sh", "-c", script)
    assert result.failure is None, result.failure
    assert result.output.strip() == ("7 8" if own_user else f"{FIRST + 7} {FIRST + 8}")
    if own_user:
        assert (shared / "new").stat().st_uid == 0


def test_owners_follow_the_containers_maps_without_ones_own(mapped: Box, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 3, 4)
    mapped.add_mount("/data", "bind", str(shared), ("rbind", "ridmap"))
    result = mapped.run("stat", "-c", "%u %g", "/data")
    assert result.output.split() == ["3", "4"]


def test_without_root_a_single_map_is_ones_own(box: Box) -> None:
    """Rootless: nobody but ourselves is mapped, and no helper is needed."""
    give(box, 1000)
    box.host = replace(box.host, root=False)
    own = (IdMapping(0, 1000, 1),)
    mounts = tuple(
        replace(m, options=tuple(o for o in m.options if not o.startswith("gid=")))
        for m in box.spec.mounts
        if m.type not in ("cgroup", "cgroup2")
    )
    box.spec = replace(box.spec, mounts=mounts)
    box.change_linux(
        namespaces=(*box.spec.linux.namespaces, Namespace("user")),
        uid_mappings=own,
        gid_mappings=own,
    )
    made = replace(box.planned("sh", "-c", "id -u; cat /proc/self/setgroups"), cgroup=CgroupPlan())

    def work() -> Outcome:
        os.setgroups([])
        os.setresgid(1000, 1000, 1000)
        os.setresuid(1000, 1000, 1000)
        null = os.open("/dev/null", os.O_RDWR)
        return captured(lambda out, err: spawn_init(made, null, out, err))

    result = in_a_shim(work)
    assert result.failure is None, result.failure
    assert result.output.split() == ["0", "deny"]
