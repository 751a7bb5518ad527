"""Real containers: what a process inside sees and may do."""

import os
import resource
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.oci.runtime import Capabilities, ConsoleSize, Rlimit, Root, User
from boxship.runtime.capabilities import CAPABILITIES
from support.boxes import Box, Container

pytestmark = pytest.mark.privileged


@pytest.mark.spec("linux.namespaces[].type")
def test_namespaces_are_its_own(box: Box) -> None:
    kinds = ("mnt", "net", "ipc", "uts", "pid", "cgroup")
    script = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    inside = box.run("sh", "-c", script).output.split()
    outside = [os.readlink(f"/proc/self/ns/{kind}") for kind in kinds]
    assert len(inside) == len(kinds)
    assert not set(inside) & set(outside)


def test_namespaces_that_are_not_asked_for_stay_the_hosts(box: Box) -> None:
    kept = tuple(n for n in box.spec.linux.namespaces if n.type not in ("network", "pid", "cgroup"))
    box.change_linux(namespaces=kept)
    script = "readlink /proc/self/ns/net; readlink /proc/self/ns/pid; readlink /proc/self/ns/cgroup"
    inside = box.run("sh", "-c", script).output.split()
    assert inside == [os.readlink(f"/proc/self/ns/{kind}") for kind in ("net", "pid", "cgroup")]


@pytest.mark.spec("linux.namespaces[].path")
def test_a_namespace_can_be_joined_by_path(box: Box) -> None:
    # The other container must be alive, so the second one is started beside it.
    def beside(first: Container) -> tuple[str, str]:
        other = box.spec
        namespaces = tuple(
            replace(n, path=f"/proc/{first.spawned.pid}/ns/net") if n.type == "network" else n
            for n in other.linux.namespaces
        )
        box.change_linux(namespaces=namespaces)
        try:
            mine = box.run("readlink", "/proc/self/ns/net").output.strip()
        finally:
            box.change_linux(namespaces=other.linux.namespaces)
        return mine, os.readlink(f"/proc/{first.spawned.pid}/ns/net")

    mine, others = box.with_running(beside)
    assert mine == others
    assert mine != os.readlink("/proc/self/ns/net")


@pytest.mark.spec("hostname")
def test_it_is_pid_1_with_its_hostname_and_loopback(box: Box) -> None:
    result = box.run("sh", "-c", "echo $$; hostname; ip addr show lo; ls /sys/class/net")
    lines = result.output.split("\n")
    assert lines[:2] == ["1", "boxship"]
    assert "inet 127.0.0.1/8" in result.output
    assert "UP" in result.output
    assert "eth0" not in result.output


def test_dev_is_dockers(box: Box) -> None:
    result = box.run(
        "sh",
        "-c",
        "cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty;"
        " for f in fd stdin stdout stderr ptmx; do readlink $f; done; stat -c %a shm pts/ptmx; ls",
    )
    assert "null character special file 1:3 666" in result.output
    assert "tty character special file 5:0 666" in result.output
    assert (
        "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n1777\n666"
        in result.output
    )
    assert "console" not in result.output


def test_mounts_have_their_flags(box: Box) -> None:
    mounts: dict[str, tuple[str, set[str]]] = {}
    for line in box.run("cat", "/proc/mounts").output.splitlines():
        _, target, fstype, flags, *_ = line.split()
        mounts.setdefault(target, (fstype, set(flags.split(","))))
    assert mounts["/"][0] == "overlay"
    assert {"nosuid", "nodev", "noexec", "rw"} <= mounts["/proc"][1]
    assert {"nosuid", "nodev", "noexec", "ro"} <= mounts["/sys"][1]
    assert {"nosuid", "rw"} <= mounts["/dev"][1]
    assert "nodev" not in mounts["/dev"][1]
    assert mounts["/dev/mqueue"][0] == "mqueue"
    assert "ro" in mounts["/sys/fs/cgroup"][1]


@pytest.mark.spec("linux.maskedPaths", "linux.readonlyPaths")
def test_masked_and_readonly_paths(box: Box) -> None:
    box.change_linux(masked_paths=("/proc/timer_list", "/sys/firmware", "/proc/acpi", "/nowhere"))
    result = box.run(
        "sh",
        "-c",
        "stat -c %t:%T /proc/timer_list; wc -c < /proc/timer_list; ls -A /sys/firmware | wc -l;"
        "touch /sys/firmware/x; echo 1 > /proc/sys/kernel/core_pattern; "
        "touch /proc/bus/x; echo survived",
    )
    assert result.output.split() == ["1:3", "0", "0", "survived"]
    for path in ("/sys/firmware/x", "/proc/sys/kernel/core_pattern"):
        assert f"{path}: Read-only file system" in result.errors


def test_a_masked_path_behind_a_link_in_proc_fails_the_start(box: Box) -> None:
    """/proc/self is a link: masking through it would hide something else (CVE-2025-31133)."""
    box.change_linux(masked_paths=("/proc/self/environ",))
    failure = box.run("true").failure
    assert failure is not None
    assert failure[0] == "MaskPaths"


def test_the_null_device_used_for_masking_must_be_one(box: Box) -> None:
    impostor = box.place / "impostor"
    impostor.write_text("secret")
    box.add_mount("/dev/null", "bind", str(impostor), ("bind",))
    failure = box.run("true").failure
    assert failure is not None
    assert "null" in failure[2]


@pytest.mark.spec("root.readonly")
def test_a_readonly_root(box: Box) -> None:
    box.spec = replace(box.spec, root=Root("rootfs", readonly=True))
    result = box.run("sh", "-c", "touch /x; touch /dev/shm/y && echo shm")
    assert "Read-only file system" in result.errors
    assert result.output == "shm\n"


def status_of(output: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in output.splitlines())
    return {name: value.strip() for name, _, value in pairs}


@pytest.mark.spec(
    "process.capabilities.bounding",
    "process.capabilities.effective",
    "process.capabilities.permitted",
)
def test_capabilities_of_root(box: Box) -> None:
    status = status_of(box.run("cat", "/proc/self/status").output)
    assert {status[name] for name in ("CapPrm", "CapEff", "CapBnd")} == {"00000000a80425fb"}
    assert {status["CapInh"], status["CapAmb"]} == {"0" * 16}
    assert status["NoNewPrivs"] == "0"
    assert status["Seccomp"] == "2"


