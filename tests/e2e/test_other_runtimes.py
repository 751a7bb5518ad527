"""Containers that another OCI runtime makes are as those of the built-in one.

``ours`` is the built-in runtime as a program of its own, called as any other.
"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import runtimes
from support.cli import Cli
from support.engine import Engine
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

NAMES = ("boxship", "runc", "crun", "ours")


@pytest.fixture(scope="module")
def _engine() -> Iterator[Engine]:
    engine = Engine()
    engine.add_flags("--experimental", *runtimes.flags(engine.home))
    with engine:
        engine.load("busybox")
        yield engine


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of a runtime."""
    runtimes.require(request.param)
    return str(request.param)


@pytest.fixture
def own(_engine: Engine) -> Iterator[Engine]:
    """The daemon; after the test it has nothing of a container."""
    yield _engine
    for one in _engine.api.get("/containers/json", all=1).json():
        _engine.api.remove(one["Id"])
    eventually(lambda: not _engine.remains(), "the end of what containers leave")
    eventually(lambda: len(_engine.processes()) == 2, "daemon and launcher to be alone again")


@pytest.fixture
def docker(own: Engine) -> Cli:
    return own.docker


def run(docker: Cli, name: str, *words: str) -> str:
    return docker("run", "--rm", f"--runtime={name}", *words)


def test_exit_code_and_streams(docker: Cli, name: str) -> None:
    say = "echo out; echo err >&2; exit 7"
    done = docker.run("run", "--rm", f"--runtime={name}", "busybox", "sh", "-c", say)
    assert (done.code, done.out, done.err) == (7, "out\n", "err\n")


@pytest.mark.option("HostConfig.Runtime")
def test_the_record_names_it(own: Engine, name: str) -> None:
    own.docker("create", "--name=kept", f"--runtime={name}", "busybox", "true")
    assert own.api.inspect("kept")["HostConfig"]["Runtime"] == name


def test_what_the_container_is(docker: Cli, name: str) -> None:
    look = "hostname; id -u; id -G; pwd; cat /made; grep Seccomp: /proc/1/status"
    text = run(
        docker, name, "--hostname=box", "--user=1000:1001", "--group-add=7", "-w/new/directory",
        "--mount=type=bind,source=/etc/hostname,target=/made", "busybox", "sh", "-c", look,
    )  # fmt: skip
    lines = text.splitlines()
    assert lines[0] == "box"
    assert lines[1] == "1000"
    assert sorted(lines[2].split()) == ["1001", "7"]
    assert lines[3] == "/new/directory"
    assert lines[4] == Path("/etc/hostname").read_text().strip()
    assert lines[5] == "Seccomp:\t2"


def test_its_files(docker: Cli, name: str) -> None:
    """Listed, copied, and committed while it runs, whoever has made the container."""
    docker(
        "run", "-d", "--name=box", f"--runtime={name}", "busybox",
        "sh", "-c", "echo x > /f; rm /etc/passwd; sleep 1000",
    )  # fmt: skip
    rows = ["C /etc", "D /etc/passwd", "A /f"]
    eventually(lambda: docker("diff", "box").splitlines() == rows, "its files")
    docker("cp", "/etc/hostname", "box:/copied")
    assert docker("exec", "box", "cat", "/copied") == Path("/etc/hostname").read_text().strip()
    docker("commit", "box", "committed")
    assert docker("inspect", "-f", "{{.State.Status}}", "box") == "running"
    assert run(docker, name, "committed", "sh", "-c", "cat /f; ls /etc").split()[0] == "x"
    docker("rmi", "-f", "committed")


def test_rights(docker: Cli, name: str) -> None:
    look = "grep -E 'Cap(Eff|Bnd)|NoNewPrivs|SigIgn|SigBlk' /proc/self/status; ulimit -n"
    assert run(docker, name, "busybox", "sh", "-c", look) == run(
        docker, "boxship", "busybox", "sh", "-c", look
    )


def test_an_init_of_ours(docker: Cli, name: str) -> None:
    assert "docker-init" in run(docker, name, "--init", "busybox", "cat", "/proc/1/cmdline")


@pytest.mark.parametrize(("command", "code"), [("nosuch", 127), ("/etc/passwd", 126)])
def test_a_command_that_cannot_be_executed(own: Engine, name: str, command: str, code: int) -> None:
    own.docker("create", "--name=bad", f"--runtime={name}", "busybox", command)
    reply = own.api.post("/containers/bad/start")
    assert reply.status == 400
    program = {"ours": "boxship-runtime"}.get(name, name)
    assert "OCI runtime create failed: " in reply.message
    assert program in reply.message or name == "crun"  # which does not say who it is
    assert "\n" not in reply.message
    state = own.api.inspect("bad")["State"]
    assert (state["Status"], state["ExitCode"]) == ("created", code)
    assert os.listdir(own.exec / "c") == []
    assert own.cgroups() == []


