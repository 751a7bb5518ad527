"""Managed plugins with the real docker client: made, set, run, killed, kept, removed."""

import contextlib
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.cli import Done
from support.engine import Engine
from support.managedplugins import SOCKET, ask, packed_example, plugin_directory
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def host() -> Iterator[Engine]:
    with Engine() as engine:
        yield engine


@pytest.fixture
def volumes(host: Engine, tmp_path: Path) -> Iterator[Engine]:
    """A daemon with the plugin ``me/vol``, disabled."""
    host.docker("plugin", "create", "me/vol", plugin_directory(tmp_path / "vol"))
    yield host
    host.docker.run("plugin", "rm", "-f", "me/vol")


def told(done: Done) -> str:
    """The daemon's refusal, behind what the client says if it came while it was still sending."""
    assert done.code == 1, done
    return done.err.strip().rpartition("Error response from daemon: ")[2]


def pid_of(engine: Engine) -> int:
    """The one plugin's process, as this machine numbers it; 0 while there is none."""
    for pidfile in (engine.exec / "plugins/c").glob("*/shim.pid"):
        # It is written in place, and may be gone by now.
        with contextlib.suppress(FileNotFoundError, IndexError):
            shim = int(pidfile.read_text().split()[0])
            return int(Path(f"/proc/{shim}/task/{shim}/children").read_text().split()[0])
    return 0


def listens(engine: Engine, plugin: str = "me/vol") -> bool:
    try:
        return bool(ask(engine, plugin, "Test.Look"))
    except OSError:
        return False


def test_a_plugin_is_listed_and_inspected_as_docker_shows_it(volumes: Engine) -> None:
    docker = volumes.docker
    row = docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}} {{.Description}}")
    assert row == "me/vol:latest false volumes in directories"
    (found,) = json.loads(docker("plugin", "inspect", "me/vol"))
    assert found["PluginReference"] == "me/vol:latest"
    assert found["Settings"]["Env"] == ["DEBUG=0"]
    assert found["Config"]["rootfs"]["diff_ids"][0].startswith("sha256:")
    assert docker("plugin", "inspect", "-f", "{{.Name}}", found["Id"][:10]) == "me/vol:latest"
    assert docker("plugin", "ls", "-q", "--filter", "capability=volumedriver") == found["Id"][:12]
    assert docker("plugin", "ls", "-q", "--filter", "enabled=true") == ""


def test_an_enabled_plugin_runs_with_its_settings_and_leaves_nothing(volumes: Engine) -> None:
    docker = volumes.docker
    docker("plugin", "set", "me/vol", "DEBUG=7", "args=a 'b c'")
    assert docker("plugin", "enable", "me/vol") == "me/vol"
    seen = ask(volumes, "me/vol", "Test.Look")
    assert (seen["Pid"], seen["Uid"], seen["Words"]) == (1, 0, ["a", "b c"])
    assert seen["Env"]["DEBUG"] == "7"
    assert "HOSTNAME" not in seen["Env"]
    assert docker("ps", "-aq") == ""
    assert docker("plugin", "disable", "me/vol") == "me/vol"
    assert list((volumes.exec / "plugins/s").iterdir()) == []
    assert str(volumes.home) not in Path("/proc/self/mountinfo").read_text()
    docker("plugin", "rm", "me/vol")
    left = volumes.data / "plugins"
    for name in ("blobs/sha256", "containers", "snapshots", "propagated", "layers/sha256"):
        assert list((left / name).iterdir()) == [], name


