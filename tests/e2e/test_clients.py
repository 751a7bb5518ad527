"""Docker's own command-line client and ours, as their users type them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from support.cli import Cli
from support.engine import Engine
from support.images.catalog import ensure
from support.waiting import eventually

pytestmark = pytest.mark.privileged

RUN = ("run", "--net=none")


@pytest.fixture(params=["docker", "boxship"])
def client(request: pytest.FixtureRequest, engine: Engine) -> Cli:
    cli: Cli = request.getfixturevalue(request.param)
    return cli


def in_namespaces_of(pid: str, *command: str) -> str:
    """What `command` says in the mount, uts, ipc, net and pid namespaces of a process."""
    enter = ["nsenter", "--target", pid, "--mount", "--uts", "--ipc", "--net", "--pid"]
    answer = subprocess.run([*enter, *command], stdout=subprocess.PIPE, text=True, check=True)
    return answer.stdout.strip()


def test_load_and_images(client: Cli) -> None:
    said = client("load", "-i", str(ensure("busybox")))
    assert said == "Loaded image: busybox:latest"
    listed = client("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
    name, short = next(line for line in listed.splitlines() if "busybox" in line).split()
    assert name == "busybox:latest"
    assert client("image", "inspect", "-f", "{{.Id}}", "busybox").startswith(f"sha256:{short}")


def test_run_echo(client: Cli) -> None:
    assert client(*RUN, "--rm", "busybox", "echo", "hi") == "hi"
    assert client("ps", "-aq") == ""


def test_standard_streams_are_kept_apart(client: Cli) -> None:
    done = client.run(*RUN, "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3")
    assert (done.code, done.out, done.err) == (3, "out\n", "err\n")


def test_standard_input_reaches_the_container(client: Cli) -> None:
    text = "".join(f"{number}\n" for number in range(20_000))
    done = client.run(*RUN, "--rm", "-i", "busybox", "sha256sum", stdin=text)
    again = subprocess.run(["sha256sum"], input=text, stdout=subprocess.PIPE, text=True, check=True)
    assert done.out == again.stdout


def test_a_container_from_inside_and_from_the_host(client: Cli) -> None:
    client(*RUN, "-d", "--name", "web", "--hostname", "shop", "busybox", "sleep", "1000")
    pid = client("inspect", "-f", "{{.State.Pid}}", "web")
    assert in_namespaces_of(pid, "hostname") == "shop"
    processes = in_namespaces_of(pid, "ps", "-o", "pid,args").splitlines()
    assert processes[1].split(None, 1) == ["1", "sleep 1000"]
    assert in_namespaces_of(pid, "ls", "/bin/busybox") == "/bin/busybox"
    assert not Path("/bin/busybox").samefile(f"/proc/{pid}/root/bin/busybox")
    assert client("exec", "web", "hostname") == "shop"


@pytest.mark.boxshipd
def test_the_shim_is_the_parent_of_the_container(client: Cli, engine: Engine) -> None:
    client(*RUN, "-d", "--name", "web", "busybox", "sleep", "1000")
    pid = client("inspect", "-f", "{{.State.Pid}}", "web")
    parent = subprocess.run(
        ["ps", "-o", "ppid=", "-p", pid], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.strip()
    assert Path(f"/proc/{parent}/comm").read_text() == "boxship-shim\n"
    assert int(parent) != engine.pid


def test_interactive_exec_on_a_terminal(client: Cli) -> None:
    client(*RUN, "-d", "--name", "web", "busybox", "sleep", "1000")
    with client.on_terminal("exec", "-it", "web", "sh") as terminal:
        terminal.expect(r"# ")
        terminal.type("tty; stty size; echo $((6 * 7))\n")
        terminal.expect(r"/dev/pts/\d+\r\n24 80\r\n42\r\n")
        terminal.type("exit 5\n")
        assert terminal.close() == 5


def test_run_on_a_terminal_and_detach(client: Cli) -> None:
    with client.on_terminal(*RUN, "-it", "--name", "web", "busybox", "sh") as terminal:
        terminal.expect(r"# ")
        terminal.type("echo $((6 * 7))\n")
        terminal.expect(r"42\r\n.*# ")
        terminal.type("\x10\x11")  # ctrl-p ctrl-q
        assert terminal.close() == 0
    assert client("inspect", "-f", "{{.State.Status}}", "web") == "running"
    with client.on_terminal("attach", "web") as terminal:
        terminal.type("exit 4\n")
        assert terminal.close() == 4


def test_a_terminal_follows_its_window(client: Cli) -> None:
    with client.on_terminal(*RUN, "-it", "--rm", "busybox", "sh") as terminal:
        terminal.expect(r"# ")

        def has_grown() -> bool:
            # Again and again: a client that has just started may not listen for changes yet.
            terminal.resize(50, 131)
            terminal.resize(50, 132)
            terminal.type("stty size\n")
            # The signal that tells of the new size can interrupt stty.
            said = terminal.expect(r"(\d+ \d+|Interrupted system call)\r\n")
            return said[1] == "50 132"

        eventually(has_grown, "the new size to arrive")
        terminal.type("exit\n")
        assert terminal.close() == 0


def test_logs_follow_until_the_end(client: Cli) -> None:
    client(
        *RUN, "-d", "-i", "--name", "web", "busybox", "sh", "-c", "echo one; read x; echo two $x"
    )
    with client.start("logs", "-f", "web") as follower:
        assert follower.stdout is not None
        assert follower.stdout.readline() == b"one\n"
        client.run("attach", "web", stdin="go\n")
        assert follower.stdout.readline() == b"two go\n"
        assert follower.stdout.read() == b""
        assert follower.wait(10) == 0


def test_logs_tail_and_timestamps(client: Cli) -> None:
    client(*RUN, "--name", "web", "busybox", "sh", "-c", "for i in 1 2 3 4 5; do echo $i; done")
    assert client("logs", "--tail", "2", "web") == "4\n5"
    stamped = client("logs", "--timestamps", "--tail", "1", "web")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z 5", stamped)
    assert client("logs", "--until", "2000-01-01T00:00:00Z", "web") == ""


def test_top(client: Cli) -> None:
    client(*RUN, "-d", "--name", "web", "busybox", "sleep", "1000")
    header, row = client("top", "web").splitlines()
    assert header.split() == ["UID", "PID", "PPID", "C", "STIME", "TTY", "TIME", "CMD"]
    assert row.endswith("sleep 1000")
    assert row.split()[1] == client("inspect", "-f", "{{.State.Pid}}", "web")


def test_stop_start_restart_kill(client: Cli) -> None:
    client(
        *RUN,
        "-d",
        "--name",
        "web",
        "busybox",
        "sh",
        "-c",
        "trap 'exit 7' TERM; while :; do sleep 1; done",
    )
    client("stop", "web")
    assert client("inspect", "-f", "{{.State.ExitCode}}", "web") == "7"
    client("start", "web")
    client("restart", "-t", "5", "web")
    assert client("inspect", "-f", "{{.State.Running}}", "web") == "true"
    client("kill", "web")
    assert client("wait", "web") == "137"


def test_pause_holds_the_processes(client: Cli) -> None:
    client(
        *RUN, "-d", "--name", "web", "busybox", "sh", "-c", "while :; do echo x; sleep 0.01; done"
    )
    client("pause", "web")
    assert client("inspect", "-f", "{{.State.Status}}", "web") == "paused"
    held = client("logs", "web")
    assert client("logs", "web") == held
    client("unpause", "web")
    eventually(lambda: len(client("logs", "web")) > len(held), "it to go on")


def test_rename(client: Cli) -> None:
    client(*RUN, "-d", "--name", "old", "busybox", "sleep", "1000")
    client("rename", "old", "new")
    assert client("ps", "--format", "{{.Names}}") == "new"


def test_ps_columns_and_filters(client: Cli) -> None:
    client(*RUN, "-d", "--name", "up", "--label", "tier=web", "busybox", "sleep", "1000")
    client.run(*RUN, "--name", "down", "busybox", "false")
    assert (
        client("ps", "--format", "{{.Names}} {{.Image}} {{.Command}}") == 'up busybox "sleep 1000"'
    )
    assert client("ps", "-a", "--filter", "exited=1", "--format", "{{.Names}}") == "down"
    assert client("ps", "-a", "--filter", "label=tier=web", "--format", "{{.Names}}") == "up"
    assert client("ps", "-a", "--filter", "status=exited", "--format", "{{.Status}}").startswith(
        "Exited (1)"
    )


def test_events_tell_the_life_of_a_container(client: Cli) -> None:
    with client.start(
        "events", "--format", "{{.Action}}", "--filter", "type=container"
    ) as listener:
        assert listener.stdout is not None
        # Nothing says that the client listens; the first event that arrives does.
        seen: list[str] = []
        os.set_blocking(listener.stdout.fileno(), False)

        def first() -> bool:
            client("create", "--name", "probe", "busybox")
            client("rm", "probe")
            seen.extend((listener.stdout.read() or b"").decode().split())  # type: ignore[union-attr]
            return bool(seen)

        eventually(first, "the stream of events")
        client(*RUN, "--name", "life", "busybox", "true")
        client("rm", "life")
        wanted = ["create", "attach", "start", "die", "destroy"]

        def all_of_them() -> bool:
            seen.extend((listener.stdout.read() or b"").decode().split())  # type: ignore[union-attr]
            return [one for one in seen if one in wanted][-5:] == wanted

        eventually(all_of_them, "the events")
        listener.terminate()


def test_save_and_load_give_the_same_image(client: Cli, tmp_path: Path) -> None:
    before = client("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "busybox")
    archive = str(tmp_path / "saved.tar")
    client("tag", "busybox", "copy:1")
    client("save", "-o", archive, "copy:1")
    client("rmi", "copy:1")
    client("load", "-i", archive)
    assert client("image", "inspect", "-f", "{{.Id}} {{.RootFS.Layers}}", "copy:1") == before
    client("rmi", "copy:1")


def test_image_of_several_layers(docker: Cli, boxship: Cli, engine: Engine) -> None:
    engine.load("python")  # it is large: once for both
    for client in (docker, boxship):
        assert client(*RUN, "--rm", "python:bookworm") == "hello from CPython [] 1 /srv/app"
        gone = client.run(*RUN, "--rm", "python:bookworm", "ls", "/etc/issue")
        assert gone.code == 2
        history = client(
            "history", "--format", "{{.CreatedBy}}", "--no-trunc", "python:bookworm"
        ).splitlines()
        assert len(history) == 8
        assert history[-3] == "/bin/sh -c apt-get install -y python3"
    assert docker("rmi", "python:bookworm") == "Untagged: python:bookworm"
    removed = boxship("rmi", "python:3.11-slim-bookworm")
    assert removed.count("Deleted: sha256:") >= 4


def test_import_makes_an_image_of_a_tree(client: Cli, tmp_path: Path) -> None:
    (tmp_path / "hello").write_text("from a file\n")
    tarball = tmp_path / "tree.tar"
    subprocess.run(["tar", "-C", tmp_path, "-cf", tarball, "hello"], check=True)
    client("import", str(tarball), "tree:1")
    layers = json.loads(client("image", "inspect", "tree:1"))[0]["RootFS"]["Layers"]
    assert len(layers) == 1
    client("rmi", "tree:1")


def test_info_and_version(client: Cli) -> None:
    assert client("version", "--format", "{{.Server.Os}}") == "linux"
    assert client("info", "--format", "{{.Images}}") == "1"
