"""Options that do not show inside a container, or that are shown and nothing more."""

from pathlib import Path
from typing import Any

import pytest

from support.engine import Engine
from support.shapes import document_with

pytestmark = pytest.mark.privileged


def inspected(engine: Engine, **config: Any) -> Any:
    return engine.api.inspect(engine.api.create("one", **config))


SHOWN: dict[str, Any] = {
    "AttachStdin": True,
    "AttachStdout": True,
    "AttachStderr": True,
    "OnBuild": ["RUN true"],
    "HostConfig.ContainerIDFile": "/tmp/id",
    "HostConfig.Cgroup": "container:x",
}


@pytest.mark.option(
    "AttachStdin",
    "AttachStdout",
    "AttachStderr",
    without_effect="for clients, which read it when they start the container later",
)
@pytest.mark.option("OnBuild", without_effect="for images: `commit` hands it on")
@pytest.mark.option("HostConfig.ContainerIDFile", without_effect="for clients, which write it")
@pytest.mark.option("HostConfig.Cgroup", without_effect="Docker does nothing with it either")
def test_what_is_shown_and_nothing_more(engine: Engine) -> None:
    config: dict[str, Any] = {"Cmd": ["true"], "HostConfig": {}}
    for path, value in SHOWN.items():
        section, _, name = path.rpartition(".")
        (config[section] if section else config)[name] = value
    seen = inspected(engine, **config)
    for path, value in SHOWN.items():
        section, _, name = path.rpartition(".")
        assert seen[section or "Config"][name] == value
    engine.api.start(seen["Id"])
    assert engine.api.wait(seen["Id"]) == 0


@pytest.mark.option("ArgsEscaped", without_effect="it is for Windows")
@pytest.mark.option(
    "HostConfig.Mounts[].Consistency", without_effect="it is for hosts that are not Linux"
)
@pytest.mark.option("HostConfig.CpuCount", without_effect="it is for Windows")
def test_what_is_for_other_systems(engine: Engine) -> None:
    mount = {"Type": "tmpfs", "Target": "/x", "Consistency": "cached"}
    seen = inspected(
        engine, Cmd=["true"], ArgsEscaped=True, HostConfig={"Mounts": [mount], "CpuCount": 1}
    )
    assert seen["HostConfig"]["Mounts"] == [mount]
    assert seen["HostConfig"]["CpuCount"] == 1
    assert seen["Config"]["ArgsEscaped"] is True
    engine.api.start(seen["Id"])
    assert engine.api.wait(seen["Id"]) == 0


WARNED = {
    "HostConfig.CpuPercent": (50, "linux does not support CPU percent. Percent discarded."),
    "HostConfig.KernelMemory": (
        8 << 20,
        "Specifying a kernel memory limit is deprecated and will be removed in a future release.",
    ),
}


@pytest.mark.option("HostConfig.CpuPercent", without_effect="it is for Windows; a warning says so")
@pytest.mark.option(
    "HostConfig.KernelMemory", without_effect="Linux has it no more; a warning says so"
)
@pytest.mark.parametrize("option", WARNED)
def test_what_is_warned_of(engine: Engine, option: str) -> None:
    value, warning = WARNED[option]
    body = document_with(option, value, {}) | {"Image": "busybox", "Cmd": ["true"]}
    reply = engine.api.post("/containers/create", body)
    assert (reply.status, reply.json()["Warnings"]) == (201, [warning])


REFUSED = {
    "HostConfig.IOMaximumIOps": (1, "linux does not support configuration of maximum IOPs"),
    "HostConfig.IOMaximumBandwidth": (
        1,
        "linux does not support configuration of maximum bandwidth",
    ),
    "HostConfig.Isolation": ("hyperv", "linux only supports 'default'"),
}


@pytest.mark.boxshipd  # dockerd's status is 500
@pytest.mark.option("HostConfig.IOMaximumIOps", refused="Invalid QoS settings: linux does not …")
@pytest.mark.option(
    "HostConfig.IOMaximumBandwidth", refused="Invalid QoS settings: linux does not …"
)
@pytest.mark.option("HostConfig.Isolation", refused="linux only supports 'default'")
@pytest.mark.parametrize("option", REFUSED)
def test_what_is_refused(engine: Engine, option: str) -> None:
    value, words = REFUSED[option]
    body = document_with(option, value, {}) | {"Image": "busybox", "Cmd": ["true"]}
    reply = engine.api.post("/containers/create", body)
    assert reply.status == 400
    assert words in reply.message