def test_what_it_mounts_is_seen_on_the_host(volumes: Engine) -> None:
    volumes.docker("plugin", "enable", "me/vol")
    assert ask(volumes, "me/vol", "Test.Mount", Name="x") == {"Errno": 0}
    plugin_id = volumes.api.get("/plugins/me/vol/json").json()["Id"]
    place = volumes.data / "plugins/propagated" / plugin_id / "x"
    assert place.is_mount()
    os.kill(pid_of(volumes), signal.SIGKILL)
    assert place.is_mount()  # who uses it goes on


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("create", "me/vol", "{}"), "plugin me/vol:latest already exists"),
        (("enable", "me/nope"), 'plugin "me/nope" not found'),
        (("disable", "me/vol"), "plugin is already disabled: plugin me/vol:latest found but dis"),
        (("set", "me/vol", "X=1"), 'setting "X" not found in the plugin configuration'),
        (("push", "me/nope"), 'plugin "me/nope:latest" not found'),
        (("ls", "--filter", "x=y"), "invalid filter 'x'"),
    ],
)
def test_refusals_are_dockers(
    volumes: Engine, tmp_path: Path, arguments: tuple[str, ...], reason: str
) -> None:
    own = [plugin_directory(tmp_path / "other") if word == "{}" else word for word in arguments]
    assert told(volumes.docker.run("plugin", *own)).startswith(reason)


def test_an_enabled_one_is_not_changed_or_removed(volumes: Engine) -> None:
    docker = volumes.docker
    docker("plugin", "enable", "me/vol")
    assert "already enabled" in told(docker.run("plugin", "enable", "me/vol"))
    assert told(docker.run("plugin", "set", "me/vol", "DEBUG=1")).startswith("cannot set on an act")
    assert told(docker.run("plugin", "rm", "me/vol")) == "plugin me/vol:latest is enabled"
    docker("plugin", "rm", "-f", "me/vol")


def test_one_that_does_not_start_says_why_and_stays_disabled(volumes: Engine) -> None:
    volumes.docker("plugin", "set", "me/vol", "args=fail")
    reason = told(volumes.docker.run("plugin", "enable", "me/vol"))
    assert "it ended with exit code 1" in reason
    assert "this plugin was told to fail" in reason
    assert volumes.docker("plugin", "inspect", "-f", "{{.Enabled}}", "me/vol") == "false"
    eventually(lambda: not list((volumes.exec / "plugins/c").iterdir()), "the end of its shim")
    volumes.docker("plugin", "set", "me/vol", "args=")
    volumes.docker("plugin", "enable", "me/vol")


def test_what_is_no_plugin_is_refused_and_leaves_nothing(host: Engine, tmp_path: Path) -> None:
    bad = plugin_directory(tmp_path / "bad", interface={"socket": "../x"})
    assert "must be the name of a file" in told(host.docker.run("plugin", "create", "me/bad", bad))
    for body, reason in ((b"x" * 600, "failed to read from tar"), (b"", "config not found")):
        reply = host.api.request("POST", "/plugins/create?name=me/bad", body)
        assert (reply.status, reason in reply.message) == (400, True), reply.message
    assert host.docker("plugin", "ls", "-q") == ""
    for name in ("blobs/sha256", "snapshots", "layers/sha256"):
        assert list((host.data / "plugins" / name).iterdir()) == [], name


def test_one_that_dies_is_started_again(volumes: Engine) -> None:
    volumes.docker("plugin", "enable", "me/vol")
    before = pid_of(volumes)
    os.kill(before, signal.SIGKILL)

    eventually(lambda: pid_of(volumes) not in (0, before), "the plugin's next run")
    eventually(lambda: listens(volumes), "it to listen again")
    assert volumes.docker("plugin", "inspect", "-f", "{{.Enabled}}", "me/vol") == "true"


def test_its_volumes_are_containers_volumes(volumes: Engine) -> None:
    docker = volumes.docker
    volumes.load("busybox")
    docker("plugin", "enable", "me/vol")
    docker("volume", "create", "-d", "me/vol", "data")
    assert docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}") == "me/vol:latest data"
    docker("run", "--rm", "-v", "data:/d", "busybox", "sh", "-c", "echo hello >/d/file")
    assert docker("run", "--rm", "-v", "data:/d", "busybox", "cat", "/d/file") == "hello"
    for verb in ("disable", "rm"):
        reason = told(docker.run("plugin", verb, "me/vol"))
        assert reason.startswith("plugin me/vol:latest is in use"), reason
    assert "me/vol:latest" in docker("info", "--format", "{{.Plugins.Volume}}")
    docker("volume", "rm", "data")
    docker("plugin", "disable", "me/vol")
    assert "me/vol" in told(docker.run("volume", "create", "-d", "me/vol", "data"))


