"""A root whose layers show other owners than are on disk, in a user namespace: on the real kernel.

On disk everything is as an image has it, from 0 on; outside, the container's users are FIRST….
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.kernel.namespaces import setns
from boxship.oci.runtime import Device, IdMapping, Mount, Namespace, User
from boxship.runtime import steps
from boxship.runtime.blueprint import Plan
from boxship.runtime.pid1 import init_program
from boxship.runtime.process import destroy, spawn_init
from support.boxes import Box, Container, Outcome, captured

pytestmark = pytest.mark.privileged

FIRST = 100_000
COUNT = 65_536
MAPS = (IdMapping(0, FIRST, COUNT),)
TRIPLES = ((0, FIRST, COUNT),)
NET_BIND = 1 << 10


def with_mapped_layers(plan: Plan) -> Plan:
    """Have the overlay of a plan show the owners of its user namespace."""

    def mapped(step: steps.Step) -> steps.Step:
        if not isinstance(step, steps.MountOverlay):
            return step
        return replace(step, upper="upper", work="work", uid_map=TRIPLES, gid_map=TRIPLES)

    return replace(plan, staged=tuple(map(mapped, plan.staged)))


class MappedBox(Box):
    """A box whose containers have mapped layers."""

    def planned(self, *args: str, **changes: object) -> Plan:
        return with_mapped_layers(super().planned(*args, **changes))


@pytest.fixture
def mapped(box: Box) -> Iterator[MappedBox]:
    made = MappedBox(box.place, box.name)
    namespaces = (*made.spec.linux.namespaces, Namespace("user"))
    made.change_linux(namespaces=namespaces, uid_mappings=MAPS, gid_mappings=MAPS)
    (made.place / "l").mkdir()
    # Relative, as in the store: an absolute one would lead out of the mapped mount.
    (made.place / "l" / "a").symlink_to("../rootfs")
    yield made


def said(box: Box, script: str, **changes: object) -> list[str]:
    """What a shell in a new container says."""
    result = box.run("sh", "-c", script, **changes)
    assert result.failure is None, result.failure
    return result.output.splitlines()


def owner(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_uid, status.st_gid


def test_owners_are_seen_as_the_image_has_them(mapped: MappedBox) -> None:
    os.chown(mapped.rootfs / "etc/passwd", 7, 8)
    assert said(mapped, "stat -c %u:%g / /bin/busybox /etc/passwd /dev/null /dev/zero") == [
        "0:0", "0:0", "7:8", "0:0", "0:0",
    ]  # fmt: skip


def test_what_is_written_has_the_images_owners_on_disk(mapped: MappedBox) -> None:
    script = (
        "touch /root-made; mkdir /d; ln -s x /link; mkfifo /fifo; touch /given; chown 5:6 /given;"
        "rm /etc/group; mv /home /house; echo more >> /etc/passwd; touch /tmp/f; ls -lnd /house"
    )
    assert said(mapped, script)[0].split()[2:4] == ["0", "0"]
    upper = mapped.place / "upper"
    for name in ("root-made", "d", "link", "fifo", "etc/passwd", "house", "tmp/f"):
        assert owner(upper / name) == (0, 0), name
    assert owner(upper / "given") == (5, 6)
    whiteout = (upper / "etc/group").lstat()
    assert (whiteout.st_rdev, whiteout.st_uid) == (0, 0)


def test_another_user_writes_as_himself(mapped: MappedBox) -> None:
    mapped.rootfs.joinpath("home/user").chmod(0o700)
    os.chown(mapped.rootfs / "home/user", 1000, 1001)
    user = User(uid=1000, gid=1001)
    assert said(mapped, "cd /home/user; touch mine; stat -c %u:%g mine", user=user) == ["1000:1001"]
    assert owner(mapped.place / "upper/home/user/mine") == (1000, 1001)


def test_a_setuid_program_makes_root_of_the_container(mapped: MappedBox) -> None:
    program = mapped.rootfs / "bin/own-init"
    program.write_bytes(init_program())  # busybox would give it up again
    program.chmod(0o4755)

    def uids(container: Container) -> list[str]:
        status = Path(f"/proc/{container.spawned.pid}/status").read_text()
        return next(line for line in status.splitlines() if line.startswith("Uid:")).split()[1:3]

    command = ("/bin/own-init", "/bin/sleep", "sleep", "1000")
    user = User(uid=1000, gid=1001)
    assert mapped.with_running(uids, *command, user=user) == [str(FIRST + 1000), str(FIRST)]


def capability_attribute(revision: int, permitted: int, root: int = 0) -> bytes:
    """A ``security.capability`` that gives ``permitted``, with the effective bit."""
    words = [revision << 24 | 1, permitted & 0xFFFFFFFF, 0, permitted >> 32, 0]
    return struct.pack(f"<{len(words)}I", *words) + (
        struct.pack("<I", root) if revision == 3 else b""
    )


@pytest.mark.parametrize("inside", [True, False])
def test_capabilities_of_files_hold_in_every_mode(mapped: MappedBox, inside: bool) -> None:
    """An image's are of revision 2, for whoever is root; they hold with maps and without."""
    if not inside:
        kept = tuple(n for n in mapped.spec.linux.namespaces if n.type != "user")
        mapped.change_linux(namespaces=kept, uid_mappings=(), gid_mappings=())
    program = mapped.rootfs / "bin/busybox"
    os.setxattr(program, "security.capability", capability_attribute(2, NET_BIND))
    (line,) = said(mapped, "grep ^CapEff /proc/self/status", user=User(uid=1000, gid=1001))
    assert int(line.split()[1], 16) == NET_BIND


