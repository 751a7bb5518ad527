"""create, start, state, kill, delete, list, ps, pause, resume: what every engine asks for."""

import json
import signal
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.waiting import eventually

pytestmark = pytest.mark.privileged


def test_a_created_container_waits_for_start(runtime) -> None:
    runtime.configure("sh", "-c", "echo begun > /tmp/mark; exec sleep 1000",
                      change=lambda c: c["root"].update(readonly=False))  # fmt: skip
    runtime.create("one")
    assert runtime.state("one")["status"] == "created"
    assert stat.S_ISFIFO((runtime.root / "one/exec.fifo").stat().st_mode)
    assert not (runtime.rootfs / "tmp/mark").exists()
    runtime.works("start", "one")
    eventually((runtime.rootfs / "tmp/mark").exists, "the command's mark")
    assert runtime.state("one")["status"] == "running"
    assert not (runtime.root / "one/exec.fifo").exists()
    again = runtime("start", "one")
    assert (again.returncode, again.stderr) == (
        1, "boxship-runtime: cannot start an already running container\n",
    )  # fmt: skip


def test_state_has_runcs_keys_in_their_order(runtime) -> None:
    runtime.configure("sleep", "1000", change=lambda c: c.update(annotations={"a": "b"}))
    runtime.create("one")
    state = runtime.state("one")
    assert list(state) == ["ociVersion", "id", "pid", "status", "bundle", "rootfs", "created",
                           "annotations", "owner"]  # fmt: skip
    assert state["bundle"] == str(runtime.bundle)
    assert state["annotations"] == {"a": "b"}
    assert json.loads(runtime.works("list", "--format", "json")) == [state | {"owner": "root"}]
    assert runtime.works("list", "-q") == "one\n"
    assert state["bundle"] in runtime.works("list")