def test_its_links_do_not_lead_out_of_what_it_sees(volumes: Engine, tmp_path: Path) -> None:
    docker = volumes.docker
    volumes.load("busybox")
    (tmp_path / "secret").touch()
    docker("plugin", "enable", "me/vol")
    docker("volume", "create", "-d", "me/vol", "astray")
    assert ask(volumes, "me/vol", "Test.Link", Name="astray", To=str(tmp_path)) == {}
    ran = docker.run("run", "--rm", "-v", "astray:/v", "busybox", "ls", "/v")
    assert "secret" not in ran.out
    assert "says it is at /mnt/volumes/astray, where there is no directory" in ran.err


def test_the_example_of_volumes_is_a_managed_plugin(host: Engine, tmp_path: Path) -> None:
    docker, mounts = host.docker, Path("/proc/self/mountinfo")
    host.load("busybox")
    docker("plugin", "create", "ram", packed_example(tmp_path / "p", "volume-plugin"))
    docker("plugin", "enable", "ram")
    docker("volume", "create", "-d", "ram", "-o", "size=2m", "scratch")
    command = ("sh", "-c", "df -k /d | tail -1; sleep 1000")
    docker("run", "-d", "--name=user", "-v", "scratch:/d", "busybox", *command)
    eventually(lambda: "2048" in docker("logs", "user"), "its line")
    assert " - tmpfs tmpfs " in "".join(
        line for line in mounts.read_text().splitlines() if str(host.data) in line
    )
    assert "is in use" in told(docker.run("plugin", "disable", "ram"))
    docker("rm", "-f", "user")
    docker("volume", "rm", "scratch")
    docker("plugin", "rm", "-f", "ram")
    assert str(host.home) not in mounts.read_text()


