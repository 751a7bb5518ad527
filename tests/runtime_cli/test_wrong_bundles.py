"""Bundles that are wrong: one line that names the field and what is wrong, status 1, no remains."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.privileged

Change = Callable[[dict[str, Any]], None]


def setting(path: str, value: object) -> Change:
    """Set ``a.b.c`` of a document."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            document = document.setdefault(name, {})
        document[last] = value

    return change


def adding(path: str, value: object) -> Change:
    """Append to the list ``a.b.c`` of a document."""

    def change(document: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for name in parents:
            document = document.setdefault(name, {})
        document.setdefault(last, []).append(value)

    return change


WRONG: list[tuple[Change, str]] = [
    (setting("process", None), "process: missing"),
    (setting("process.args", []), "process.args: no command"),
    (setting("process.args", "true"), "process.args: a list expected"),
    (setting("process.args", ["true", "a\0b"]), "process.args[1]: text without NUL expected"),
    (setting("process.cwd", "relative"), "process.cwd: 'relative' is not an absolute path"),
    (setting("process.cwd", "/bin/busybox"), "/bin/busybox"),
    (setting("process.env", ["A"]), "process.env[0]: 'A' is not NAME=VALUE"),
    (setting("process.user", {"uid": 2**32 - 1, "gid": 0}), "process.user.uid: 4294967295 is not"),
    (setting("process.user", {"uid": 0, "gid": 2**32 - 1}), "process.user.gid: 4294967295 is not"),
    (setting("process.consoleSize", {"height": 70000, "width": 1}), "process.consoleSize.height"),
    (setting("process.oomScoreAdj", 5000), "process.oomScoreAdj: 5000 is not between -1000 and"),
    (adding("process.rlimits", {"type": "RLIMIT_X"}), "].type: 'RLIMIT_X' is none of"),
    (setting("process.apparmorProfile", "x"), "process.apparmorProfile: this machine has"),
    (setting("process.selinuxLabel", "x"), "process.selinuxLabel: this machine has no SELinux"),
    (setting("root.path", "nosuch"), "root.path: "),
    (setting("root.path", "config.json"), "config.json: no such directory"),
    (setting("root.path", "link"), "a symbolic link leads there"),
    (setting("hostname", "x" * 65), "hostname: is longer than 64 bytes"),
    (setting("ociVersion", "2.0.0"), "ociVersion: 1.x expected, not '2.0.0'"),
    (setting("windows", {}), "windows: this runtime is for Linux alone"),
    (setting("hooks.prestart", [{"path": "relative"}]), "hooks.prestart[0]: 'relative' is not"),
    (adding("mounts", {"destination": "/x", "type": "nosuchfs"}), "Mount /x"),
    (adding("mounts", {"destination": "/x"}), "mounts: /x: type: missing"),
    (adding("mounts", {"destination": "/x", "type": "tmpfs", "options": ["size=x"]}), "size"),
    (adding("linux.namespaces", {"type": "odd"}), "].type: 'odd' is none of pid"),
    (adding("linux.namespaces", {"type": "user", "path": "/nosuch"}), "/nosuch"),
    (adding("linux.devices", {"path": "/dev/x", "type": "q"}), "linux.devices[0].type: 'q' is"),
    (setting("linux.cgroupsPath", "/a\0b"), "linux.cgroupsPath: text without NUL expected"),
    (setting("linux.cgroupsPath", "/../../x"), "linux.cgroupsPath"),
    (setting("linux.maskedPaths", ["proc/keys"]), "linux.maskedPaths[0]: 'proc/keys' is not"),
    (setting("linux.resources.cpu", {"cpus": "999"}), "cpuset"),
    (setting("linux.resources.cpu", {"shares": "x"}), "linux.resources.cpu.shares: a whole number"),
    (setting("linux.sysctl", {"kernel.panic": "1"}), "linux.sysctl.kernel.panic: is not in a sep"),
    (setting("linux.sysctl", {"net.no.such": "1"}), "WriteSysctl net.no.such"),
    (setting("linux.sysctl", {"net.ipv4.ip_forward": "x"}), "WriteSysctl net.ipv4.ip_forward"),
    (setting("linux.seccomp", {"defaultAction": "x"}), "linux.seccomp.defaultAction: 'x' is"),
    (setting("linux.intelRdt", {"closID": "x"}), "linux.intelRdt: this machine has no resctrl"),
    (setting("linux.personality", {"domain": "LINUX", "flags": ["X"]}), "linux.personality.flags"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words"), WRONG, ids=[words[:40] for _, words in WRONG])
def test_a_wrong_bundle(runtime, change: Change, words: str) -> None:
    (runtime.bundle / "link").symlink_to("rootfs")
    runtime.configure("true", change=change)
    if "resctrl" in words and os.path.exists("/sys/fs/resctrl/schemata"):
        pytest.skip("this machine has resctrl")
    done = runtime("run", "one")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1, "one line is enough"
    assert words in done.stderr
    assert runtime.leftovers() == []


@pytest.mark.parametrize("text", ["", "{", "[]", "\xff\xfe", '{"ociVersion": 1}', "null"])
def test_a_file_that_is_no_configuration(runtime, text: str) -> None:
    (runtime.bundle / "config.json").write_text(text, "latin-1")
    done = runtime("run", "one")
    assert done.returncode == 1
    assert done.stderr.startswith("boxship-runtime run failed: config.json: ")
    assert done.stderr.count("\n") == 1
    assert runtime.leftovers() == []


def executables(rootfs: Path) -> None:
    place = rootfs / "x"
    place.mkdir()
    for name, text, mode in (
        ("script", "#!/no/interpreter -x\n", 0o755),
        ("garbage", "garbage", 0o755),
        ("closed", "#!/bin/sh\n", 0o644),
        ("empty", "", 0o755),
    ):
        (place / name).write_text(text)
        (place / name).chmod(mode)
    shutil.copy("/bin/ls", place / "dynamic")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH'),
        ("/x/nosuch", 'exec: "/x/nosuch": stat /x/nosuch: no such file or directory'),
        ("/x/closed", 'exec: "/x/closed": permission denied'),
        ("/x", 'exec: "/x": is a directory'),
        ("/x/garbage", "exec /x/garbage: exec format error"),
        ("/x/empty", "exec /x/empty: exec format error"),
        ("/x/script", "no such file or directory (its interpreter is /no/interpreter)"),
        ("/x/dynamic", "no such file or directory (its interpreter is /lib"),
    ],
)
def test_an_init_that_cannot_be_executed(runtime, command: str, words: str) -> None:
    executables(runtime.rootfs)
    runtime.configure(command)
    done = runtime("run", "one")
    assert done.returncode == 1
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert runtime.leftovers() == []


def test_a_cgroup_that_cannot_be_made(runtime) -> None:
    """What is in the way of the directory is a file of the kernel's."""
    places = [p for p in Path("/sys/fs/cgroup").glob("**/cgroup.procs") if p.is_file()]
    if not places:
        pytest.skip("no cgroups here")
    runtime.configure("true", change=setting("linux.cgroupsPath", "/cgroup.procs/one"))
    done = runtime("run", "one")
    assert done.returncode == 1
    assert "cgroup.procs" in done.stderr
    assert "Not a directory" in done.stderr or "File exists" in done.stderr
    assert runtime.leftovers() == []


def test_a_limit_that_cannot_be_given_is_clamped(runtime) -> None:
    """Without CAP_SYS_RESOURCE: a warning, and what comes nearest."""
    wanted = [{"type": "RLIMIT_NOFILE", "hard": 2**40, "soft": 2**40}]
    runtime.configure("sh", "-c", "ulimit -n", change=setting("process.rlimits", wanted))
    done = runtime("run", "one")
    assert done.returncode == 0
    assert int(done.stdout) > 0
    assert "warning: RLIMIT_NOFILE: the hard limit 1099511627776 cannot be given" in done.stderr


def test_exec_as_nobody_in_particular_is_not_root(runtime) -> None:
    """-1 would leave the process as it is, which is root."""
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    for user in ("4294967295", "0:4294967295", "-1", "9" * 5000):
        done = runtime("exec", "--user", user, "one", "id", "-u")
        assert (done.returncode, done.stdout) == (255, ""), user
        assert "--user" in done.stderr


def test_obsolete_limits_are_said_to_be(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    done = runtime("update", "--kernel-memory", "100m", "one")
    assert done.returncode == 0
    assert "--kernel-memory: limits of kernel memory are obsolete; ignored" in done.stderr
    done = runtime("update", "--kernel-memory-tcp", "many", "one")
    assert done.returncode == 1
    assert "--kernel-memory-tcp: bytes expected" in done.stderr


def test_what_is_not_in_the_specification_is_ignored_and_told_of(runtime) -> None:
    def misspell(document: dict[str, Any]) -> None:
        document["extension"] = {"a": 1}
        document["process"]["argz"] = []
        document["mounts"][0]["optionz"] = []
        document["linux"]["resources"]["cpu"] = {"share": 5}
        document["linux"]["resources"]["rdma"] = {}

    runtime.configure("echo", "there", change=misspell)
    assert runtime.works("run", "one") == "there\n"
    done = runtime("--debug", "run", "one")
    assert (done.returncode, done.stdout) == (0, "there\n")
    told = [line.split(": ")[3] for line in done.stderr.splitlines() if "config.json" in line]
    assert told == ["process.argz", "mounts[0].optionz", "linux.resources.cpu.share", "extension"]
