"""Roots and shared volumes that try to have a mount, or a write, land somewhere else.

Each attack is made twice: against the runtime, where it must fail, and with the one defence taken
out that stops it, where it must succeed.
"""

import contextlib
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.kernel import mounts as k
from boxship.kernel import paths as calls
from boxship.runtime import apply, enter, mounts, paths, steps
from boxship.runtime.apply import Setup, StepError, walk
from boxship.runtime.kernel import LINUX, Kernel
from support.boxes import Box, Container, Outcome, in_a_shim
from support.exchanging import exchanging

pytestmark = pytest.mark.privileged

Weaken = pytest.MonkeyPatch
OWN_MOUNTS = (steps.Unshare(("mnt",)), steps.SetPropagation("rprivate"))


def attempt(root: Path, *wanted: steps.Step, seen: Callable[[], str]) -> str:
    """Carry out steps on a root in a mount namespace of one's own; return what is seen then."""

    def work() -> str:
        setup = Setup(LINUX, lambda _: None)
        walk((*OWN_MOUNTS, steps.BindRoot(str(root))), setup)
        try:
            walk(wanted, setup)
        except StepError as error:
            return f"refused: {error.message}"
        return seen()

    return in_a_shim(work)


def by_name(_: Kernel, root: int, path: str, flags: int = os.O_PATH, *, follow: bool = True) -> int:
    """Open as a runtime that puts paths together as text does."""
    del follow
    return os.open(f"/proc/self/fd/{root}/{path.lstrip('/')}", flags | os.O_CLOEXEC)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    place = tmp_path / "volume"
    place.mkdir()
    (place / "file").write_text("hello\n")
    return place


@pytest.fixture
def root(tmp_path: Path) -> Path:
    place = tmp_path / "root"
    for name in ("dev", "proc", "etc", "data"):
        (place / name).mkdir(parents=True)
    return place


# ── targets ──────────────────────────────────────────────────────────────────────────────────


def test_a_target_exchanged_for_a_link_by_another_process(
    root: Path, volume: Path, tmp_path: Path, monkeypatch: Weaken
) -> None:
    """CVE-2021-30465: the target is a directory when it is looked at, a link when it is used."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "data/real").joinpath(*outside.parts[1:]).mkdir(parents=True)
    (root / "data/trap").symlink_to("/")
    bind = steps.BindMount(str(volume), f"/data/real{outside}")

    def hit() -> bool:
        return attempt(root, bind, seen=lambda: str((outside / "file").exists())) == "True"

    with exchanging(root / "data/real", root / "data/trap"):
        assert not any(hit() for _ in range(60))
        monkeypatch.setattr(paths, "open_inside", by_name)
        assert any(hit() for _ in range(200))


@pytest.mark.parametrize("destination", ["/../../../../../..{}", "/data/link{}", "/data/up{}"])
def test_a_destination_does_not_lead_out(
    root: Path, volume: Path, tmp_path: Path, monkeypatch: Weaken, destination: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "data/link").symlink_to("/")
    (root / "data/up").symlink_to("../" * 20)
    bind = steps.BindMount(str(volume), destination.format(outside))

    def seen() -> str:
        return str((outside / "file").exists())

    assert attempt(root, bind, seen=seen) == "False"
    monkeypatch.setattr(paths, "open_inside", by_name)
    assert attempt(root, bind, seen=seen) == "True"


def test_copying_up_follows_no_link(
    root: Path, tmp_path: Path, box: Box, monkeypatch: Weaken
) -> None:
    """What is below a tmpfs is copied into it; a link to the host's files stays a link."""
    secret = tmp_path / "secret"
    secret.write_text("of the host's\n")
    (box.rootfs / "data").mkdir()
    (box.rootfs / "data/link").symlink_to(secret)
    box.add_mount("/data", "tmpfs", "tmpfs", ("tmpcopyup",))
    assert "No such file" in box.run("cat", "/data/link").errors

    def follow(source: int, target: int) -> None:
        for name in os.listdir(f"/proc/self/fd/{source}"):
            shutil.copy(f"/proc/self/fd/{source}/{name}", f"/proc/self/fd/{target}/{name}")

    monkeypatch.setattr(mounts, "copy_tree", follow)
    assert box.run("cat", "/data/link").output == "of the host's\n"


# ── /proc ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        (("/proc/sys", "tmpfs", "x", ()), "inside /proc"),
        (("/proc/../proc/self/attr", "tmpfs", "x", ()), "inside /proc"),
        (("/data/link/sys", "tmpfs", "x", ()), "inside /proc"),
        (("/proc", "tmpfs", "x", ()), "only a proc file system"),
        (("/./proc//", "tmpfs", "x", ()), "only a proc file system"),
    ],
)
def test_nothing_is_mounted_over_proc(
    box: Box, monkeypatch: Weaken, mount: tuple[str, str, str, tuple[str, ...]], words: str
) -> None:
    """CVE-2019-16884: who makes up /proc makes up what is believed about processes."""
    (box.rootfs / "data").mkdir()
    (box.rootfs / "data/link").symlink_to("/proc")
    box.change_linux(masked_paths=(), readonly_paths=())
    box.add_mount(*mount)
    failure = box.run("true").failure
    assert failure is not None
    assert words in failure[2]
    monkeypatch.setattr(mounts, "_refuse_proc", lambda *_, **__: None)
    assert box.run("true").failure is None


