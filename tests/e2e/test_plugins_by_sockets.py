"""Plugins that say where they listen, among them the examples, with Docker's own client."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.engine import Engine
from support.fakeplugin import Answers, Json, serving
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def own() -> Iterator[Engine]:
    """A daemon that looks for plugins in its own directory alone, with a file to be configured."""
    engine = Engine("--plugin-dir=/nowhere", "--plugin-timeout=20")
    config = engine.home / "daemon.json"
    config.write_text("{}")
    engine.add_flags(f"--config-file={config}")
    with engine:
        (engine.exec / "plugins").mkdir()
        engine.load("busybox")
        yield engine


@contextmanager
def example(own: Engine, script: str, name: str, *arguments: str) -> Iterator[None]:
    """Run one of the examples, reached under a name."""
    path = own.exec / "plugins" / f"{name}.sock"
    process = subprocess.Popen([sys.executable, EXAMPLES / script, f"--socket={path}", *arguments])
    try:
        eventually(path.exists, "the plugin's socket")
        yield
    finally:
        process.terminate()
        process.wait()
        path.unlink(missing_ok=True)


def inspected(own: Engine, name: str) -> Json:
    found: Json = json.loads(own.docker("volume", "inspect", name))[0]
    return found


def mounted(path: Path) -> bool:
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return any(line.split()[4] == str(path) for line in file)


def test_volumes_of_the_example(own: Engine, tmp_path: Path) -> None:
    home = tmp_path / "ram"
    with example(own, "volume-plugin/ramvolumes.py", "ram", f"--home={home}"):
        own.docker("volume", "create", "-d", "ram", "-o", "size=2m", "--label=a=b", "data")
        seen = inspected(own, "data")
        assert (seen["Driver"], seen["Labels"], seen["Mountpoint"]) == ("ram", {"a": "b"}, "")
        assert seen["Status"] == {"size": "2m"}
        said = own.docker.run("volume", "create", "-d", "ram", "-o", "speed=9", "more")
        assert "create more: VolumeDriver.Create: unknown option 'speed'" in said.err

        own.docker("run", "-d", "--name=one", "-v", "data:/x", "busybox", "sleep", "1000000")
        own.docker("exec", "one", "sh", "-c", "echo hello >/x/file")
        assert own.docker("exec", "one", "df", "-k", "/x").split()[-5] == "2048"
        assert own.docker("run", "--rm", "-v", "data:/y", "busybox", "cat", "/y/file") == "hello"
        assert inspected(own, "data")["Mountpoint"] == str(home / "data")
        assert (home / "data" / "file").read_text() == "hello\n"
        said = own.docker.run("volume", "rm", "data")
        assert "volume is in use" in said.err

        own.docker("rm", "-f", "one")
        eventually(lambda: not mounted(home / "data"), "the plugin's volume, given back")
        own.docker("volume", "rm", "data")
        assert own.docker("volume", "ls", "-q") == ""
        info = json.loads(own.docker("info", "--format={{json .Plugins}}"))
        assert info["Volume"] == ["local", "ram"]


def test_a_volume_outlives_a_killed_daemon(tmp_path: Path) -> None:
    home = tmp_path / "ram"
    with Engine("--plugin-dir=/nowhere", "--plugin-timeout=20") as engine:
        (engine.exec / "plugins").mkdir()
        engine.load("busybox")
        with example(engine, "volume-plugin/ramvolumes.py", "ram", f"--home={home}"):
            engine.docker("volume", "create", "-d", "ram", "data")
            command = ("busybox", "sh", "-c", "echo kept >/x/file; sleep 1000000")
            engine.docker("run", "-d", "--name=one", "-v", "data:/x", *command)
            engine.kill()
            engine.start()
            eventually(lambda: engine.docker.run("exec", "one", "cat", "/x/file").out, "the file")
            engine.docker("rm", "-f", "one")
            eventually(lambda: not mounted(home / "data"), "the plugin's volume, given back")
            engine.docker("volume", "rm", "data")


def test_the_authorization_example_holds_containers_back(own: Engine, tmp_path: Path) -> None:
    config = own.home / "daemon.json"

    def configure(*plugins: str) -> None:
        seen = own.log().count("Reloaded configuration")
        config.write_text(json.dumps({"authorization-plugins": plugins}))
        os.kill(own.pid, signal.SIGHUP)
        eventually(lambda: own.log().count("Reloaded configuration") > seen, "the reload")

    allowed = tmp_path / "allowed"
    allowed.mkdir()
    with example(own, "authz-plugin/guardrails.py", "rails", f"--allow-bind={allowed}"):
        configure("rails")
        try:
            for options, why in (
                (("--privileged",), "privileged containers are not allowed"),
                (("--cap-add=SYS_ADMIN",), "additional capabilities are not allowed"),
                (("--pid=host",), "PidMode host is not allowed"),
                (("-v", "/etc:/x"), "binding /etc is not allowed"),
                (("-v", f"{allowed}/../..:/x"), "is not allowed"),
                (("--mount=type=bind,src=/,dst=/x",), "binding / is not allowed"),
            ):
                said = own.docker.run("run", "--rm", *options, "busybox", "true")
                assert said.code == 125
                assert "authorization denied by plugin rails: " in said.err
                assert why in said.err
            own.docker("run", "--rm", "-v", f"{allowed}:/x", "busybox", "true")
            configure("nobody", "rails")
            assert "the list stays as it was" in own.log()
            said = own.docker.run("run", "--rm", "--privileged", "busybox", "true")
            assert "authorization denied by plugin rails: " in said.err
            shown = json.loads(own.docker("info", "--format={{json .Plugins}}"))
            assert shown["Authorization"] == ["rails"]
            os.unlink(own.exec / "plugins" / "rails.sock")
            said = own.docker.run("ps")
            assert 'plugin rails failed with error: plugin "rails" not found' in said.err
        finally:
            configure()
    own.docker("ps")


@pytest.mark.parametrize(
    ("flag", "key"),
    [("--authorization-plugin", "authorization-plugins"), ("--log-driver", "log-driver")],
)
def test_a_daemon_does_not_start_without_its_plugins(flag: str, key: str) -> None:
    engine = Engine("--plugin-dir=/nowhere", f"{flag}=nobody")
    try:
        engine.launch()
        assert engine.wait() == 1
        assert f'{key}: plugin \\"nobody\\" not found' in engine.log()
    finally:
        engine.close()


def test_a_plugin_can_be_the_log_driver_of_all_containers(tmp_path: Path) -> None:
    received: list[bytes] = []

    def start(wish: Json) -> Json:
        reader = threading.Thread(target=lambda: received.append(Path(wish["File"]).read_bytes()))
        reader.start()
        readers.append(reader)
        return {}

    readers: list[threading.Thread] = []
    answers: Answers = {
        "LogDriver.StartLogging": start,
        "LogDriver.StopLogging": lambda _: {},
        "LogDriver.Capabilities": lambda _: {"Cap": {"ReadLogs": False}},
    }
    options = (f"--plugin-dir={tmp_path}", "--log-driver=shelf")
    with (
        serving(str(tmp_path / "shelf.sock"), "LogDriver", answers),
        Engine(*options) as engine,
    ):
        engine.load("busybox")
        engine.docker("run", "--name=talker", "--net=none", "busybox", "echo", "by itself")
        eventually(lambda: any(b"by itself" in each for each in received), "the line")
        driver = engine.docker("inspect", "talker", "--format={{.HostConfig.LogConfig.Type}}")
        assert driver == "shelf"
        assert engine.docker("info", "--format={{.LoggingDriver}}") == "shelf"
    for reader in readers:
        reader.join()


def test_a_collector_is_told_of_metrics_until_the_daemon_ends(tmp_path: Path) -> None:
    answers: Answers = {
        "MetricsCollector.StartMetrics": lambda _: {},
        "MetricsCollector.StopMetrics": lambda _: {},
    }
    path = tmp_path / "meter.sock"
    with serving(str(path), "MetricsCollector", answers) as plugin:
        with Engine(f"--plugin-dir={tmp_path}") as engine:
            plugin.wait_asked("MetricsCollector.StartMetrics")
            at = str(engine.exec / "metrics.sock")
            assert "engine_daemon_" in got(at, "/metrics")
            assert got(at, "/info").startswith("HTTP/1.1 404 ")
            assert "MetricsCollector.StopMetrics" not in plugin.methods()
        assert "MetricsCollector.StopMetrics" in plugin.methods()


def got(at: str, path: str) -> str:
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(at)
        asking.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        return asking.makefile("rb").read().decode()


def test_a_log_plugin_that_refuses_keeps_a_container_from_starting(own: Engine) -> None:
    path = str(own.exec / "plugins" / "full.sock")
    answers: Answers = {"LogDriver.StartLogging": lambda _: {"Err": "the disk is full"}}
    with serving(path, "LogDriver", answers):
        own.docker("create", "--name=mute", "--log-driver=full", "busybox", "sleep", "1000000")
        said = own.docker.run("start", "mute")
        assert said.code == 1
        assert "failed to initialize logging driver: " in said.err
        assert "LogDriver.StartLogging: the disk is full" in said.err
        assert own.docker("inspect", "--format={{.State.Running}}", "mute") == "false"
        own.docker("rm", "mute")
    os.unlink(path)


def test_a_log_plugin_gets_what_logs_shows(own: Engine) -> None:
    received = bytearray()
    readers: list[threading.Thread] = []

    def read(path: str) -> None:
        with open(path, "rb", buffering=0) as pipe:
            while data := pipe.read(65536):
                received.extend(data)

    def start(wish: Json) -> Json:
        readers.append(threading.Thread(target=read, args=(wish["File"],)))
        readers[-1].start()
        return {}

    def read_logs(wish: Json) -> bytes:
        config = wish["Config"]
        assert (config["Tail"], config["Follow"]) == (2, False)
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(received)}\r\n\r\n"
        return head.encode() + received

    path = str(own.exec / "plugins" / "shelf.sock")
    answers: Answers = {
        "LogDriver.StartLogging": start,
        "LogDriver.StopLogging": lambda _: {},
        "LogDriver.Capabilities": lambda _: {"Cap": {"ReadLogs": True}},
        "LogDriver.ReadLogs": read_logs,
    }
    try:
        with serving(path, "LogDriver", answers) as plugin:
            own.docker(
                *("run", "-d", "--name=talker", "--log-driver=shelf", "--log-opt=k=v"),
                *("busybox", "sh", "-c", "echo to the plugin"),
            )
            own.docker("wait", "talker")
            eventually(lambda: b"to the plugin" in received, "the line")
            for reader in readers:
                reader.join()
            info = next(w for m, w in plugin.asked if m == "LogDriver.StartLogging")["Info"]
            assert (info["ContainerName"], info["Config"]) == ("/talker", {"k": "v"})
            assert b"to the plugin" in received
            received.clear()
            options = ("--log-driver=shelf", "--log-opt=cache-disabled=true", "busybox")
            own.docker("run", "--name=other", *options, "sh", "-c", "echo alpha; echo beta >&2")
            eventually(lambda: b"alpha" in received and b"beta" in received, "both lines")
            said = own.docker.run("logs", "--tail=2", "other")
            assert (said.out, said.err) == ("alpha\n", "beta\n")
            own.docker("rm", "other")
            for reader in readers:
                reader.join()
        assert own.docker("logs", "talker") == "to the plugin"
        own.docker("rm", "-f", "talker")
        said = own.docker.run("run", "--rm", "--log-driver=nowhere", "busybox", "true")
        assert 'error looking up logging plugin nowhere: plugin "nowhere" not found' in said.err
    finally:
        os.unlink(path)
