"""The same commands given to runc and to us: exit status, output and errors, one by one."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = [
    pytest.mark.privileged,
    pytest.mark.skipif(
        shutil.which("runc", path="/usr/sbin:/usr/bin:/sbin") is None, reason="runc is missing"
    ),
]

Change = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Answer:
    status: int
    out: str
    error: str


def _anonymous(text: str, place: Path) -> str:
    """Leave out what is another for each of the two, or each time."""
    for pattern, replacement in (
        (r'time="[^"]*" level=(\w+) msg="(.*)"', r"\1: \2"),
        (r"^boxship-runtime: (?!warning)", "error: "),
        (r"\b(runc|boxship-runtime) (create|run) failed", r"error: \2 failed"),
        (r"^exec failed", "error: exec failed"),
        (r"error: (error: )+", "error: "),
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z +", "TIME "),  # as wide as its last digits, and so its column
        (r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME"),
        (r"\bCREATED +", "CREATED "),
        (r'("ociVersion": ?)"[^"]*"', r"\1VERSION"),  # runc tells its own, we the bundle's
        (r'"pid": ?[1-9]\d*', '"pid": PID'),
        (r"(?m)^(\w+ +)[1-9]\d*( +\w+ +/)", r"\1PID\2"),
        (r'\\"', '"'),
    ):
        text = re.sub(pattern, replacement, text)
    return text.replace(str(place), "PLACE").strip()


class Runc:
    """Calls runc for a bundle of ours, in a place of its own."""

    def __init__(self, runtime) -> None:
        self.ours = runtime
        self.root = runtime.place / "runc"
        self.command = ["runc", "--root", str(self.root)]

    def __call__(self, *words: str, **options: Any) -> Answer:
        return self._call(self.command, words, options)

    def boxship(self, *words: str, **options: Any) -> Answer:
        return self._call(self.ours.command, words, options)

    def _call(self, command: list[str], words: tuple[str, ...], options: dict[str, Any]) -> Answer:
        # Files, not pipes: a container that is left behind keeps them open.
        paths = self.ours.place / "out", self.ours.place / "err"
        with open(paths[0], "wb") as out, open(paths[1], "wb") as err:
            done = subprocess.run(
                [*command, *words], cwd=self.ours.bundle, stdout=out, stderr=err, timeout=60,
                check=False, **({"stdin": subprocess.DEVNULL} | options),
            )  # fmt: skip
        texts = [_anonymous(path.read_text(), self.ours.place) for path in paths]
        return Answer(done.returncode, *texts)

    def rename_group(self) -> None:
        """Let the next container have cgroups of its own."""
        path = self.ours.bundle / "config.json"
        config = json.loads(path.read_text())
        config["linux"]["cgroupsPath"] += "-beside"
        path.write_text(json.dumps(config))


@pytest.fixture
def runc(runtime):
    made = Runc(runtime)
    yield made
    made("delete", "--force", "one")
    for path in Path("/sys/fs/cgroup").glob(f"*/{runtime.cgroup}-beside"):
        path.rmdir()


def _both(runc: Runc, steps: tuple[str, ...]) -> None:
    """Go through ``steps`` with ours, then with runc, and compare.

    A step is a command; after "?" only the exit status and the output count, as the error's words
    are our own. "... STATUS" waits for the container's status.
    """
    found = [_step(runc.boxship, step) for step in steps]
    runc.boxship("delete", "--force", "one")
    runc.rename_group()
    wanted = [_step(runc, step) for step in steps]
    for step, ours, theirs in zip(steps, found, wanted, strict=True):
        if step.startswith("?"):
            assert ours.status == theirs.status, step
            assert bool(ours.error) >= bool(theirs.status), step
            if not theirs.out.startswith("Incorrect Usage"):  # and all there is to know
                assert ours.out == theirs.out, step
        else:
            assert ours == theirs, step


def _step(call: Callable[..., Answer], step: str) -> Answer:
    words = step.removeprefix("?").split(" ")
    if words[0] == "...":
        eventually(lambda: f'"status": "{words[1]}"' in call("state", "one").out, words[1])
        return Answer(0, "", "")
    return call(*words)


STEPS = {
    "nothing there": (
        "state one", "start one", "kill one", "delete one", "delete --force one", "exec one true",
        "pause one", "resume one", "update --memory 1000 one", "ps one", "events --stats one",
        "list", "list -q", "checkpoint one",
    ),
    "created": (
        "create one", "create one", "state one", "list", "list -q", "list --format json",
        "exec one echo hi", "pause one", "state one", "start one",
        "delete one", "resume one", "state one", "update --memory 64000000 one", "delete one",
        "delete one",
    ),
    "running": (
        "create one", "start one", "start one", "state one", "delete one", "resume one",
        "pause one", "state one", "exec one true", "delete one", "resume one", "kill one 0",
        "kill one USR1", "kill one SIGUSR1", "?kill one 99", "kill one BOGUS", "kill one kill",
    ),
    "stopped": (
        "create one", "start one", "kill one KILL", "... stopped", "state one", "kill one",
        "?start one", "?exec one true", "?pause one", "?resume one", "ps one", "delete one",
        "delete one",
    ),
    "killed before its start": (
        "create one", "kill one KILL", "... stopped", "?start one", "delete one",
    ),
    "exec": (
        "create one", "start one", "exec one id", "exec one nosuch", "exec one /etc/passwd",
        "exec one /nosuch", "?exec one /etc", "?exec one", "exec --user 7 one id",
        "exec --user 7:8 one id", "exec -u 7 -g 9 one id", "?exec -u bogus one id",
        "exec -g 9 -g 10 one id", "?exec --cwd relative one id", "?exec --cwd /nowhere one id",
        "exec --cwd /etc one readlink /proc/self/cwd", "exec -e A=1 -e A=2 one sh -c echo${IFS}$A",
        "?exec -e NOVALUE one true", "exec one cat /proc/self/status.nosuch",
        "exec --cap CAP_SYS_PTRACE one grep Cap /proc/self/status",
        "exec -u 7 one grep Cap /proc/self/status", "exec one grep Cap /proc/self/status",
        "exec --no-new-privs one grep NoNew /proc/self/status", "?exec --cap BOGUS one true",
        "exec -p process.json one", "?exec -p broken.json one", "?exec -p nosuch.json one",
        "?exec --cgroup ../x one true", "?exec --cgroup bogus:/ one true",
        "exec --cgroup / one true", "?exec --cgroup nosuch one true",
        "?exec --apparmor x one true", "?exec --process-label x one true",
        "?exec --console-socket nosuch one true", "?exec -t -d one true",
        "exec one sh -c exit${IFS}200", "exec one sh -c kill${IFS}-9${IFS}$$",
        "exec one -- true", "exec -- one true", "?exec --pid-file /nonexistent/x one true",
    ),
    "limits": (
        "create one", "start one", "update --memory 64000000 --pids-limit 77 one",
        "exec one cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "update --cpu-quota 20000 one",
        "update --cpu-share 99 one", "update --resources limits.json one",
        "exec one cat /sys/fs/cgroup/memory/memory.limit_in_bytes", "update one",
        "update --blkio-weight 0 one", "?update --memory x one", "?update --cpuset-cpus 99 one",
        "?update --resources broken.json one", "?update --resources nosuch.json one",
        "?update --l3-cache-schema L3:0=f one", "?update --cpu-period x one",
    ),
    "ids": (
        "?create a/b", "?create ..", "?create .", "?state a/b", "?delete --force ..",
        "?create " + "x" * 256, "?create", "?start", "?kill", "?exec", "?state", "?pause one two",
    ),
    "words": (
        "?nosuch", "?--nosuch list", "?--log-format bogus list", "?--log /nonexistent/log list",
        "?create --nosuch one", "?create --bundle", "?create --bundle /nonexistent one",
        "?create --preserve-fds x one", "?create --pid-file /nonexistent/pid one", "?list -f bogus",
        "?create --console-socket nosuch one", "state one",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_the_same_commands_give_the_same(runtime, runc, name: str) -> None:
    for applet in ("grep",):
        (runtime.rootfs / "bin" / applet).symlink_to("busybox")
    process = {"cwd": "/tmp", "args": ["sh", "-c", "echo $PWD $X; id"], "env": ["X=1"],
               "user": {"uid": 3, "gid": 4, "additionalGids": [5]}}  # fmt: skip
    process["env"].append("PATH=/bin")  # type: ignore[attr-defined]
    (runtime.bundle / "process.json").write_text(json.dumps(process))
    (runtime.bundle / "limits.json").write_text(json.dumps({"memory": {"limit": 48000000}}))
    (runtime.bundle / "broken.json").write_text("{broken")
    runtime.configure("sleep", "1000")
    _both(runc, STEPS[name])


def _set(*path: str, value: object) -> Change:
    def change(config: dict[str, Any]) -> None:
        for name in path[:-1]:
            config = config[name]
        config[path[-1]] = value

    return change


def _without(name: str) -> Change:
    return lambda config: config.pop(name)


SHOW = "id; pwd; echo $HOME; umask; cat /proc/self/status | grep -e Cap -e NoNew -e Seccomp:"
RUNS: dict[str, tuple[list[str], Change]] = {
    "output and exit status": (["sh", "-c", "echo out; exit 7"], lambda _: None),
    "identity": (["sh", "-c", SHOW], lambda _: None),
    "another user": (
        ["sh", "-c", SHOW],
        _set("process", "user", value={"uid": 7, "gid": 8, "additionalGids": [9, 10]}),
    ),
    "umask": (
        ["sh", "-c", "umask"], _set("process", "user", value={"uid": 0, "gid": 0, "umask": 63}),
    ),
    "limits of the process": (
        ["sh", "-c", "ulimit -n; ulimit -Hn; cat /proc/self/oom_score_adj"],
        lambda c: c["process"].update(
            rlimits=[{"type": "RLIMIT_NOFILE", "soft": 33, "hard": 44}], oomScoreAdj=300
        ),
    ),
    # But for the second hierarchy of a hybrid machine, which runc does not show, the tmpfs above
    # the others, which it leaves writable, and how small what covers a masked directory is.
    "mounts": (
        ["sh", "-c", "cut -d' ' -f2-4 /proc/mounts | sed s/,size=4k,nr_inodes=1//"
         " | grep -v -e '^/ ' -e '^/sys/fs/cgroup ' -e /unified"],
        lambda _: None,
    ),
    "devices": (["sh", "-c", "cd /dev; ls -l | tr -s ' ' | cut -d' ' -f1-6,10-"], lambda _: None),
    "masked": (
        ["sh", "-c", "cat /proc/timer_list /proc/kcore | wc -c; ls /proc/acpi /sys/firmware"],
        lambda _: None,
    ),
    "environment": (["env"], lambda c: c["process"]["env"].append("A=b")),
    "no command": (["nosuch"], lambda _: None),
    "no right": (["/etc/passwd"], lambda _: None),
    "hostname": (["hostname"], _set("hostname", value="shop")),
    "sysctl": (
        ["cat", "/proc/sys/kernel/msgmax"], _set("linux", "sysctl", value={"kernel.msgmax": "999"})
    ),
    "namespaces": (
        ["sh", "-c", "cd /proc/self/ns; for n in *; do readlink $n | cut -d: -f1; done"],
        lambda _: None,
    ),
    "cgroup": (
        ["sh", "-c", "cut -d: -f2 /proc/self/cgroup"], lambda _: None,
    ),
    "tmpfs": (
        ["sh", "-c", "stat -c '%a %u' /t; df /t | tail -1"],
        lambda c: c["mounts"].append(
            {"destination": "/t", "type": "tmpfs", "source": "tmpfs",
             "options": ["size=64k", "mode=755", "noexec"]}
        ),
    ),
}  # fmt: skip
REFUSALS: dict[str, Change] = {
    "no process": _without("process"),
    "no root": _without("root"),
    "no such root": _set("root", "path", value="nosuch"),
    "no arguments": _set("process", "args", value=[]),
    "no cwd": _set("process", "cwd", value=""),
    "relative cwd": _set("process", "cwd", value="etc"),
    "cwd that is a file": _set("process", "cwd", value="/etc/passwd"),
    "unknown namespace": _set("linux", "namespaces", value=[{"type": "bogus"}]),
    "unknown limit": _set("process", "rlimits", value=[{"type": "RLIMIT_X", "soft": 1, "hard": 1}]),
    "soft above hard": _set(
        "process", "rlimits", value=[{"type": "RLIMIT_NOFILE", "soft": 9, "hard": 1}]
    ),
    "broken environment": _set("process", "env", value=["PATH=/bin", "NOVALUE"]),
    "foreign sysctl": _set("linux", "sysctl", value={"vm.swappiness": "1"}),
    "unknown action": _set("linux", "seccomp", value={"defaultAction": "SCMP_ACT_BOGUS"}),
    "too little memory": _set("linux", "resources", value={"memory": {"limit": 1000}}),
    "no such processor": _set("linux", "resources", value={"cpu": {"cpus": "999"}}),
    "no such source": lambda c: c["mounts"].append(
        {"destination": "/x", "source": "/nosuch", "type": "bind", "options": ["bind"]}
    ),
    "no such file system": lambda c: c["mounts"].append(
        {"destination": "/x", "source": "x", "type": "nosuchfs"}
    ),
    "terminal to nowhere": _set("process", "terminal", value=True),
}


@pytest.mark.parametrize("name", RUNS)
def test_the_same_bundle_becomes_the_same_container(runtime, runc, name: str) -> None:
    for applet in ("grep", "cut", "ls", "df", "stat", "env", "tr", "wc", "hostname", "tail", "sed"):
        (runtime.rootfs / "bin" / applet).symlink_to("busybox")
    args, change = RUNS[name]
    runtime.configure(*args, change=change)
    ours = runc.boxship("run", "one")
    runc.rename_group()
    assert ours == runc("run", "one")


@pytest.mark.parametrize("name", REFUSALS)
def test_the_same_bundles_are_refused(runtime, runc, name: str) -> None:
    runtime.configure("true", change=REFUSALS[name])
    ours = runc.boxship("create", "one")
    assert ours.status == 1
    assert ours.error.count("\n") == 0
    assert runtime.leftovers() == []
    runc.rename_group()
    theirs = runc("create", "one")
    assert (ours.status, ours.out) == (theirs.status, theirs.out)


def test_statistics_have_the_shape_of_runcs(runtime, runc) -> None:
    runtime.configure("sleep", "1000")

    def statistics(call: Callable[..., Answer]) -> set[str]:
        assert call("create", "one").status == 0
        assert call("start", "one").status == 0
        said = json.loads(call("events", "--stats", "one").out)
        assert (said["type"], said["id"]) == ("stats", "one")
        return set(_keys(said["data"]))

    ours = statistics(runc.boxship)
    runc.boxship("delete", "--force", "one")
    runc.rename_group()
    theirs = statistics(runc)
    # runc leaves out what is 0, and whether anything had to be read from a disk is chance.
    differing = {key for key in theirs - ours if ".raw." not in key}
    assert not {key for key in differing if not key.startswith("blkio.")}


def _keys(value: object, prefix: str = "") -> list[str]:
    if not isinstance(value, dict):
        return []
    found = []
    for name, inner in value.items():
        found += [f"{prefix}{name}", *_keys(inner, f"{prefix}{name}.")]
    return found


def test_features_are_those_of_runc_and_more(runc) -> None:
    ours, theirs = (json.loads(call("features").out) for call in (runc.boxship, runc))
    assert set(theirs["hooks"]) == set(ours["hooks"])
    # What no kernel listens to any more, and what makes no sense for a new mount, we refuse.
    refused = {"acl", "noacl", "iversion", "noiversion", "remount"}
    assert set(theirs["mountOptions"]) - refused <= set(ours["mountOptions"])
    assert set(theirs["linux"]["namespaces"]) <= set(ours["linux"]["namespaces"])
    assert set(theirs["linux"]["seccomp"]["actions"]) <= set(ours["linux"]["seccomp"]["actions"])
    assert set(theirs["linux"]["seccomp"]["operators"]) <= set(
        ours["linux"]["seccomp"]["operators"]
    )
    assert set(theirs["linux"]["capabilities"]) <= set(ours["linux"]["capabilities"])


def test_spec_is_runcs_but_for_what_it_has_come_to_mean(runtime, runc) -> None:
    path = runtime.bundle / "config.json"
    found = []
    for call in (runc.boxship, runc):
        path.unlink(missing_ok=True)
        assert call("spec").status == 0
        found.append(json.loads(path.read_text()))
    ours, theirs = found
    for name in ("root",):
        assert ours[name] == theirs[name], name
    places = [[mount["destination"] for mount in one["mounts"]] for one in found]
    assert sorted(places[0]) == sorted(places[1])
    for name in ("terminal", "user", "args", "env", "cwd", "noNewPrivileges", "rlimits"):
        assert ours["process"].get(name) == theirs["process"].get(name), name
    for kind in ("bounding", "effective", "permitted"):
        assert ours["process"]["capabilities"][kind] == theirs["process"]["capabilities"][kind]
    for name in ("maskedPaths", "readonlyPaths"):
        assert set(theirs["linux"][name]) <= set(ours["linux"][name])
