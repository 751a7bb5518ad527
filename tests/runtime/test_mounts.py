"""Mounts of real containers, friendly and hostile."""

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.oci.runtime import Device, Namespace
from boxship.runtime import steps
from boxship.runtime.apply import Setup, StepError, sysctl_path, walk
from boxship.runtime.kernel import LINUX
from support.boxes import Box, in_a_shim

pytestmark = pytest.mark.privileged


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    directory = tmp_path / "shared"
    (directory / "inner").mkdir(parents=True)
    (directory / "file").write_text("hello\n")
    return directory


@pytest.mark.spec("mounts[].source", "mounts[].destination")
def test_a_directory_and_a_file_of_the_host(box: Box, shared: Path) -> None:
    box.add_mount("/data/deep", "bind", str(shared), ("rbind", "rprivate"))
    box.add_mount("/etc/one", "bind", str(shared / "file"), ("rbind", "ro"))
    script = "cat /data/deep/file /etc/one; echo new > /data/deep/new; echo x > /etc/one"
    result = box.run("sh", "-c", script)
    assert result.output == "hello\nhello\n"
    assert (shared / "new").read_text() == "new\n"
    assert "/etc/one: Read-only file system" in result.errors
    assert (shared / "file").read_text() == "hello\n"


@pytest.mark.spec("mounts[].options")
def test_flags_of_a_bind_mount(box: Box, shared: Path) -> None:
    box.add_mount("/data", "bind", str(shared), ("bind", "ro", "nosuid", "nodev", "noexec"))
    flags = box.run("sh", "-c", "grep ' /data ' /proc/mounts").output.split()[3].split(",")
    assert {"ro", "nosuid", "nodev", "noexec"} <= set(flags)


@pytest.fixture
def submount(shared: Path) -> Iterator[Path]:
    inner = shared / "inner"
    subprocess.run(["mount", "-t", "tmpfs", "x", inner], check=True)
    yield inner
    subprocess.run(["umount", inner], check=True)


def test_read_only_reaches_submounts_only_when_asked(
    box: Box, shared: Path, submount: Path
) -> None:
    box.add_mount("/plain", "bind", str(shared), ("rbind", "ro"))
    box.add_mount("/deep", "bind", str(shared), ("rbind", "rro"))
    box.add_mount("/alone", "bind", str(shared), ("bind",))
    script = "touch /plain/inner/a && echo plain; touch /deep/inner/b; ls /alone/inner"
    result = box.run("sh", "-c", script)
    assert result.output == "plain\n"
    assert "/deep/inner/b: Read-only file system" in result.errors


@pytest.mark.spec("linux.rootfsPropagation")
def test_propagation(box: Box, shared: Path) -> None:
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    subprocess.run(["mount", "--make-shared", shared], check=True)
    try:
        box.add_mount("/slave", "bind", str(shared), ("rbind", "rslave"))
        box.add_mount("/private", "bind", str(shared), ("rbind", "rprivate"))
        box.add_mount("/shared", "bind", str(shared), ("rbind", "rshared"))
        box.change_linux(rootfs_propagation="shared")
        lines = box.run("cat", "/proc/self/mountinfo").output.splitlines()
    finally:
        subprocess.run(["umount", shared], check=True)
    tags = {line.split()[4]: line.partition(" - ")[0] for line in lines}
    assert "master:" in tags["/slave"]
    assert "shared:" not in tags["/slave"]
    assert "shared:" in tags["/shared"]
    assert ":" not in tags["/private"].split(" ", 6)[-1]


@pytest.mark.spec("mounts[].type")
def test_a_tmpfs_with_what_was_there(box: Box) -> None:
    (box.rootfs / "srv/deep").mkdir(parents=True)
    (box.rootfs / "srv/deep/file").write_text("kept\n")
    (box.rootfs / "srv/deep/file").chmod(0o640)
    (box.rootfs / "srv").chmod(0o751)
    (box.rootfs / "srv/link").symlink_to("/etc/passwd")
    os.chown(box.rootfs / "srv/deep", 1000, 1001)
    box.add_mount("/srv", "tmpfs", "tmpfs", ("rw", "nosuid", "size=1m", "tmpcopyup"))
    script = (
        "cd /srv; cat deep/file; stat -c '%a %u' . deep deep/file; readlink link; df . | tail -1"
    )
    lines = box.run("sh", "-c", script).output.splitlines()
    assert lines[:5] == ["kept", "751 0", "755 1000", "640 0", "/etc/passwd"]
    assert "1024" in lines[5]


def test_a_bad_option_is_named_in_the_kernels_words(box: Box) -> None:
    box.add_mount("/x", "tmpfs", "tmpfs", ("size=nonsense",))
    failure = box.run("true").failure
    assert failure is not None
    assert failure[0] == "Mount"
    assert "/x" in failure[2]
    assert "size" in failure[2]


def test_a_missing_source(box: Box) -> None:
    box.add_mount("/x", "bind", "/nosuch/source", ("bind",))
    failure = box.run("true").failure
    assert failure is not None
    assert failure[:2] == ("BindMount", 2)
    assert "/nosuch/source" in failure[2]


def test_nothing_can_be_mounted_over_proc(box: Box, shared: Path) -> None:
    box.add_mount("/proc/sys", "bind", str(shared), ("bind",))
    failure = box.run("true").failure
    assert failure is not None
    assert "inside /proc" in failure[2]