def test_the_example_of_authorization_is_a_managed_plugin(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = make_engine()
    engine.start()
    engine.docker("plugin", "create", "guard", packed_example(tmp_path / "p", "authz-plugin"))
    engine.docker("plugin", "enable", "guard")
    engine.stop()
    judged = "--authorization-plugin=guard"
    engine.add_flags(judged)
    validated = subprocess.run(
        [*engine.command, "--validate"], capture_output=True, text=True, check=False
    )
    assert validated.stderr == "configuration OK\n"
    engine.start()
    reply = engine.api.post(
        "/containers/create", {"Image": "x", "HostConfig": {"Privileged": True}}
    )
    assert (reply.status, "privileged containers are not allowed" in reply.message) == (403, True)
    assert engine.api.get("/containers/json").status == 200
    assert "is in use" in told(engine.docker.run("plugin", "disable", "guard"))
    engine.kill()
    engine.change_flag(judged, "--live-restore=false")
    engine.start()  # the plugin went on, and is nobody's judge now
    engine.docker("plugin", "rm", "-f", "guard")


def test_what_a_killed_daemon_left_half_done_is_finished(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    """The record is the commit point: here it is taken away, or says another thing."""
    engine = make_engine()
    engine.start()
    for name in ("gone", "off"):
        engine.docker("plugin", "create", name, plugin_directory(tmp_path / name))
    for name in ("gone", "off"):
        engine.docker("plugin", "enable", name)
    engine.kill()
    database = sqlite3.connect(engine.data / "boxship.db")
    with contextlib.closing(database), database:
        database.execute("DELETE FROM plugins WHERE name = 'gone:latest'")
        off = "json_set(CAST(body AS TEXT), '$.enabled', json('false'))"
        database.execute(f"UPDATE plugins SET body = CAST({off} AS BLOB) WHERE name = 'off:latest'")
    engine.start()
    assert engine.docker("plugin", "ls", "--format", "{{.Name}} {{.Enabled}}") == "off:latest false"
    eventually(lambda: not list((engine.exec / "plugins/c").iterdir()), "the end of both")
    left = engine.data / "plugins/snapshots"
    eventually(lambda: len(list(left.iterdir())) == 1, "the end of the removed one's tree")
    engine.docker("plugin", "enable", "off")
    engine.docker("plugin", "rm", "-f", "off")


def test_containers_log_to_a_managed_plugin(host: Engine, tmp_path: Path) -> None:
    interface = {"types": ["docker.logdriver/1.0"], "socket": SOCKET}
    directory = plugin_directory(tmp_path / "log", interface=interface)
    host.load("busybox")
    host.docker("plugin", "create", "me/log", directory)
    host.docker("plugin", "enable", "me/log")
    host.docker("run", "--rm", "--log-driver=me/log", "busybox", "echo", "hello plugin")
    eventually(lambda: "hello plugin" in ask(host, "me/log", "Test.Logged")["Text"], "the line")
    host.docker("plugin", "rm", "-f", "me/log")


def test_a_collector_reads_metrics_of_each_daemon(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    engine = make_engine()
    engine.start()
    interface = {"types": ["docker.metricscollector/1.0"], "socket": SOCKET}
    directory = plugin_directory(tmp_path / "meter", interface=interface)
    engine.docker("plugin", "create", "me/meter", directory)
    engine.docker("plugin", "enable", "me/meter")

    def reads() -> bool:
        return "engine_daemon_" in ask(engine, "me/meter", "Test.Measured")["Text"]

    eventually(reads, "metrics")
    engine.kill()
    engine.start()
    eventually(reads, "metrics of the next daemon")
    os.kill(pid_of(engine), signal.SIGKILL)
    eventually(lambda: listens(engine, "me/meter") and reads(), "metrics after its death")
    engine.docker("plugin", "rm", "-f", "me/meter")


def test_it_outlives_the_daemon(make_engine: Callable[..., Engine], tmp_path: Path) -> None:
    engine = make_engine()
    engine.start()
    engine.docker("plugin", "create", "me/vol", plugin_directory(tmp_path / "vol"))
    engine.docker("plugin", "create", "me/off", plugin_directory(tmp_path / "off"))
    engine.docker("plugin", "enable", "me/vol")
    before = pid_of(engine)
    engine.kill()
    engine.start()
    assert pid_of(engine) == before
    assert ask(engine, "me/vol", "VolumeDriver.List") == {"Volumes": []}
    enabled = engine.docker("plugin", "ls", "--format", "{{.Name}}={{.Enabled}}").splitlines()
    assert sorted(enabled) == ["me/off:latest=false", "me/vol:latest=true"]
    engine.stop()
    engine.change_flag("--bridge=none", "--live-restore=false")
    engine.add_flags("--bridge=none")
    engine.start()
    engine.stop()  # ends it now, for the next daemon to start
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)
    engine.start()
    eventually(lambda: pid_of(engine) not in (0, before), "the plugin's next run")
    eventually(lambda: listens(engine), "it to listen again")
    engine.docker("plugin", "rm", "-f", "me/vol", "me/off")


def test_events_tell_a_plugins_life(volumes: Engine) -> None:
    docker = volumes.docker
    docker("plugin", "enable", "me/vol")
    docker("plugin", "rm", "-f", "me/vol")
    now = docker("info", "--format", "{{.SystemTime}}")
    form = "{{.Action}} {{.Actor.Attributes.name}}"
    seen = docker(
        "events", "--since=0", f"--until={now}", "--filter=type=plugin", f"--format={form}"
    )
    assert seen.splitlines()[-3:] == [
        "create me/vol:latest",
        "enable me/vol:latest",
        "remove me/vol:latest",
    ]
