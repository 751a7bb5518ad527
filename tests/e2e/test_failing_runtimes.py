"""Runtimes that are missing, lie, hang or are killed; and how they are configured."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from support import runtimes
from support.cli import Done
from support.engine import Engine
from support.programs import required
from support.residue import title
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POINTS = int(os.environ.get("BOXSHIP_KILL_POINTS", "6"))  # more: a longer, finer sweep
CHANGES = "openat,clone,clone3,mkdirat,write,mount,futex,execve,pivot_root,renameat"
_LAST = 300
"""No thread of runc makes more of these calls."""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    return tmp_path


@pytest.fixture
def make(make_engine: Callable[..., Engine], directory: Path) -> Callable[..., Engine]:
    """Makes a daemon that has a runtime ``r``, a shell script with ``$runc`` and ``$here``."""

    def made(text: str) -> Engine:
        values = {"runc": required("runc"), "here": str(directory)}
        path = runtimes.script(directory / "r", text, values)
        engine = make_engine(f"--add-runtime=r={path}")
        engine.start()
        engine.load("busybox")
        return engine

    return made


Hanging = tuple[Engine, Future[Done]]


@pytest.fixture(scope="module", autouse=True)
def hanging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hanging]:
    """An exec whose runtime hangs. Half a minute goes by before it is given up, for all tests."""
    directory = tmp_path_factory.mktemp("hanging")
    # With a child, which nobody tells that the runtime is killed.
    text = 'case "$*" in *" exec "*) sleep 999;; esac; exec "$runc" "$@"'
    values = {"runc": required("runc"), "here": str(directory)}
    with Engine(f"--add-runtime=r={runtimes.script(directory / 'r', text, values)}") as engine:
        engine.load("busybox")
        engine.docker("run", "-d", "--name=box", "--runtime=r", "busybox", "sleep", "1000")
        with ThreadPoolExecutor(1) as meanwhile:
            asked = meanwhile.submit(engine.docker.run, "exec", "box", "true", timeout=50)
            try:
                eventually(lambda: sleeping(engine), "its sleep")
                yield engine, asked
            finally:  # nobody waited, if only others were to be run
                for pid in sleeping(engine):
                    os.kill(pid, signal.SIGKILL)


def sleeping(engine: Engine) -> list[int]:
    return [pid for pid in engine.processes() if title(pid) == "sleep 999"]


def refused(engine: Engine, *flags: str) -> str:
    """Create and start; return why it did not, and check that nothing is left."""
    engine.docker("create", "--name=box", "--runtime=r", *flags, "busybox", "sleep", "1000")
    reply = engine.api.post("/containers/box/start")
    assert reply.status >= 400
    assert "\n" not in reply.message
    gone(engine)
    return reply.message


def gone(engine: Engine) -> None:
    """Nothing of a container runs or is mounted; its record may stay."""
    eventually(lambda: not engine.cgroups(), "the end of its cgroups")
    eventually(lambda: not os.listdir(engine.exec / "c"), "the end of its directory")
    eventually(lambda: len(engine.processes()) == 2, "daemon and launcher to be alone")
    assert not engine.mounts()


def test_that_is_not_there(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--add-runtime=r=/nowhere/r")
    engine.start()
    engine.load("busybox")
    assert "cannot run the runtime /nowhere/r: No such file or directory" in refused(engine)


def test_that_says_nothing(make: Callable[..., Engine]) -> None:
    assert "OCI runtime create failed: r create ended with 3" in refused(make("exit 3"))


def test_that_makes_no_process(make: Callable[..., Engine]) -> None:
    assert "the runtime named no process" in refused(make("exit 0"))


def test_that_sends_no_terminal(make: Callable[..., Engine]) -> None:
    assert "the runtime sent no terminal" in refused(make("exit 0"), "-t")


@pytest.mark.parametrize("verb", ["create", "start"])
@pytest.mark.parametrize("when", ["before", "after"])
def test_that_is_killed_around_its_work(make: Callable[..., Engine], verb: str, when: str) -> None:
    work = {"before": "kill -9 $$", "after": '"$runc" "$@"; kill -9 $$'}[when]
    engine = make(f'case "$*" in *" {verb} "*) {work};; esac; exec "$runc" "$@"')
    if when == "after" and verb == "start":
        # It has done all; nobody can tell from its end, and the container is taken down.
        assert "was killed by SIGKILL" in refused(engine)
    else:
        assert f"r {verb} was killed by SIGKILL" in refused(engine)


@pytest.mark.timeout(600)
def test_that_is_killed_at_any_point(make: Callable[..., Engine], directory: Path) -> None:
    """strace kills each thread of runc at its n-th call that changes something."""
    (directory / "options").write_text("")
    # -D: runc is the program called, and does not have to wait for what it leaves running.
    engine = make(
        '[ -s "$here/options" ] || exec "$runc" "$@"\n'
        'exec strace -D -qq -f -o /dev/null $(cat "$here/options") "$runc" "$@"'
    )
    failed = 0
    for point in sorted({round(_LAST ** (step / (POINTS - 1))) for step in range(POINTS)}):
        kill = f"-e trace={CHANGES} -e inject={CHANGES}:signal=KILL:when={point}"
        (directory / "options").write_text(kill)
        engine.docker("create", "--name=box", "--runtime=r", "busybox", "sleep", "1000")
        reply = engine.api.post("/containers/box/start")
        (directory / "options").write_text("")
        if reply.status != 204:
            failed += 1
            gone(engine)
            engine.docker("start", "box")
        assert engine.docker("exec", "box", "echo", "hi") == "hi"
        engine.api.remove("box")
        gone(engine)
    assert failed >= 2


def test_daemon_and_shim_are_killed_while_it_works(
    make: Callable[..., Engine], directory: Path
) -> None:
    engine = make(
        'case "$*" in *" create "*) touch "$here/begun"; exec sleep 1000;; esac; exec "$runc" "$@"'
    )
    engine.docker("create", "--name=box", "--runtime=r", "busybox", "true")
    with engine.docker.start("start", "box") as client:
        eventually((directory / "begun").exists, "the runtime")
        (shim_pid,) = engine.exec.glob("c/*/shim.pid")
        shim = int(shim_pid.read_text().split()[0])
        engine.kill()
        os.kill(shim, signal.SIGKILL)
        client.wait(20)
    engine.start()
    gone(engine)
    assert engine.api.inspect("box")["State"]["Status"] in {"created", "exited"}


@pytest.mark.parametrize("victim", ["starter", "shim"])
def test_who_waits_for_it_is_killed(
    make: Callable[..., Engine], directory: Path, victim: str
) -> None:
    engine = make(
        'case "$*" in *" create "*) echo $PPID >"$here/new"; mv "$here/new" "$here/begun"\n'
        'exec sleep 1000;; esac; exec "$runc" "$@"'
    )
    engine.docker("create", "--name=box", "--runtime=r", "busybox", "true")
    with engine.docker.start("start", "box") as client:
        eventually((directory / "begun").exists, "the runtime")
        (shim_pid,) = engine.exec.glob("c/*/shim.pid")
        pids = {"starter": directory / "begun", "shim": shim_pid}
        os.kill(int(pids[victim].read_text().split()[0]), signal.SIGKILL)
        assert client.wait(20) != 0
        assert client.stderr is not None
        assert b"the container's shim is gone" in client.stderr.read()
    gone(engine)


@pytest.mark.parametrize("when", ["before", "after"])
def test_that_is_killed_at_an_exec(make: Callable[..., Engine], when: str) -> None:
    work = {"before": "kill -9 $$", "after": '"$runc" "$@"; kill -9 $$'}[when]
    engine = make(f'case "$*" in *" exec "*) {work};; esac; exec "$runc" "$@"')
    engine.docker("run", "-d", "--name=box", "--runtime=r", "busybox", "sleep", "1000")
    done = engine.docker.run("exec", "box", "sleep", "1234")
    assert done.code == 126
    assert "r exec was killed by SIGKILL" in done.out + done.err
    assert "1234" not in engine.docker("top", "box")
    assert engine.api.inspect("box")["State"]["Running"]


def test_that_is_told_of_every_end(make: Callable[..., Engine], directory: Path) -> None:
    engine = make(
        'case "$*" in *" delete "*) echo "$*" >>"$here/deleted";; esac; exec "$runc" "$@"'
    )
    deleted = directory / "deleted"
    engine.docker("run", "--name=box", "--runtime=r", "busybox", "true")
    container = engine.api.inspect("box")["Id"]
    eventually(deleted.exists, "the deletion")
    assert deleted.read_text().endswith(f" delete --force {container}\n")
    deleted.unlink()
    engine.docker("run", "-d", "--name=other", "--runtime=r", "busybox", "sleep", "1000")
    (shim_pid,) = engine.exec.glob("c/*/shim.pid")
    os.kill(int(shim_pid.read_text().split()[0]), signal.SIGKILL)
    eventually(deleted.exists, "the deletion by the daemon")
    gone(engine)


def test_that_cannot_delete(make: Callable[..., Engine]) -> None:
    engine = make('case "$*" in *" delete "*) exit 1;; esac; exec "$runc" "$@"')
    assert engine.docker("run", "--rm", "--runtime=r", "busybox", "echo", "hi") == "hi"
    gone(engine)


# ── configuration ────────────────────────────────────────────────────────────────────────────


def test_arguments(make_engine: Callable[..., Engine], directory: Path) -> None:
    """runtimeArgs go in front of what the daemon says; a reload changes them."""
    text = 'echo "$1 $2" >>"$here/log"; shift 2; exec runc "$@"'
    path = runtimes.script(directory / "r", text, {"here": str(directory)})
    file = directory / "daemon.json"

    def configure(*words: str, default: str) -> None:
        one = {"path": path, "runtimeArgs": list(words)}
        file.write_text(json.dumps({"runtimes": {"r": one}, "default-runtime": default}))

    configure("--one", "two", default="boxship")
    engine = make_engine(f"--config-file={file}")
    engine.start()
    engine.load("busybox")
    assert engine.docker("run", "--rm", "--runtime=r", "busybox", "echo", "hi") == "hi"
    assert set((directory / "log").read_text().split("\n")) == {"--one two", ""}
    info = engine.api.get("/info").json()
    assert info["Runtimes"]["r"] == {"path": path, "runtimeArgs": ["--one", "two"]}
    assert {"boxship", "runc", "io.containerd.runc.v2"} <= info["Runtimes"].keys()
    assert info["DefaultRuntime"] == "boxship"

    configure("--three", "four", default="r")
    os.kill(engine.pid, signal.SIGHUP)
    eventually(lambda: engine.api.get("/info").json()["DefaultRuntime"] == "r", "the reload")
    (directory / "log").unlink()
    assert engine.docker("run", "--name=box", "busybox", "echo", "hi") == "hi"
    assert engine.api.inspect("box")["HostConfig"]["Runtime"] == "r"
    assert set((directory / "log").read_text().split("\n")) == {"--three four", ""}

    file.write_text("{}")
    os.kill(engine.pid, signal.SIGHUP)
    eventually(lambda: engine.api.get("/info").json()["DefaultRuntime"] == "boxship", "the reload")
    reply = engine.api.post("/containers/box/start")
    assert (reply.status, reply.message) == (400, "Unknown runtime specified r")


def test_unknown(engine: Engine) -> None:
    wanted = {"Image": "busybox", "HostConfig": {"Runtime": "foo"}}
    reply = engine.api.post("/containers/create", wanted)
    assert (reply.status, reply.message) == (400, "Unknown runtime specified foo")


def test_name_of_containerds(engine: Engine) -> None:
    required("runc")
    words = ("--runtime=io.containerd.runc.v2", "busybox", "cat", "/proc/self/attr/current")
    engine.docker.run("run", "--name=box", *words)
    assert engine.api.inspect("box")["HostConfig"]["Runtime"] == "io.containerd.runc.v2"


def test_what_it_inherits(make: Callable[..., Engine], directory: Path) -> None:
    """Shims ignore signals and hold descriptors; a container is to have nothing of that."""
    engine = make(
        'grep -E "Sig(Ign|Blk)" /proc/self/status >"$here/signals"\n'
        'ls /proc/self/fd >"$here/open"; exec "$runc" "$@"'
    )
    assert engine.docker("run", "--rm", "--runtime=r", "busybox", "echo", "hi") == "hi"
    signals = (directory / "signals").read_text().split()
    assert signals == ["SigBlk:", "0" * 16, "SigIgn:", "0" * 16]
    assert (directory / "open").read_text().split() == ["0", "1", "2", "3"]  # 3 is ls's own


def test_that_hangs_at_an_exec_is_given_up(hanging: Hanging) -> None:
    engine, asked = hanging
    engine.docker("logs", "box")  # meanwhile everything else goes on
    done = asked.result(60)
    assert done.code != 0
    assert "r exec took longer than 30 s" in done.out + done.err
    engine.docker("kill", "box")
    gone(engine)