@pytest.mark.parametrize(
    "content", ["/", "../../../../../..", "/proc/1/root", "/proc/self/root/..", "/host/outside"]
)
def test_a_link_at_a_mounts_target_stays_inside(box: Box, shared: Path, content: str) -> None:
    (box.rootfs / "trap").symlink_to(content)
    marker = box.place.parent / f"outside-{box.place.name}"
    box.add_mount("/trap/caught", "bind", str(shared), ("bind",))
    result = box.run("sh", "-c", "find / -name caught -maxdepth 5 -type d 2>/dev/null")
    assert not marker.exists()
    assert not Path("/caught").exists()
    assert not Path("/host").exists()
    if result.failure is None:
        assert "caught" in result.output


def test_dangling_links_lead_inside(box: Box, shared: Path) -> None:
    (box.rootfs / "dangling").symlink_to("/made/here")
    (box.rootfs / "relative").symlink_to("tmp/there")
    (box.rootfs / "file").symlink_to("/made/file")
    box.add_mount("/dangling/sub", "bind", str(shared), ("bind",))
    box.add_mount("/relative", "bind", str(shared), ("bind",))
    box.add_mount("/file", "bind", str(shared / "file"), ("bind",))
    result = box.run("cat", "/made/here/sub/file", "/tmp/there/file", "/made/file")
    assert result.output == "hello\n" * 3


def test_a_loop_of_links_ends(box: Box, shared: Path) -> None:
    (box.rootfs / "a").symlink_to("b")
    (box.rootfs / "b").symlink_to("a")
    box.add_mount("/a/x", "bind", str(shared), ("bind",))
    failure = box.run("true").failure
    assert failure is not None
    assert failure[:2] == ("BindMount", 40)


def test_proc_cannot_be_moved_away_by_a_link(box: Box) -> None:
    """CVE-2019-19921: /proc as a link, so that what is masked later is something else."""
    (box.rootfs / "elsewhere").mkdir()
    (box.rootfs / "proc").symlink_to("elsewhere")
    failure = box.run("true").failure
    assert failure is not None
    assert failure[:2] == ("Mount", 40)


def test_a_target_exchanged_while_it_is_mounted_stays_inside(tmp_path: Path, shared: Path) -> None:
    """CVE-2021-30465: a directory swapped for a link to the host's root, again and again."""
    root = tmp_path / "root"
    (root / "volume/real").mkdir(parents=True)
    (root / "volume/trap").symlink_to("/")
    outside = tmp_path / "target"
    outside.mkdir()
    stop = threading.Event()
    target = f"/volume/real{outside}"
    (root / "volume/real").joinpath(*outside.parts[1:]).mkdir(parents=True)

    def exchange() -> None:
        place = root / "volume"
        while not stop.is_set():
            for old, new in (
                ("real", "spare"),
                ("trap", "real"),
                ("real", "trap"),
                ("spare", "real"),
            ):
                # Whoever creates what is missing may have been there first.
                with contextlib.suppress(OSError):
                    os.rename(place / old, place / new)

    attacker = threading.Thread(target=exchange)
    attacker.start()
    try:
        for _ in range(30):
            assert _mount_once(root, shared, target), "the host's directory was mounted over"
    finally:
        stop.set()
        attacker.join()


def _mount_once(root: Path, source: Path, target: str) -> bool:
    """Mount in a process of its own; tell whether the host's tree was left alone."""
    host_target = target.removeprefix("/volume/real")

    def work() -> bool:
        setup = Setup(LINUX, lambda _: None)
        first = (steps.Unshare(("mnt",)), steps.SetPropagation("rprivate"))
        walk((*first, steps.BindRoot(str(root))), setup)
        with contextlib.suppress(StepError):
            walk((steps.BindMount(str(source), target),), setup)
        return not os.path.exists(f"{host_target}/file")

    return in_a_shim(work)


@pytest.mark.spec("linux.devices")
def test_devices_of_ones_own(box: Box) -> None:
    box.change_linux(devices=(Device("/dev/made/mine", "c", 1, 5, 0o640, 1000, 1001),))
    result = box.run("stat", "-c", "%F %t:%T %a %u %g", "/dev/made/mine")
    assert result.output == "character special file 1:5 640 1000 1001\n"


def test_without_a_mount_namespace_the_plan_is_refused(box: Box) -> None:
    box.change_linux(namespaces=(Namespace("pid"),))
    with pytest.raises(InvalidArgumentError, match=r"linux\.namespaces"):
        box.planned("true")


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.1/forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("net.ipv4.conf.eth0/1.forwarding", "net/ipv4/conf/eth0.1/forwarding"),
        ("plain", "plain"),
    ],
)
def test_either_sign_separates_the_words_of_a_sysctl(key: str, path: str) -> None:
    assert sysctl_path(key) == path


@pytest.mark.spec("linux.sysctl")
def test_sysctls_land_in_the_containers_namespaces(box: Box) -> None:
    box.change_linux(sysctl={"net.ipv4.ip_forward": "1", "kernel.shm_rmid_forced": "1"})
    before = Path("/proc/sys/kernel/shm_rmid_forced").read_text()
    result = box.run("cat", "/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/shm_rmid_forced")
    assert result.output.split() == ["1", "1"]
    assert Path("/proc/sys/kernel/shm_rmid_forced").read_text() == before