def test_the_pid_file_is_where_the_caller_is(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.detached("run", "--detach", "--pid-file", "here.pid", "one")
    assert int((runtime.bundle / "here.pid").read_text()) == runtime.state("one")["pid"]


def test_a_stopped_container_can_only_be_deleted_and_only_once(runtime) -> None:
    runtime.configure("sh", "-c", "exit 3")
    runtime.create("one")
    runtime.works("start", "one")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    assert runtime.state("one")["pid"] == 0
    assert runtime("kill", "one").stderr == "boxship-runtime: container not running\n"
    assert "cannot start a container that has stopped" in runtime("start", "one").stderr
    assert "cannot exec in a stopped container" in runtime("exec", "one", "true").stderr
    runtime.works("delete", "one")
    again = runtime("delete", "one")
    assert (again.returncode, again.stderr) == (1, "boxship-runtime: container does not exist\n")
    runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []


def test_a_running_container_is_deleted_by_force_alone(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    refused = runtime("delete", "one")
    assert "cannot delete container one that is not stopped: running" in refused.stderr
    runtime.works("delete", "--force", "one")
    assert runtime.leftovers() == []


def test_a_created_container_can_be_killed(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("kill", "one", "SIGKILL")
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    assert "cannot start a container that has stopped" in runtime("start", "one").stderr


def test_a_created_container_can_be_deleted(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("delete", "one")
    assert runtime.leftovers() == []


def test_an_id_is_taken_once_and_well_formed(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    assert "container with given ID already exists" in runtime("create", "one").stderr
    assert runtime.state("one")["status"] == "created"
    for bad in ("..", "a/b", "", "a b"):
        assert "invalid container ID format" in runtime("create", bad).stderr


def test_pause_and_resume(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    runtime.works("pause", "one")
    assert runtime.state("one")["status"] == "paused"
    assert "cannot exec in a paused container" in runtime("exec", "one", "true").stderr
    runtime.works("resume", "one")
    assert "container not paused" in runtime("resume", "one").stderr
    assert runtime.state("one")["status"] == "running"


def test_ps_lists_the_containers_processes(runtime) -> None:
    runtime.configure("sleep", "1000")
    runtime.create("one")
    runtime.works("start", "one")
    pid = runtime.state("one")["pid"]
    assert json.loads(runtime.works("ps", "--format", "json", "one")) == [pid]
    head, row = runtime.works("ps", "one", "-o", "pid,comm", "-A").splitlines()
    assert (head.split(), row.split()) == (["PID", "COMMAND"], [str(pid), "sleep"])


def test_kill_all_reaches_every_process(runtime) -> None:
    runtime.configure("sh", "-c", "sleep 1000 & sleep 1000; true")
    runtime.create("one")
    runtime.works("start", "one")
    eventually(lambda: len(json.loads(runtime.works("ps", "-f", "json", "one"))) == 3, "processes")
    runtime.works("kill", "--all", "one", str(int(signal.SIGKILL)))
    eventually(lambda: runtime.state("one")["status"] == "stopped", "the end")
    eventually(lambda: json.loads(runtime.works("ps", "-f", "json", "one")) == [], "the rest's end")


@pytest.mark.parametrize("detach", [True, False])
def test_what_cannot_be_executed_is_told_by_name(runtime, detach: bool) -> None:
    script = runtime.rootfs / "bin/notaprogram"
    script.write_bytes(b"\x7fELFbroken")
    script.chmod(0o755)
    plain = runtime.rootfs / "bin/plain"
    plain.write_text("x")
    for command, words in (
        ("nosuch", 'exec: "nosuch": executable file not found in $PATH'),
        ("/nosuch", "no such file or directory"),
        ("/bin/plain", "permission denied"),
        ("/bin/notaprogram", "exec format error"),
    ):
        runtime.configure(command)
        done = runtime("create", "one") if detach else runtime("run", "one")
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert words in done.stderr
        assert runtime.leftovers() == []


def test_run_gives_the_exit_status_and_leaves_nothing(runtime) -> None:
    runtime.configure("sh", "-c", "echo out; echo err >&2; exit 7")
    done = runtime("run", "one")
    assert (done.stdout, done.stderr, done.returncode) == ("out\n", "err\n", 7)
    runtime.configure("sh", "-c", "kill -9 $$; sleep 1000")
    runtime.configure("sh", "-c", "exit 0")
    assert runtime("run", "--keep", "one").returncode == 0
    assert runtime.state("one")["status"] == "stopped"
    runtime.works("delete", "one")
    assert runtime.leftovers() == []


def test_a_caller_that_ignores_its_childrens_end(runtime) -> None:
    runtime.configure("sh", "-c", "exit 3")

    def ignore() -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)

    done = runtime("run", "one", preexec_fn=ignore)
    assert (done.returncode, done.stderr) == (3, "")
    assert not (runtime.root / "one").exists()


def test_descriptors_are_inherited_only_when_asked_for(runtime, tmp_path: Path) -> None:
    runtime.configure("sh", "-c", "cat <&3 || echo none")
    secret = tmp_path / "secret"
    secret.write_text("told\n")
    with open(secret, "rb") as stream:
        fd = stream.fileno()
        command = ["bash", "-c", f'exec 3<&{fd}; exec "$@"', "bash", *runtime.command, "run"]

        def run(*flags: str) -> str:
            stream.seek(0)
            done = subprocess.run(
                [*command, *flags, "one"], cwd=runtime.bundle, capture_output=True,
                text=True, pass_fds=(fd,), check=False, timeout=60,
            )  # fmt: skip
            return done.stdout

        assert run("--preserve-fds", "1") == "told\n"
        assert run() == "none\n"


def test_errors_go_to_the_log_in_its_format(runtime) -> None:
    log = runtime.place / "log"
    assert runtime("--log", str(log), "--log-format", "json", "start", "none").returncode == 1
    entry = json.loads(log.read_text())
    assert entry["level"] == "error"
    assert entry["msg"] == "container does not exist"
    log.unlink()
    runtime("--log", str(log), "start", "none")
    assert 'level=error msg="container does not exist"' in log.read_text()


def test_without_pivot_root_the_root_is_the_same(runtime) -> None:
    runtime.configure("sh", "-c", "cd ..; echo *; cat /proc/self/mountinfo")
    seen = {}
    for flags in ((), ("--no-pivot",)):
        names, first, *_ = runtime.works("run", *flags, "one").splitlines()
        seen[flags] = (names, first.split()[3:5])
    assert seen[()] == seen["--no-pivot",]


def test_a_container_may_be_born_into_anothers_pid_namespace(runtime) -> None:
    """By create and start, and in the foreground; its recorded pid is the final process's."""
    runtime.configure("sleep", "1000")
    runtime.detached("run", "--detach", "one")
    other = runtime.state("one")["pid"]

    def share(config: dict[str, Any]) -> None:
        for namespace in config["linux"]["namespaces"]:
            if namespace["type"] == "pid":
                namespace["path"] = f"/proc/{other}/ns/pid"
        config["linux"]["cgroupsPath"] += "-two"

    # In somebody else's namespace a signal without a handler ends it, for it is nobody's PID 1.
    runtime.configure("sleep", "1000", change=share)
    runtime.create("two")
    runtime.works("start", "two")
    state = runtime.state("two")
    assert Path(f"/proc/{state['pid']}/comm").read_text() == "sleep\n"
    links = [Path(f"/proc/{pid}/ns/pid").readlink() for pid in (other, state["pid"])]
    assert links[0] == links[1] != Path("/proc/self/ns/pid").readlink()
    runtime.works("kill", "two", "TERM")
    eventually(lambda: runtime.state("two")["status"] == "stopped", "the end")
    runtime.works("delete", "two")
    runtime.configure("cat", "/proc/1/comm", change=share)
    assert runtime.works("run", "three") == "sleep\n"


def test_sockets_of_systemds_are_handed_on_and_told_of(runtime, tmp_path: Path) -> None:
    runtime.configure("sh", "-c", "echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3")
    (tmp_path / "socket").write_text("told\n")

    def run(settings: str) -> str:
        script = f'exec 3<"$0"; {settings} exec "$@"'
        done = subprocess.run(
            ["bash", "-c", script, str(tmp_path / "socket"), *runtime.command, "run", "one"],
            cwd=runtime.bundle, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        return done.stdout

    assert run("LISTEN_FDS=1 LISTEN_PID=$$ LISTEN_FDNAMES=web") == "1 1 web\ntold\n"
    # Somebody else's.
    assert run("LISTEN_FDS=1 LISTEN_PID=1") == run("LISTEN_FDS=1") == "\n"