def test_a_directory_of_the_hosts_is_no_proc(box: Box, volume: Path) -> None:
    box.spec = replace(
        box.spec, mounts=tuple(m for m in box.spec.mounts if m.destination != "/proc")
    )
    box.change_linux(masked_paths=(), readonly_paths=())
    bare = box.spec
    box.add_mount("/proc", "bind", str(volume), ("bind",))
    failure = box.run("true").failure
    assert failure is not None
    assert "only a proc file system" in failure[2]
    box.spec = bare
    box.add_mount("/proc", "bind", "/proc", ("rbind",))
    assert box.run("cat", "/proc/self/comm").output == "cat\n"


def test_what_lxcfs_provides_may_be_shown(box: Box, volume: Path) -> None:
    box.add_mount("/proc/uptime", "bind", str(volume / "file"), ("bind",))
    assert box.run("cat", "/proc/uptime").output == "hello\n"


# ── masked paths, console ────────────────────────────────────────────────────────────────────


def naive_mask(kernel: Kernel, root: int, masked: tuple[str, ...]) -> None:
    """Show whatever /dev/null leads to, as was done before CVE-2025-31133."""
    null = paths.open_inside(kernel, root, "/dev/null")
    for path in masked:
        target = paths.open_inside(kernel, root, path)
        tree = kernel.open_tree(null, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
        kernel.move_mount(tree, target)


@pytest.mark.parametrize("swapped_for", ["link", "file", "device"])
def test_a_null_device_that_is_none(root: Path, monkeypatch: Weaken, swapped_for: str) -> None:
    """CVE-2025-31133: what is bound over the masked path is what the container wants there."""
    (root / "etc/target").write_text("chosen\n")
    (root / "etc/masked").write_text("hidden\n")
    null = root / "dev/null"
    if swapped_for == "link":
        null.symlink_to("../etc/target")
    elif swapped_for == "file":
        null.write_text("chosen\n")
    else:
        os.mknod(null, 0o020666, os.makedev(1, 5))
    mask = steps.MaskPaths(("/etc/masked",))

    def seen() -> str:
        with open(root / "etc/masked", "rb") as stream:
            return stream.read(7).decode()

    assert "refused: MaskPaths" in attempt(root, mask, seen=seen)
    monkeypatch.setattr(mounts, "mask_paths", naive_mask)
    assert attempt(root, mask, seen=seen) in ("chosen\n", "\0" * 7)


def test_a_null_device_exchanged_while_it_is_used(root: Path, monkeypatch: Weaken) -> None:
    (root / "etc/target").write_text("chosen\n")
    (root / "etc/masked").write_text("hidden\n")
    os.mknod(root / "dev/null", 0o020666, os.makedev(1, 3))
    (root / "dev/trap").symlink_to("../etc/target")
    mask = steps.MaskPaths(("/etc/masked",))

    def hit() -> bool:
        return attempt(root, mask, seen=(root / "etc/masked").read_text) == "chosen\n"

    with exchanging(root / "dev/null", root / "dev/trap"):
        assert not any(hit() for _ in range(60))
        monkeypatch.setattr(mounts, "mask_paths", naive_mask)
        assert any(hit() for _ in range(200))


def test_a_masked_path_that_is_a_link_hides_nothing_else(box: Box, monkeypatch: Weaken) -> None:
    """A link below /proc or /sys has the wrong file hidden, and the right one not."""
    (box.rootfs / "proc").mkdir()
    (box.rootfs / "proc/keys").symlink_to("/etc/passwd")
    mine = tuple(m for m in box.spec.mounts if m.destination != "/proc")
    box.spec = replace(box.spec, mounts=mine)
    box.change_linux(masked_paths=("/proc/keys",), readonly_paths=())
    failure = box.run("true").failure
    assert failure is not None
    assert failure[:2] == ("MaskPaths", 40)

    def follow(kernel: Kernel, root: int, path: str) -> int:
        return paths.open_inside(kernel, root, path)

    monkeypatch.setattr(mounts, "_open_existing", follow)
    assert box.run("cat", "/etc/passwd").output == ""


def naive_console(kernel: Kernel, root: int, peer: int) -> None:
    """Mount on whatever /dev/console leads to, as was done before CVE-2025-52565."""
    target = paths.open_inside(kernel, root, "/dev/console")
    tree = kernel.open_tree(peer, "", k.OPEN_TREE_CLONE | k.AT_EMPTY_PATH)
    kernel.move_mount(tree, target)


def attempt_console(root: Path, victim: Path) -> bool:
    """Show a pty as /dev/console; tell whether it is where the victim was."""

    def work() -> bool:
        setup = Setup(LINUX, lambda _: None)
        walk((*OWN_MOUNTS, steps.BindRoot(str(root))), setup)
        master, peer = os.openpty()
        with contextlib.suppress(OSError):
            mounts.attach_console(LINUX, setup.root, peer)
        return os.stat(victim).st_rdev != os.fstat(master).st_rdev and victim.is_char_device()

    return in_a_shim(work)


def test_a_console_exchanged_for_a_link(root: Path, monkeypatch: Weaken) -> None:
    """CVE-2025-52565: the pty shown over a file that would have been masked or read-only."""
    (root / "etc/victim").write_text("x")
    (root / "dev/console").touch()
    (root / "dev/trap").symlink_to("../etc/victim")
    with exchanging(root / "dev/console", root / "dev/trap"):
        assert not any(attempt_console(root, root / "etc/victim") for _ in range(60))
        monkeypatch.setattr(mounts, "attach_console", naive_console)
        assert any(attempt_console(root, root / "etc/victim") for _ in range(200))


# ── what is written to /proc ─────────────────────────────────────────────────────────────────


def naive_open(_: Kernel, path: str, flags: int) -> int:
    return os.open(f"/proc/{path}", flags | os.O_CLOEXEC)


def fake_proc(place: Path) -> None:
    """Have a directory where /proc is, with files to catch what is meant for the kernel."""
    (place / "sys/net/ipv4").mkdir(parents=True)
    (place / "sys/net/ipv4/ip_forward").write_text("nothing yet")
    k.mount(str(place), "/proc", "", k.MS_BIND)


def another_file_of_proc(_: Path) -> None:
    """A procfs it is, but what is meant for one file of it goes to another one."""
    k.mount("/proc/self/comm", "/proc/sys/net/ipv4/ip_forward", "", k.MS_BIND)


@pytest.mark.parametrize("redirect", [fake_proc, another_file_of_proc])
def test_a_sysctl_is_not_written_elsewhere(
    tmp_path: Path, monkeypatch: Weaken, redirect: Callable[[Path], None]
) -> None:
    """CVE-2025-52881: writes of the runtime redirected to a file that the attacker chose."""

    def work() -> str:
        setup = Setup(LINUX, lambda _: None)
        comm = os.open("/proc/self/comm", os.O_RDONLY)
        walk((*OWN_MOUNTS, steps.Unshare(("net",))), setup)
        redirect(tmp_path / "fake")
        try:
            walk((steps.WriteSysctl("net.ipv4.ip_forward", "1"),), setup)
        except StepError as error:
            return f"refused: {error.message}"
        fake = tmp_path / "fake/sys/net/ipv4/ip_forward"
        return fake.read_text() if fake.exists() else os.read(comm, 64).decode()

    assert "refused: WriteSysctl" in in_a_shim(work)
    shutil.rmtree(tmp_path / "fake", ignore_errors=True)
    monkeypatch.setattr(apply, "open_in_procfs", naive_open)
    assert in_a_shim(work)[0] == "1"


def test_a_sysctl_is_the_kernels_when_nobody_interferes() -> None:
    def work() -> str:
        setup = Setup(LINUX, lambda _: None)
        walk((steps.Unshare(("net",)), steps.WriteSysctl("net.ipv4.ip_forward", "1")), setup)
        return Path("/proc/sys/net/ipv4/ip_forward").read_text()

    assert in_a_shim(work) == "1\n"


def test_a_label_is_not_written_elsewhere(box: Box, monkeypatch: Weaken) -> None:
    """CVE-2025-52881: a label that the container alone gets to read confines nobody."""
    (box.rootfs / "proc/self/attr").mkdir(parents=True)
    (box.rootfs / "proc/self/attr/exec").touch()
    mine = tuple(m for m in box.spec.mounts if m.destination != "/proc")
    box.spec = replace(box.spec, mounts=mine)
    box.change_linux(masked_paths=(), readonly_paths=())

    def work(container: Container) -> Outcome:
        labelled = {"label_file": "/proc/self/attr/exec", "label": "confined"}
        return container.execute("cat", "/proc/self/attr/exec", **labelled)

    failure = box.with_running(work).failure
    assert failure is not None
    assert failure[0] == "label"
    assert "not the root of a proc file system" in failure[2] or "not supported" in failure[2]
    monkeypatch.setattr(enter, "open_in_procfs", naive_open)
    assert box.with_running(work).output == "confined"


# ── what openat2 is relied upon for ──────────────────────────────────────────────────────────


def test_the_kernel_confines_what_is_opened(root: Path, volume: Path) -> None:
    """The rules that all of the above stand on, asked of the kernel itself."""
    (root / "data/out").symlink_to(volume)
    (root / "data/up").symlink_to("../../../../../../etc/passwd")
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        for path in ("data/out/file", "data/up", f"../../..{volume}/file"):
            with pytest.raises(OSError, match="No such file"):
                calls.openat2(directory, path, os.O_RDONLY, calls.RESOLVE_IN_ROOT)
        proc = os.open("/proc/self", os.O_PATH | os.O_DIRECTORY)
        with pytest.raises(OSError, match="symbolic links"):
            calls.openat2(proc, "root", os.O_PATH, calls.RESOLVE_NO_MAGICLINKS)
        os.close(proc)
    finally:
        os.close(directory)