def test_capabilities_given_inside_are_root_0s_on_disk(mapped: MappedBox) -> None:
    """The container's root may give them; on disk they are the image's root's, not the host's."""
    target = mapped.rootfs / "tool"
    target.write_text("")

    def work(container: Container) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                namespaces = os.open(f"/proc/{container.spawned.pid}/ns/user", os.O_RDONLY)
                root = os.open(f"/proc/{container.spawned.pid}/root", os.O_PATH)
                setns(namespaces, 0)
                os.setresgid(0, 0, 0)
                os.setresuid(0, 0, 0)
                os.fchdir(root)
                os.setxattr("tool", "security.capability", capability_attribute(2, NET_BIND))
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0

    mapped.with_running(work)
    # Of root 0 the kernel says it in revision 2, whichever is on disk.
    value = os.getxattr(mapped.place / "upper/tool", "security.capability")
    assert value == capability_attribute(2, NET_BIND)


def test_bind_sources_keep_the_hosts_owners_and_need_no_way_to_them(
    mapped: MappedBox, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    (closed / "data").mkdir(parents=True)
    (closed / "data" / "file").write_text("x")
    os.chown(closed / "data" / "file", FIRST + 3, FIRST + 4)
    closed.chmod(0o700)
    mapped.add_mount("/data", "bind", str(closed / "data"), ("rbind", "rprivate"))
    assert said(mapped, "stat -c %u:%g /data /data/file; touch /data/x 2>&1") == [
        "65534:65534", "3:4", "touch: /data/x: Permission denied",
    ]  # fmt: skip


def test_what_is_read_only_or_covered_stays_so_for_the_containers_root(
    mapped: MappedBox, tmp_path: Path
) -> None:
    """Mounts are locked on their way in: even CAP_SYS_ADMIN in there cannot undo them."""
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, FIRST, FIRST)
    mapped.add_mount("/data", "bind", str(shared), ("rbind", "ro", "nosuid"))
    assert mapped.spec.process is not None
    assert mapped.spec.process.capabilities is not None
    names = (*mapped.spec.process.capabilities.bounding, "CAP_SYS_ADMIN")
    everything = replace(
        mapped.spec.process.capabilities, bounding=names, effective=names, permitted=names
    )
    mapped.change_linux(seccomp=None)
    script = "mount -o remount,bind,rw /data; touch /data/x; mount -o remount,bind,suid,ro /data"
    result = mapped.run("sh", "-c", script, capabilities=everything)
    assert result.failure is None, result.failure
    assert "Read-only file system" in result.errors
    assert not list(shared.iterdir())


def test_mounts_made_inside_never_reach_the_host(mapped: MappedBox, tmp_path: Path) -> None:
    """``rshared`` would send them to the host, for which somebody there has to be trusted."""
    shared = tmp_path / "shared"
    (shared / "sub").mkdir(parents=True)
    mapped.add_mount("/data", "bind", str(shared), ("rbind", "rshared"))
    mapped.change_linux(seccomp=None)
    names = ("CAP_SYS_ADMIN",)
    assert mapped.spec.process is not None
    assert mapped.spec.process.capabilities is not None
    admin = replace(
        mapped.spec.process.capabilities, bounding=names, effective=names, permitted=names
    )

    def work(container: Container) -> str:
        mounted = container.execute(
            "mount",
            "-t",
            "tmpfs",
            "x",
            "/data/sub",
            capabilities=container.plan.process.capabilities,
        )
        assert (mounted.status, mounted.errors) == (0, "")
        return Path("/proc/self/mountinfo").read_text()

    assert str(shared / "sub") not in mapped.with_running(work, capabilities=admin)


def test_streams_can_be_opened_again_by_every_user(mapped: MappedBox) -> None:
    script = "echo one > /dev/stdout; echo two > /dev/stderr"
    for user in (User(), User(uid=1000, gid=1001), User(username="user")):
        result = mapped.run("sh", "-c", script, user=user)
        assert (result.output, result.errors) == ("one\n", "two\n"), user


def test_an_execs_streams_can_be_opened_again(mapped: MappedBox) -> None:
    def work(container: Container) -> list[Outcome]:
        script = ("sh", "-c", "echo one > /dev/stdout")
        return [
            container.execute(*script),
            container.execute(*script, uid=1000, gid=1001),
            container.execute(*script, user="user"),
        ]

    assert [result.output for result in mapped.with_running(work)] == ["one\n"] * 3


def test_a_node_of_another_name_needs_nothing_on_the_host(mapped: MappedBox) -> None:
    null = Device("/dev/own-null", "c", 1, 3, 0o640, 0, 10)
    mapped.change_linux(devices=(null,))
    assert said(mapped, "stat -c %u:%g:%a /dev/own-null; echo x > /dev/own-null && echo ok") == [
        "0:10:640", "ok",
    ]  # fmt: skip


def test_no_way_back_to_the_host_is_left(mapped: MappedBox) -> None:
    """Neither the staging area nor the mapped copy of the store can be reached."""
    lines = said(mapped, "cat /proc/self/mountinfo; ls -a /..; ls -l /proc/self/fd")
    mounts = [line for line in lines if " - " in line]
    assert not any(str(mapped.place) in line.split(" - ")[0] for line in mounts)
    assert sum(line.split(" ")[4] == "/" for line in mounts) == 1


def test_a_stage_that_fails_leaves_no_process(mapped: MappedBox) -> None:
    mapped.add_mount("/data", "bind", "/not/there", ("rbind",))
    failure = mapped.run("true").failure
    assert failure is not None
    assert "/not/there" in failure[2]


def test_a_mount_with_other_maps_than_the_containers(mapped: MappedBox, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    os.chown(shared, 20, 30)
    # On disk 20 is shown as FIRST + 1.
    maps = (IdMapping(0, FIRST + 100, 10), IdMapping(20, FIRST + 1, 20))
    mount = Mount("/data", "bind", str(shared), ("rbind", "idmap"), maps, maps)
    mapped.spec = replace(mapped.spec, mounts=(*mapped.spec.mounts, mount))
    assert said(mapped, "stat -c %u:%g /data") == ["1:11"]


def test_a_second_container_joins_the_namespace_with_the_same_owners(mapped: MappedBox) -> None:
    def work(first: Container) -> Outcome:
        before = mapped.spec.linux.namespaces
        path = f"/proc/{first.spawned.pid}/ns/user"
        joined = tuple(replace(n, path=path) if n.type == "user" else n for n in before)
        mapped.change_linux(namespaces=joined)
        made = mapped.planned("sh", "-c", "readlink /proc/self/ns/user; stat -c %u /; touch /two")
        try:
            null = os.open("/dev/null", os.O_RDWR)
            return captured(lambda out, err: spawn_init(made, null, out, err))
        finally:
            destroy(made)

    outcome = mapped.with_running(work)
    assert outcome.failure is None, outcome.failure
    assert outcome.output.split()[1] == "0"
