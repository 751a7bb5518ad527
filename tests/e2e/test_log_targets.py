"""Containers whose output goes elsewhere: it arrives, is read back, and targets may be down."""

import os
import signal
from collections.abc import Iterator

import pytest

from support.loglisteners import Collector
from support.logstand import Acknowledging, Stand, stand
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

TARGETS = [
    *("journald", "syslog udp", "syslog tcp", "syslog tcp+tls", "syslog unixgram"),
    *("gelf", "fluentd", "splunk", "awslogs", "gcplogs"),
]
PRINT = "echo to stdout; echo to stderr >&2"


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with stand(tmp_path_factory.mktemp("stand")) as running:
        running.engine.load()
        yield running


@pytest.mark.parametrize("name", TARGETS)
def test_output_arrives_and_is_read_back(name: str, there: Stand) -> None:
    target, engine = there.targets[name], there.engine
    container = f"to-{name.replace(' ', '-').replace('+', '-')}"
    config = {"LogConfig": target.log_config()}
    engine.api.create(container, Cmd=["sh", "-c", PRINT], HostConfig=config)
    engine.api.start(container)
    engine.api.wait(container)
    got = target.received(container)
    assert sorted(line.text for line in got) == ["to stderr", "to stdout"]
    assert all(line.stream in ("", line.text.removeprefix("to ")) for line in got)
    done = engine.docker.run("logs", container)
    assert (done.out, done.err) == ("to stdout\n", "to stderr\n")
    engine.docker("rm", container)


@pytest.mark.parametrize(
    ("driver", "options", "message"),
    [
        ("fluentd", {"fluentd-address": "127.0.0.1:1"}, "dial tcp 127.0.0.1:1: Connection refused"),
        (
            "syslog",
            {"syslog-address": "unix:///nowhere"},
            "dial unix /nowhere: No such file or directory",
        ),
        (
            "splunk",
            {"splunk-url": "http://127.0.0.1:1", "splunk-token": "secret"},
            "OPTIONS http://127.0.0.1:1/services/collector/event/1.0: Connection refused",
        ),
    ],
)
def test_a_target_that_is_not_there_keeps_a_container_from_starting(
    driver: str, options: dict[str, str], message: str, there: Stand
) -> None:
    api = there.engine.api
    config = {"LogConfig": {"Type": driver, "Config": options}}
    api.create("early", Cmd=["true"], HostConfig=config)
    reply = api.post("/containers/early/start")
    assert reply.status == 500
    assert reply.message == f"failed to initialize logging driver: {message}"
    assert api.get("/containers/early/json").json()["State"]["Status"] == "created"
    there.engine.docker("rm", "early")


def test_a_target_that_goes_and_comes_back_gets_all(there: Stand) -> None:
    """The container runs on meanwhile, and its log can be read."""
    engine = there.engine

    def say(text: str) -> None:
        engine.docker("exec", "steady", "sh", "-c", f"echo {text} >/proc/1/fd/1")

    with Collector(answering=Acknowledging) as first:
        options = {
            "fluentd-address": f"127.0.0.1:{first.port}",
            "fluentd-request-ack": "true",
            "fluentd-retry-wait": "10ms",
        }
        config = {"LogConfig": {"Type": "fluentd", "Config": options}}
        engine.api.create("steady", Cmd=["sleep", "1000"], HostConfig=config)
        engine.api.start("steady")
        say("before")
        # What is taken is answered before the server goes: nothing of it comes again.
        eventually(lambda: b"before" in first.data, "the first line")
    say("meanwhile")
    eventually(
        lambda: engine.docker("logs", "steady").split() == ["before", "meanwhile"], "both lines"
    )
    with Collector(first.port, answering=Acknowledging) as second:
        eventually(lambda: b"meanwhile" in second.data, "the line of meanwhile")
        say("after")
        eventually(lambda: b"after" in second.data, "the last line")
        assert b"before" not in second.data
        engine.docker("rm", "-f", "steady")


def test_a_target_that_is_down_does_not_keep_the_restart_policy_from_its_work(there: Stand) -> None:
    api = there.engine.api
    with Collector() as first:
        options = {"syslog-address": f"tcp://127.0.0.1:{first.port}"}
        config = {
            "LogConfig": {"Type": "syslog", "Config": options},
            "RestartPolicy": {"Name": "always"},
        }
        command = ["sh", "-c", "echo run $(cat /proc/uptime); exec sleep 1000"]
        api.create("again", Cmd=command, HostConfig=config)
        api.start("again")
        eventually(lambda: b"run" in first.data, "the first run's line")
    os.kill(api.get("/containers/again/json").json()["State"]["Pid"], signal.SIGKILL)

    def restarted() -> bool:
        told = api.get("/containers/again/json").json()
        return bool(told["RestartCount"] == 1 and told["State"]["Running"])

    eventually(restarted, "the second run")
    with Collector(first.port) as second:
        eventually(lambda: b"run" in second.data, "the second run's line")
        there.engine.docker("rm", "-f", "again")


def test_options_are_checked_when_a_container_is_made(there: Stand) -> None:
    done = there.engine.docker.run("create", "--log-driver=gelf", "busybox")
    assert done.code == 1
    assert "gelf-address is a required parameter" in done.err
    drivers = there.engine.docker("info", "-f", "{{json .Plugins.Log}}")
    assert '"awslogs","fluentd","gcplogs","gelf","journald","json-file","local"' in drivers