def test_a_user_that_does_not_exist(docker: Cli, name: str) -> None:
    done = docker.run("run", "--rm", f"--runtime={name}", "-u", "nosuch", "busybox", "true")
    assert done.code == 125
    assert "unable to find user nosuch: no matching entries in passwd file" in done.err


def test_standard_input(docker: Cli, name: str) -> None:
    text = "one\ntwo\n" * 10_000
    done = docker.run("run", "-i", "--rm", f"--runtime={name}", "busybox", "cat", stdin=text)
    assert (done.code, done.out) == (0, text)


def test_terminal(docker: Cli, name: str) -> None:
    with docker.on_terminal("run", "-it", "--rm", f"--runtime={name}", "busybox", "sh") as terminal:
        terminal.expect("# ")
        terminal.type("tty\n")
        terminal.expect("/dev/(pts/0|console)")
        terminal.resize(33, 111)
        for _ in range(100):
            terminal.type("stty size\n")
            if terminal.expect(r"\d+ \d+").group() == "33 111":
                break
        else:
            raise AssertionError("the size never came through")
        terminal.type("exit 5\n")
        assert terminal.close() == 5


def test_exec(docker: Cli, name: str) -> None:
    docker("run", "-d", f"--runtime={name}", "--name=box", "-e", "A=1", "busybox", "sleep", "1000")
    say = "echo $A $B; pwd; id -u; exit 3"
    done = docker.run("exec", "-eB=2", "-w/tmp", "-u1000", "box", "sh", "-c", say)
    assert (done.code, done.out) == (3, "1 2\n/tmp\n1000\n")
    assert docker.run("exec", "-i", "box", "cat", stdin="through").out == "through"
    with docker.on_terminal("exec", "-it", "box", "sh", "-c", "stty size; read x; exit $x") as it:
        it.expect("24 80")
        it.type("9\n")
        assert it.close() == 9
    for command, code in (("nosuch", 127), ("/etc/passwd", 126)):
        refused = docker.run("exec", "box", command)
        assert refused.code == code, refused
        assert "OCI runtime exec failed: " in refused.out + refused.err
    assert docker("exec", "box", "echo", "still there") == "still there"


def test_execs_at_the_same_time(docker: Cli, name: str) -> None:
    docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sleep", "1000")
    execs = [docker.start("exec", "box", "sh", "-c", f"echo {n}; exit {n}") for n in range(5)]
    for n, process in enumerate(execs):
        out, _ = process.communicate(timeout=60)
        assert (process.returncode, out) == (n, f"{n}\n".encode())


def test_stop_and_start_again(own: Engine, name: str) -> None:
    wait = "trap 'echo asked; exit 4' TERM; echo ready; while :; do sleep 0.05; done"
    own.docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sh", "-c", wait)
    stop_when_ready(own, 1)
    own.docker("start", "box")
    stop_when_ready(own, 2)


def stop_when_ready(engine: Engine, times: int) -> None:
    eventually(lambda: engine.docker("logs", "box").count("ready") == times, "the trap")
    engine.docker("stop", "box")
    state = engine.api.inspect("box")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 4)
    assert engine.docker("logs", "box").count("asked") == times


def test_kill(own: Engine, name: str) -> None:
    own.docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sleep", "1000")
    own.docker("kill", "box")
    state = own.api.inspect("box")["State"]
    assert (state["Status"], state["ExitCode"], state["OOMKilled"]) == ("exited", 137, False)


@pytest.mark.parametrize("name", NAMES[1:], indirect=True)
def test_checkpoints_are_not_for_it(own: Engine, name: str, tmp_path: Path) -> None:
    own.docker("create", f"--runtime={name}", "--name=box", "busybox", "sleep", "1000")
    (tmp_path / "saved").mkdir()
    wanted = {"checkpoint": "saved", "checkpoint-dir": str(tmp_path)}
    reply = own.api.post("/containers/box/start", **wanted)
    assert (reply.status, reply.message) == (
        400, f"a container of the runtime {name} cannot be restored",
    )  # fmt: skip
    own.docker("start", "box")
    reply = own.api.post("/containers/box/checkpoints", {"CheckpointID": "saved"})
    assert reply.status == 400, reply.message
    assert "another runtime" in reply.message


def test_pause(own: Engine, name: str) -> None:
    own.docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sleep", "1000")
    own.docker("pause", "box")
    assert own.api.inspect("box")["State"]["Status"] == "paused"
    assert own.docker.run("exec", "box", "true").code != 0
    own.docker("unpause", "box")
    assert own.docker("exec", "box", "echo", "awake") == "awake"
    own.docker("pause", "box")
    own.docker("rm", "-f", "box")


def test_restart_policy(own: Engine, name: str) -> None:
    policy = "--restart=on-failure:2"
    own.docker("run", "-d", f"--runtime={name}", policy, "--name=box", "busybox", "false")
    eventually(
        lambda: (
            own.api.inspect("box")["RestartCount"] == 2
            and own.api.inspect("box")["State"]["Status"] == "exited"
        ),
        "the last attempt",
    )


