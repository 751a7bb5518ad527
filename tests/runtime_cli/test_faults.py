"""What goes wrong around the program: its state, its disk, its bundle, its callers."""

import json
import os
import pty
import shutil
import signal
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = pytest.mark.privileged

HOOKS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


@pytest.fixture
def running(runtime):
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    return runtime


def in_mounts(runtime, mounts: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the program where the shell commands ``mounts`` have been done before."""
    command = ["unshare", "--mount", "sh", "-c", f'{mounts}\nexec "$@"', "sh", *runtime.command]
    return subprocess.run(
        [*command, *words], cwd=runtime.bundle, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"pid": "x"}', "\x00" * 99, '"text"', "7"])
def test_a_damaged_record_is_named_and_the_container_still_removed(running, text: str) -> None:
    pid = running.state("one")["pid"]
    path = running.root / "one/state.json"
    path.write_text(text)
    for words in (["state", "one"], ["delete", "one"], ["kill", "one"], ["exec", "one", "true"]):
        done = running(*words)
        assert done.returncode in (1, 255)
        assert f"{path} is damaged" in done.stderr
        assert done.stderr.count("\n") == 1
    listed = running("list")
    assert (listed.returncode, listed.stdout.count("\n")) == (0, 1)
    assert f"{path} is damaged" in listed.stderr
    running.works("delete", "--force", "one")
    assert running.leftovers() == []
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "the container's end")


def test_a_truncated_record_is_no_other_record(running) -> None:
    path = running.root / "one/state.json"
    whole = path.read_bytes()
    for length in range(0, len(whole), len(whole) // 7):
        path.write_bytes(whole[:length])
        assert "is damaged" in running("state", "one").stderr
    path.write_bytes(whole)
    assert running.state("one")["status"] == "running"


def test_of_many_creators_of_one_id_one_wins(runtime) -> None:
    runtime.configure("sleep", "1000")
    with open(os.devnull, "r+b") as null:
        creators = [
            subprocess.Popen(
                [*runtime.command, "create", "one"], cwd=runtime.bundle, stdin=null, stdout=null,
                stderr=null,
            )
            for _ in range(6)
        ]  # fmt: skip
        assert sorted(one.wait(60) for one in creators) == [0, 1, 1, 1, 1, 1]
    assert runtime.state("one")["status"] == "created"
    assert os.listdir(runtime.root) == ["one"]
    assert len(json.loads(runtime.works("ps", "-f", "json", "one"))) == 1
    runtime.works("start", "one")


def test_of_many_that_start_one_container_one_does(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    starters = [
        subprocess.Popen([*runtime.command, "start", "one"], stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [(one.wait(60), one.communicate()[1]) for one in starters]
    assert sorted(code for code, _ in said) == [0, 1, 1, 1]
    assert all("cannot start an already running" in text for code, text in said if code)


def test_another_containers_cgroup_is_refused(running) -> None:
    before = running.state("one")
    refused = running("create", "two")
    assert refused.returncode == 1
    assert "container's cgroup is not empty: 1 process(es) found" in refused.stderr
    assert running.state("one") == before
    assert os.listdir(running.root) == ["one"]


def test_a_state_directory_that_cannot_be_written(runtime) -> None:
    runtime.configure("true")
    runtime.root.mkdir()
    done = in_mounts(runtime, f"mount -t tmpfs -o ro none {runtime.root}", "run", "one")
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr
    assert str(runtime.root) in done.stderr
    runtime.root.rmdir()
    runtime.root.touch()
    done = runtime("run", "one")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert str(runtime.root) in done.stderr
    runtime.root.unlink()
    assert runtime.leftovers() == []


ROOM = ("nr_inodes=1", "nr_inodes=2", "nr_inodes=3", "nr_inodes=4", "nr_inodes=5", "size=4k")


@pytest.mark.parametrize("room", ROOM)
def test_a_full_disk_undoes_a_creation(runtime, room: str) -> None:
    """With room for none or some of the directory and its files, or for no content."""
    runtime.configure("true")
    runtime.root.mkdir()
    mounts = f"mount -t tmpfs -o {room} none {runtime.root}\n"
    if room == "size=4k":
        mounts += f"head -c 4096 /dev/zero > {runtime.root}/full"
    done = in_mounts(runtime, mounts, "create", "one")
    assert done.returncode == 1
    assert f"{runtime.root}/one" in done.stderr
    assert "No space left on device" in done.stderr
    assert done.stderr.count("\n") == 1
    runtime.root.rmdir()
    assert runtime.leftovers() == []


def test_a_cgroup_that_cannot_be_made_is_named(runtime) -> None:
    runtime.configure("true")
    if not os.path.ismount("/sys/fs/cgroup/pids"):
        pytest.skip("no hierarchy of its own for pids")
    done = in_mounts(runtime, "mount -o remount,bind,ro /sys/fs/cgroup/pids", "run", "one")
    assert done.returncode == 1
    where = f"/sys/fs/cgroup/pids/{runtime.cgroup}"
    assert f"cannot create cgroup {where}: Read-only file system" in done.stderr
    assert runtime.leftovers() == []


def test_a_bundle_may_go_once_the_container_is_made(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    (runtime.bundle / "config.json").unlink()
    assert runtime.state("one")["bundle"] == str(runtime.bundle)
    runtime.works("start", "one")
    runtime.works("exec", "one", "true")
    shutil.rmtree(runtime.rootfs)
    assert runtime.state("one")["status"] == "running"
    runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []


def test_a_bundle_is_found_from_where_the_caller_is(runtime) -> None:
    runtime.configure("true")
    for bundle in ("..//bundle", ".", "", str(runtime.bundle)):
        runtime.works("run", "--bundle", bundle, "one")
    (runtime.place / "link").symlink_to("bundle")
    runtime.works("run", "-b", "../link", "one")


@pytest.mark.parametrize("name", ["x" * 256, "x" * 5000])
def test_an_id_longer_than_a_files_name_is_refused(runtime, name: str) -> None:
    runtime.configure("true")
    for verb in ("create", "state", "delete"):
        done = runtime(verb, name)
        assert done.returncode == 1
        assert "invalid container ID format" in done.stderr
    assert runtime.leftovers() == []


def test_the_longest_id_is_an_id(runtime) -> None:
    name = "x" * 255
    runtime.configure("sh", "-c", "exit 3")
    assert runtime("run", name).returncode == 3
    assert runtime.leftovers() == []


@pytest.mark.spec(
    "hooks.prestart[].timeout",
    "hooks.createRuntime[].timeout",
    "hooks.createContainer[].timeout",
    "hooks.startContainer[].timeout",
    "hooks.poststart[].timeout",
    "hooks.poststop[].timeout",
)
@pytest.mark.parametrize("kind", HOOKS)
@pytest.mark.parametrize("fault", ["fails", "hangs", "is missing"])
def test_a_hook_that_does_not_work(runtime, kind: str, fault: str) -> None:
    hook: dict[str, Any] = {
        "fails": {"path": "/bin/sh", "args": ["sh", "-c", "exit 3"]},
        "hangs": {"path": "/bin/sleep", "args": ["sleep", "1000"], "timeout": 1},
        "is missing": {"path": "/nosuch"},
    }[fault]
    words = {"fails": "exit status 3", "hangs": "did not end within 1 s", "is missing": "/nosuch"}
    runtime.configure("sleep", "1000", change=lambda c: c.update(hooks={kind: [hook]}))
    if kind in HOOKS[:3]:
        failed = runtime("create", "one")
    else:
        runtime.create("one")
        if kind != "poststop":
            failed = runtime("start", "one")
        else:
            runtime.works("start", "one")
            failed = runtime("delete", "--force", "one")
    assert failed.returncode == (0 if kind == "poststop" else 1)
    assert f"error running {kind} hook #0: " in failed.stderr
    assert words[fault] in failed.stderr
    assert failed.stderr.count("\n") == 1
    assert runtime.leftovers() == []


def foreground(runtime, script: str) -> "subprocess.Popen[str]":
    """Run a container whose process has said that it is ready."""
    runtime.configure("sh", "-c", script)
    caller = subprocess.Popen(
        [*runtime.command, "run", "one"], cwd=runtime.bundle, stdout=subprocess.PIPE, text=True
    )
    assert caller.stdout is not None
    with caller.stdout:
        assert caller.stdout.readline() == "ready\n"
    return caller


@pytest.mark.parametrize("name", ["INT", "TERM", "HUP", "USR1", "QUIT"])
def test_run_forwards_signals(runtime, name: str) -> None:
    caller = foreground(runtime, f"trap 'exit 9' {name}; echo ready; while :; do sleep 0.05; done")
    # At once: it is ready for them before its process begins.
    caller.send_signal(signal.Signals[f"SIG{name}"])
    assert caller.wait(20) == 9
    assert runtime.leftovers() == []


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    ends = pty.openpty()
    yield ends
    for fd in ends:
        os.close(fd)


@pytest.mark.parametrize("verb", ["run", "exec"])
def test_a_terminal_is_given_back_as_it_was(runtime, terminal: tuple[int, int], verb: str) -> None:
    master, slave = terminal
    termios.tcsetwinsize(slave, (33, 77))
    before = termios.tcgetattr(slave)
    script = ["sh", "-c", "stty size; read line; echo got $line; exit 5"]
    if verb == "run":
        runtime.configure(*script, change=lambda c: c["process"].update(terminal=True))
        words = ["run", "one"]
    else:
        runtime.configure("sleep", "1000")
        runtime.create("one")
        runtime.works("start", "one")
        words = ["exec", "--tty", "one", *script]
    caller = subprocess.Popen(
        [*runtime.command, *words], cwd=runtime.bundle, stdin=slave, stdout=slave, stderr=slave
    )
    said = _read_until(master, b"33 77")
    assert termios.tcgetattr(slave) != before
    os.write(master, b"word\n")
    assert caller.wait(20) == 5
    assert b"got word" in said + _read_until(master, b"got word")
    assert termios.tcgetattr(slave) == before


def _read_until(master: int, wanted: bytes) -> bytes:
    said = b""
    deadline = time.monotonic() + 20
    while wanted not in said:
        assert time.monotonic() < deadline, said
        said += os.read(master, 4096)
    return said


def test_what_nobody_reads_holds_up_no_end(runtime) -> None:
    """More is typed into a terminal than it takes, and the process ends without reading."""
    runtime.configure("sh", "-c", "exit 3", change=lambda c: c["process"].update(terminal=True))
    endless = subprocess.Popen(["yes"], stdout=subprocess.PIPE)
    with endless:
        for _ in range(5):
            caller = subprocess.run(
                [*runtime.command, "run", "one"],
                cwd=runtime.bundle,
                stdin=endless.stdout,
                capture_output=True,
                timeout=20,
                check=False,
            )
            assert caller.returncode == 3
        endless.kill()


def test_a_caller_that_is_killed_leaves_what_can_be_deleted(runtime) -> None:
    caller = foreground(runtime, "echo ready; exec sleep 1000")
    caller.kill()
    caller.wait()
    runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []
