"""Devices that containers are given: nodes by path, and those that vendors describe (CDI)."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.cli import Cli
from support.engine import Engine

pytestmark = pytest.mark.privileged

RUN = ("run", "--rm", "--net=none")


@pytest.mark.option("HostConfig.Devices")
def test_a_node_by_another_name_and_for_reading_alone(docker: Cli) -> None:
    see = ": < /dev/other && echo read; : > /dev/other"
    done = docker.run(*RUN, "--device=/dev/loop-control:/dev/other:r", "busybox", "sh", "-c", see)
    assert done.out == "read\n"
    assert "Operation not permitted" in done.err


def test_a_directory_of_devices(docker: Cli, tmp_path: Path) -> None:
    names = docker(*RUN, "--device=/dev/net:/dev/nets", "busybox", "ls", "/dev/nets")
    assert names.split() == ["tun"]


@pytest.mark.option("HostConfig.DeviceCgroupRules")
def test_a_rule_opens_what_the_container_makes_itself(docker: Cli) -> None:
    make = "mknod /tmp/lc c 10 237; cat /tmp/lc"
    refused = docker.run(*RUN, "busybox", "sh", "-c", make)
    assert "Operation not permitted" in refused.err
    opened = docker.run(*RUN, "--device-cgroup-rule=c 10:237 rm", "busybox", "sh", "-c", make)
    assert "Operation not permitted" not in opened.err


def test_a_device_that_is_not_there(docker: Cli) -> None:
    done = docker.run(*RUN, "--device=/dev/no-such", "busybox", "true")
    assert done.code == 125 or "no such file or directory" in done.err
    assert "error gathering device information" in done.err


def test_gpus_without_anybody_who_has_some(docker: Cli) -> None:
    done = docker.run(*RUN, "--gpus=all", "busybox", "true")
    assert done.code == 125
    assert 'could not select device driver "" with capabilities: [[gpu]]' in done.err


HOOKS = ("createRuntime", "createContainer", "poststart", "poststop")


def described(place: Path, **more: Any) -> dict[str, Any]:
    """A device with everything that can be seen from inside, and hooks that write to ``place``."""
    hooks = [
        {"hookName": name, "path": "/bin/sh", "args": ["sh", "-c", f"cat > {place}/{name}"]}
        for name in HOOKS
    ]
    edits = {
        "env": ["DEVICE=a"],
        "deviceNodes": [{"path": "/dev/vendor", "hostPath": "/dev/net/tun", "permissions": "w"}],
        "mounts": [{"hostPath": str(place), "containerPath": "/vendor/lib", "options": ["ro"]}],
        "additionalGids": [4444],
    }
    return {
        "cdiVersion": "0.7.0",
        "kind": "vendor.com/class",
        "containerEdits": {"hooks": hooks},
        "devices": [{"name": "a", "containerEdits": edits | more}],
    }


@pytest.fixture
def vendor(make_engine: Callable[..., Engine], tmp_path: Path) -> Iterator[Engine]:
    """A daemon that looks for descriptions in ``tmp_path / "cdi"``."""
    (tmp_path / "cdi").mkdir()
    engine = make_engine(f"--cdi-spec-dir={tmp_path / 'cdi'}")
    engine.start()
    engine.load("busybox")
    yield engine


LOOK = "echo $DEVICE; id -G; ls /vendor; : > /dev/vendor && cat < /dev/vendor; touch /vendor/lib/x"


@pytest.mark.option("HostConfig.DeviceRequests")
@pytest.mark.boxshipd  # Debian's dockerd is from before CDI
def test_a_described_device(vendor: Engine, tmp_path: Path) -> None:
    place = tmp_path / "out"
    place.mkdir()
    (tmp_path / "cdi/a.json").write_text(json.dumps(described(place)))
    run = (*RUN, "--device=vendor.com/class=a", "--name=web", "busybox", "sh", "-c", LOOK)
    for client in (vendor.docker, vendor.boxship):
        done = client.run(*run)
        assert done.out.splitlines() == ["a", "0 4444", "lib"], done
        assert "Operation not permitted" in done.err
        assert "Read-only file system" in done.err
    told = {name: json.loads((place / name).read_text()) for name in HOOKS}
    assert [told[name]["status"] for name in HOOKS] == [
        "creating", "creating", "running", "stopped",
    ]  # fmt: skip
    assert told["createRuntime"]["pid"] == told["poststart"]["pid"]
    info = vendor.docker("info", "-f", "{{.CDISpecDirs}} {{json .DiscoveredDevices}}")
    device = '[{"Source":"cdi","ID":"vendor.com/class=a"}]'
    assert info == f"[{tmp_path / 'cdi'}] {device}"


@pytest.mark.boxshipd
def test_a_hook_that_fails_undoes_the_start(vendor: Engine, tmp_path: Path) -> None:
    for kind in ("createRuntime", "createContainer", "startContainer", "poststart"):
        hook = {"hookName": kind, "path": "/bin/sh", "args": ["sh", "-c", "echo no >&2; exit 3"]}
        (tmp_path / "cdi/a.json").write_text(json.dumps(described(tmp_path, hooks=[hook])))
        done = vendor.docker.run(*RUN, "--device=vendor.com/class=a", "busybox", "sleep", "1000")
        assert done.code == 125, kind
        assert f"error running {kind} hook #" in done.err
        assert "/bin/sh: exit status 3: no" in done.err
        assert vendor.inhabitants() == []


@pytest.mark.boxshipd
def test_devices_that_cannot_be_resolved(vendor: Engine, tmp_path: Path) -> None:
    done = vendor.docker.run(*RUN, "--device=vendor.com/class=b", "busybox", "true")
    assert done.code == 125
    assert "unresolvable CDI devices vendor.com/class=b" in done.err
    (tmp_path / "cdi/bad.json").write_text("{}")
    assert "Error associated with spec file" in vendor.docker.run("info").err


@pytest.mark.boxshipd
def test_the_feature_can_be_switched_off(
    make_engine: Callable[..., Engine], tmp_path: Path
) -> None:
    (tmp_path / "a.json").write_text(json.dumps(described(tmp_path)))
    engine = make_engine(f"--cdi-spec-dir={tmp_path}", "--feature=cdi=false")
    engine.start()
    engine.load("busybox")
    assert engine.docker("info", "-f", "{{len .CDISpecDirs}}") == "0"
    done = engine.docker.run(*RUN, "--device=vendor.com/class=a", "busybox", "true")
    assert "unresolvable CDI devices" in done.err