@pytest.mark.option(
    "HostConfig.Mounts[].VolumeOptions.Labels", "HostConfig.Mounts[].VolumeOptions.DriverConfig"
)
def test_a_volume_that_is_made_for_a_mount(engine: Engine) -> None:
    driver = {
        "Name": "local",
        "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"},
    }
    options = {"Labels": {"a": "b"}, "DriverConfig": driver}
    mount = {"Type": "volume", "Source": "made", "Target": "/made", "VolumeOptions": options}
    container = engine.api.create(
        "one",
        Cmd=["sh", "-c", "df -k /made | awk 'END {print $2}'"],
        HostConfig={"Mounts": [mount]},
    )
    try:
        volume = engine.api.get("/volumes/made").json()
        engine.api.start(container)
        assert engine.api.wait(container) == 0
        assert engine.api.logs(container) == b"1024\n"
        assert volume["Labels"] == {"a": "b"}
        assert volume["Options"] == driver["Options"]
    finally:
        engine.api.remove(container)
        engine.api.delete("/volumes/made")


@pytest.mark.option("HostConfig.VolumeDriver")
def test_the_driver_of_volumes_that_are_made(engine: Engine) -> None:
    body = {"Image": "busybox", "HostConfig": {"VolumeDriver": "no-such", "Binds": ["made:/made"]}}
    reply = engine.api.post("/containers/create", body)
    assert reply.status in {400, 404}
    assert "no-such" in reply.message
    assert engine.api.get("/volumes/made").status == 404


@pytest.mark.option("NetworkDisabled")
def test_without_a_network(engine: Engine) -> None:
    container = engine.api.create(
        "one", Cmd=["ls", "/sys/class/net"], NetworkDisabled=True, HostConfig={"NetworkMode": ""}
    )
    engine.api.start(container)
    assert engine.api.wait(container) == 0
    assert engine.api.logs(container) == b"lo\n"
    assert engine.api.inspect(container)["NetworkSettings"]["Networks"] == {}


@pytest.mark.option("HostConfig.Mounts[].BindOptions.CreateMountpoint")
@pytest.mark.boxshipd  # dockerd 20.10 has no such option
def test_a_source_that_is_made(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "made"
    mount = {"Type": "bind", "Source": str(source), "Target": "/made"}
    asked = mount | {"BindOptions": {"CreateMountpoint": True}}
    reply = engine.api.post("/containers/create", body_of(mount))
    assert (reply.status, "bind source path does not exist" in reply.message) == (400, True)
    # 1.42 brought it
    reply = engine.api.request("POST", "/containers/create", body_of(asked), version="v1.42")
    assert reply.status == 201
    engine.api.start(reply.json()["Id"])
    assert engine.api.wait(reply.json()["Id"]) == 0
    assert source.is_dir()


def body_of(mount: dict[str, Any]) -> dict[str, Any]:
    host = {"Mounts": [mount], "NetworkMode": "none"}
    return {"Image": "busybox", "Cmd": ["test", "-d", "/made"], "HostConfig": host}


@pytest.mark.option("HostConfig.LogConfig")
def test_no_log_and_a_log_of_a_size(engine: Engine) -> None:
    say = ["sh", "-c", "seq 2000"]
    silent = engine.api.create("silent", Cmd=say, HostConfig={"LogConfig": {"Type": "none"}})
    config = {"Type": "json-file", "Config": {"max-size": "1k"}}
    short = engine.api.create("short", Cmd=say, HostConfig={"LogConfig": config})
    for container in (silent, short):
        engine.api.start(container)
        assert engine.api.wait(container) == 0
    assert engine.api.get(f"/containers/{silent}/logs", stdout=1).status in {400, 500, 501}
    assert 0 < len(engine.api.logs(short)) < 2000
