"""Options of the daemon that others can see working: each asked of one daemon, over its API."""

import contextlib
import http.client
import json
import os
import signal
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from support.api import keep_alive
from support.engine import Engine
from support.ownports import own_ports
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

INIT = """#!/bin/sh
[ "$1" = -- ] || exit 9
shift
echo init of another kind
exec "$@"
"""
AT_FIRST: dict[str, Any] = {
    "init": True,
    "min-api-version": "1.40",
    "node-generic-resources": ["SSD=3", "GPU=UUID1"],
    "proxies": {"http-proxy": "http://me:secret@proxy:3128", "no-proxy": "localhost"},
    "raw-logs": True,
    "containerd": "/run/containerd/containerd.sock",
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    made = Engine()
    init = made.home / "another-init"
    init.write_text(INIT)
    init.chmod(0o755)
    configure(made, {"init-path": str(init)})
    made.add_flags(f"--config-file={made.home / 'daemon.json'}")
    with own_ports(), made:
        made.load("busybox")
        yield made


def configure(engine: Engine, more: dict[str, Any]) -> None:
    keep = {"init-path": str(engine.home / "another-init")}
    (engine.home / "daemon.json").write_text(json.dumps({**AT_FIRST, **keep, **more}))


def reload(engine: Engine, begun: int) -> None:
    """Have it read its file, and wait for its word on that; ``begun``: how often it had said it."""
    os.kill(engine.pid, signal.SIGHUP)
    eventually(lambda: words(engine) > begun, "the end of the reload")


def words(engine: Engine) -> int:
    log = engine.log()
    return log.count("Reloaded configuration") + log.count("configuration not reloaded")


def test_another_init(engine: Engine) -> None:
    engine.api.create("box", Cmd=["echo", "the command"])
    engine.api.start("box")
    assert engine.api.post("/containers/box/wait").json()["StatusCode"] == 0
    log = engine.docker("logs", "box")
    assert log.splitlines() == ["init of another kind", "the command"]
    engine.api.remove("box")


def test_what_is_told_of_the_daemon(engine: Engine) -> None:
    info = engine.api.get("/info").json()
    assert info["InitBinary"] == "another-init"
    assert info["GenericResources"] == [
        {"DiscreteResourceSpec": {"Kind": "SSD", "Value": 3}},
        {"NamedResourceSpec": {"Kind": "GPU", "Value": "UUID1"}},
    ]
    assert info["HttpProxy"] == "http://xxxxx:xxxxx@proxy:3128"
    assert info["NoProxy"] == "localhost"
    assert "secret" not in engine.log()


def test_the_oldest_api_version(engine: Engine) -> None:
    with contextlib.closing(keep_alive(engine.socket)) as connection:
        answers = {}
        for version in ("1.39", "1.40"):
            connection.request("GET", f"/v{version}/_ping")
            answer = connection.getresponse()
            answers[version] = answer.status, answer.read().decode().strip()
    assert answers["1.40"] == (200, "OK")
    assert answers["1.39"][0] == 400
    told = "client version 1.39 is too old. Minimum supported API version is 1.40, please upgrade"
    assert told in answers["1.39"][1]
    assert engine.api.get("/version").json()["MinAPIVersion"] == "1.40"


def test_why_an_option_does_nothing_is_told(engine: Engine) -> None:
    assert "containerd has no effect: there is no containerd" in engine.log()


def test_a_reload_changes_defaults_and_says_all_it_can_change(engine: Engine) -> None:
    begun = words(engine)
    changed = {
        "default-shm-size": "128m",
        "default-ipc-mode": "shareable",
        "default-cgroupns-mode": "private",
        "default-stop-timeout": 1,
        "labels": ["rack=3"],
        "features": {"keep-blobs": True},
        "live-restore": True,
    }
    since = engine.api.get("/info").json()["SystemTime"]
    configure(engine, changed)
    reload(engine, begun)
    host = engine.api.inspect(engine.api.create("box", Cmd=["true"]))["HostConfig"]
    assert (host["ShmSize"], host["IpcMode"]) == (128 << 20, "shareable")
    assert host["CgroupnsMode"] == "private"
    engine.api.remove("box")
    info = engine.api.get("/info").json()
    assert (info["Labels"], info["LiveRestoreEnabled"]) == (["rack=3"], True)
    period = (f"--since={since}", f"--until={info['SystemTime']}")
    reply = engine.docker("events", *period, "--filter=type=daemon", "--format={{json .}}")
    (event,) = [json.loads(line) for line in reply.splitlines()]
    told = event["Actor"]["Attributes"]
    assert event["Action"] == "reload"
    assert told["name"] == os.uname().nodename
    assert {name: told[name] for name in ("labels", "features", "live-restore", "debug")} == {
        "labels": '["rack=3"]',
        "features": "map[keep-blobs:true]",
        "live-restore": "true",
        "debug": "false",
    }
    assert told["default-shm-size"] == str(128 << 20)


def test_diagnostics_of_networks_come_and_go_with_a_reload(engine: Engine) -> None:
    port = 7777
    configure(engine, {"network-diagnostic-port": port})
    reload(engine, words(engine))
    eventually(lambda: f"diagnostics on 127.0.0.1:{port}" in engine.log(), "the server")
    found = {path: ask(port, path) for path in ("/ready", "/networks", "/stackdump", "/info")}
    assert found["/ready"] == (200, b"OK\n")
    assert {network["Name"] for network in json.loads(found["/networks"][1])} == {"host", "none"}
    assert b"MainThread" in found["/stackdump"][1]
    assert found["/info"][0] == 404
    configure(engine, {})
    reload(engine, words(engine))
    eventually(lambda: not listens(port), "its end")


def ask(port: int, path: str) -> tuple[int, bytes]:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as client:
        client.request("GET", path)
        answer = client.getresponse()
        return answer.status, answer.read()


def listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"debug": true,\n  "labels": ["a=b"]\n  "x": 1}', "line 3, column 3: expected ','"),
        ('{\n "debog": true}', "debog (line 2, column 2; is debug meant?)"),
        ('{"debug": true, "debug": false}', "debug stands there twice, first in line 1, column 2"),
        ('{"debug": true, "default-shm-size": "much"}', "invalid size: 'much'"),
        ('{"debug": true, "hosts": ["unix:///x"]}', "specified both as a flag and in the conf"),
    ],
)
def test_a_bad_file_changes_nothing(engine: Engine, text: str, told: str) -> None:
    before = engine.api.get("/info").json()
    begun = words(engine)
    (engine.home / "daemon.json").write_text(text)
    reload(engine, begun)
    last = [line for line in engine.log().splitlines() if "configuration not reloaded" in line][-1]
    assert told in last
    after = engine.api.get("/info").json()
    assert not after["Debug"]
    assert (after["Labels"], after["HttpProxy"]) == (before["Labels"], before["HttpProxy"])