def test_memory_limit(own: Engine, name: str) -> None:
    eat = "x=a; while :; do x=$x$x; done"
    words = ("--memory=16m", "--memory-swap=16m", "busybox", "sh", "-c", eat)
    done = own.docker.run("run", f"--runtime={name}", "--name=eater", *words)
    assert done.code == 137
    assert own.api.inspect("eater")["State"]["OOMKilled"]


def test_limits(docker: Cli, name: str) -> None:
    files = "/sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max"
    look = f"for f in {files}; do [ ! -e $f ] || cat $f; done; ulimit -n; ulimit -Hn"
    words = ("--pids-limit=17", "--ulimit=nofile=123:456", "busybox", "sh", "-c", look)
    assert run(docker, name, *words) == "17\n123\n456"


def test_top(docker: Cli, name: str) -> None:
    docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sleep", "1234")
    assert "sleep 1234" in docker("top", "box")


def test_processes_of_the_host(docker: Cli, name: str) -> None:
    """Without a namespace to end them, they end with the first one all the same."""
    breed = "sleep 4321 & sleep 4321 & exit 6"
    done = docker.run(
        "run", "--rm", "--pid=host", f"--runtime={name}", "busybox", "sh", "-c", breed, timeout=20
    )
    assert done.code == 6


def test_mounts_that_are_shared_with_the_host(docker: Cli, name: str, shared: Path) -> None:
    words = ("--privileged", f"-v={shared}:/shared:rshared", "busybox", "sh", "-c")
    mounting = "mkdir /shared/below && mount -t tmpfs -o size=4k tmpfs /shared/below; sleep 1000"
    docker("run", "-d", "--name=box", f"--runtime={name}", *words, mounting)
    below = shared / "below"
    eventually(lambda: os.path.ismount(below), "the container's mount")
    docker("exec", "box", "umount", "/shared/below")
    assert not os.path.ismount(below)


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """A mount of the host's that is shared."""
    place = tmp_path / "shared"
    place.mkdir()
    os.system(f"mount -t tmpfs tmpfs {place} && mount --make-shared {place}")
    yield place
    os.system(f"umount -R {place}")


# ── processes that are killed ────────────────────────────────────────────────────────────────


@pytest.fixture
def mortal(make_engine: Callable[..., Engine]) -> Engine:
    """A daemon of the test's own."""
    engine = make_engine()
    engine.add_flags(*runtimes.flags(engine.home))
    engine.start()
    engine.load("busybox")
    return engine


def test_the_daemon_is_killed(mortal: Engine, name: str) -> None:
    count = "trap 'exit 4' TERM; n=0; while :; do n=$((n+1)); echo $n; sleep 0.05; done"
    mortal.docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sh", "-c", count)
    pid = mortal.api.inspect("box")["State"]["Pid"]
    mortal.kill()
    mortal.start()
    assert mortal.api.inspect("box")["State"]["Pid"] == pid
    assert mortal.docker("exec", "box", "echo", "hi") == "hi"
    logged = len(mortal.docker("logs", "box").split())
    with mortal.docker.start("attach", "--no-stdin", "box") as attached:
        assert attached.stdout is not None
        assert int(attached.stdout.readline()) >= logged
        mortal.docker("stop", "box")
    assert attached.returncode == 4
    numbers = mortal.docker("logs", "box").split()
    assert numbers == [str(n + 1) for n in range(len(numbers))]
    assert mortal.api.inspect("box")["State"]["ExitCode"] == 4


def test_the_daemon_is_away_when_it_ends(mortal: Engine, name: str) -> None:
    mortal.docker(
        "run", "-di", f"--runtime={name}", "--name=box", "busybox", "sh", "-c", "read x; exit 5"
    )
    pid = mortal.api.inspect("box")["State"]["Pid"]
    shim = shim_of(mortal, "box")
    mortal.kill()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not os.path.exists(f"/proc/{shim}"), "the shim's end")
    mortal.start()
    state = mortal.api.inspect("box")["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 137)


@pytest.mark.parametrize("daemon_is_there", [True, False])
def test_the_shim_is_killed(mortal: Engine, name: str, daemon_is_there: bool) -> None:
    mortal.docker("run", "-d", f"--runtime={name}", "--name=box", "busybox", "sleep", "1000")
    pid = mortal.api.inspect("box")["State"]["Pid"]
    shim = shim_of(mortal, "box")
    if not daemon_is_there:
        mortal.kill()
    os.kill(shim, signal.SIGKILL)
    if not daemon_is_there:
        mortal.start()
    eventually(lambda: mortal.api.inspect("box")["State"]["Status"] == "exited", "its end")
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "the end of its process")
    eventually(lambda: not os.listdir(mortal.exec / "c"), "the removal of its directory")
    mortal.docker("start", "box")
    assert mortal.docker("exec", "box", "echo", "again") == "again"


def shim_of(engine: Engine, container: str) -> int:
    """As its directory says: for a moment the parent of a container's init is another."""
    directory = engine.exec / "c" / engine.api.inspect(container)["Id"]
    return int((directory / "shim.pid").read_text().split()[0])