@pytest.mark.spec("process.user.username")
def test_another_user_has_no_capabilities_but_the_bounding_set(box: Box) -> None:
    result = box.run("sh", "-c", "id; cat /proc/self/status", user=User(username="user"))
    assert "uid=1000(user) gid=1001(users) groups=10(wheel),1001(users)" in result.output
    status = status_of(result.output)
    assert {status[n] for n in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0" * 16}
    assert status["CapBnd"] == "00000000a80425fb"


@pytest.mark.spec("process.capabilities.inheritable", "process.capabilities.ambient")
def test_ambient_capabilities_reach_another_user(box: Box) -> None:
    names = ("CAP_NET_BIND_SERVICE", "CAP_CHOWN")
    wanted = Capabilities(names, names, names[:1], names, names[:1])
    result = box.run("cat", "/proc/self/status", user=User(uid=1000), capabilities=wanted)
    status = status_of(result.output)
    assert {status[n] for n in ("CapPrm", "CapEff", "CapInh", "CapAmb")} == {"0000000000000400"}


def test_privileged_gives_what_we_have_ourselves(box: Box) -> None:
    everything = tuple(CAPABILITIES)
    box.change_linux(seccomp=None)
    wanted = Capabilities(everything, everything, (), everything, ())
    inside = status_of(box.run("cat", "/proc/self/status", capabilities=wanted).output)
    assert inside["CapEff"] == status_of(Path("/proc/self/status").read_text())["CapEff"]


def test_seccomp_is_enforced(box: Box) -> None:
    script = "unshare -U true; echo $?; mount -t tmpfs x /tmp; chroot / /bin/true && echo chroot"
    result = box.run("sh", "-c", script)
    assert "unshare(0x10000000): Operation not permitted" in result.errors
    assert "chroot" in result.output
    box.change_linux(seccomp=None)
    assert box.run("unshare", "-U", "true").status == 0


@pytest.mark.spec("process.noNewPrivileges")
def test_seccomp_with_no_new_privileges_and_another_user(box: Box) -> None:
    result = box.run(
        "sh", "-c", "cat /proc/self/status; unshare -U true",
        user=User(uid=1000, gid=1000), no_new_privileges=True,
    )  # fmt: skip
    status = status_of(result.output)
    assert (status["NoNewPrivs"], status["Seccomp"], status["CapBnd"]) == (
        "1",
        "2",
        "00000000a80425fb",
    )
    assert "Operation not permitted" in result.errors


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (("nosuch",), 'exec: "nosuch": executable file not found in $PATH', 127),
        (("/nosuch",), 'exec: "/nosuch": stat /nosuch: no such file or directory', 127),
        (("/etc/passwd",), 'exec: "/etc/passwd": permission denied', 126),
        (("/etc",), 'exec: "/etc": is a directory', 126),
        (("/etc/passwd/x",), 'exec: "/etc/passwd/x": stat /etc/passwd/x: not a directory', 127),
        (("/bin/rubbish",), "exec /bin/rubbish: exec format error", 126),
        (
            ("/bin/orphan",),
            "exec /bin/orphan: no such file or directory (its interpreter is /nosuch)",
            127,
        ),
    ],
)
def test_a_command_that_cannot_be_executed(
    box: Box, args: tuple[str, ...], message: str, code: int
) -> None:
    for name, text in (("rubbish", "\0\1\2"), ("orphan", "#!/nosuch\n")):
        (box.rootfs / "bin" / name).write_text(text)
        (box.rootfs / "bin" / name).chmod(0o755)
    failure = box.run(*args).failure
    assert failure is not None
    assert (failure[2], failure[3]) == (message, code)


def test_a_script_is_executed(box: Box) -> None:
    script = box.rootfs / "bin/script"
    script.write_text("#!/bin/sh\necho $0 $1\n")
    script.chmod(0o755)
    assert box.run("script", "a b").output == "/bin/script a b\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("user:nosuch", "unable to find group nosuch: no matching entries in group file"),
    ],
)
def test_an_unknown_user(box: Box, name: str, message: str) -> None:
    failure = box.run("true", user=User(username=name)).failure
    assert failure is not None
    assert failure[2:] == (message, 125)


def test_status_comes_through(box: Box) -> None:
    assert box.run("sh", "-c", "exit 42").status == 42
    # A first process in a pid namespace is spared signals it has not asked for, its own included.
    assert box.run("sh", "-c", "sleep 1000 & kill -9 $!; wait $!; exit $?").status == 137


@pytest.mark.spec("process.env")
def test_environment_is_exact(box: Box) -> None:
    result = box.run("env", env=("PATH=/bin", "A=1", "B=x=y", "A=2", "EMPTY="))
    assert result.output.splitlines() == ["PATH=/bin", "A=2", "B=x=y", "EMPTY=", "HOME=/root"]


def test_home_of_a_user_without_entry(box: Box) -> None:
    result = box.run("env", env=("PATH=/bin",), user=User(username="4242"))
    assert "HOME=/\n" in result.output


@pytest.mark.spec("process.cwd")
def test_the_working_directory_is_made(box: Box) -> None:
    assert box.run("pwd", cwd="/made/for/you").output == "/made/for/you\n"


def test_a_users_closed_directory_can_be_the_working_directory(box: Box) -> None:
    (box.rootfs / "root").chmod(0o700)
    assert box.run("pwd", cwd="/root", user=User(uid=1000)).status == 0


def test_rlimits_are_set_and_clamped_with_a_warning(box: Box) -> None:
    result = box.run(
        "sh", "-c", "ulimit -n; ulimit -c",
        rlimits=(Rlimit("RLIMIT_NOFILE", 1 << 40, 1 << 40), Rlimit("RLIMIT_CORE", 0, 0)),
    )  # fmt: skip
    assert result.output.split() == [str(resource.getrlimit(resource.RLIMIT_NOFILE)[1]), "0"]
    assert len(result.warnings) == 1
    assert "RLIMIT_NOFILE" in result.warnings[0]


def test_no_descriptor_leaks(box: Box) -> None:
    inheritable = os.open("/", os.O_RDONLY)
    os.set_inheritable(inheritable, True)

    def work(container: Container) -> tuple[set[str], str]:
        first = set(os.listdir(f"/proc/{container.spawned.pid}/fd"))
        script = "for f in /proc/self/fd/*; do echo ${f##*/}; done"
        return first, container.execute("sh", "-c", script).output

    try:
        first, more = box.with_running(work)
    finally:
        os.close(inheritable)
    assert first == {"0", "1", "2"}
    # The glob holds the directory itself open as 3.
    assert set(more.split()) <= {"0", "1", "2", "3"}


@pytest.mark.spec("process.user.umask")
def test_signals_and_umask_are_those_of_a_fresh_process(box: Box) -> None:
    status = status_of(box.run("cat", "/proc/self/status").output)
    assert int(status["SigIgn"], 16) == 0
    assert int(status["SigBlk"], 16) == 0
    assert box.run("sh", "-c", "umask").output == "0022\n"


def test_stdio_can_be_opened_again_by_a_user(box: Box) -> None:
    result = box.run("sh", "-c", "echo again > /dev/stdout", user=User(uid=1000))
    assert result.output == "again\n"


def test_the_hosts_null_device_keeps_its_owner(box: Box) -> None:
    before = os.stat("/dev/null")
    box.run("true", user=User(uid=1000))
    after = os.stat("/dev/null")
    assert (after.st_uid, stat.S_IMODE(after.st_mode)) == (
        before.st_uid,
        stat.S_IMODE(before.st_mode),
    )


@pytest.mark.spec("process.terminal", "process.consoleSize")
def test_a_terminal(box: Box) -> None:
    script = (
        "tty; stty size; ls -l /dev/console; test -t 0 && test -t 1 && echo yes; echo x > /dev/tty"
    )
    result = box.run("sh", "-c", script, terminal=True, console_size=ConsoleSize(24, 80))
    lines = result.output.split("\r\n")
    assert lines[0] in ("/dev/pts/0", "/dev/console")
    assert lines[1] == "24 80"
    assert lines[2].startswith("crw")
    assert lines[3:5] == ["yes", "x"]


def test_the_old_root_is_gone(box: Box) -> None:
    result = box.run("sh", "-c", "ls /; cat /proc/self/mountinfo")
    assert "usr" not in result.output.split("\n")
    host = Path("/proc/self/mountinfo").read_text().split("\n")[0].split()[2]
    sources = [line.split()[2] for line in result.output.splitlines() if line[:1].isdigit()]
    assert host not in sources


def test_its_executable_cannot_be_a_way_to_ours(box: Box) -> None:
    """From the first moment a process is visible inside, its image is the container's."""

    def work(container: Container) -> tuple[str, str]:
        link = os.readlink(f"/proc/{container.spawned.pid}/exe")
        again = container.execute("sh", "-c", "readlink /proc/1/exe; readlink /proc/self/exe")
        return link, again.output

    link, inside = box.with_running(work)
    assert link == "/bin/busybox"
    assert set(inside.split()) == {"/bin/busybox"}


def test_timings_name_every_step(box: Box) -> None:
    names = box.run("true").steps
    assert names[:3] == ("cgroups", "fork", "join cgroups")
    assert {"MountOverlay", "PivotRoot", "identity", "exec"} <= set(names)
