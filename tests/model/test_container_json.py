"""The structs write the JSON names that Docker's clients read."""

import msgspec

from boxship.model.container import ContainerConfig, HostConfig, Mount


def test_absent_lists_are_null_and_optional_fields_absent() -> None:
    config = msgspec.to_builtins(ContainerConfig())
    assert config["Cmd"] is None
    assert config["OpenStdin"] is False
    assert "Healthcheck" not in config
    assert "StopTimeout" not in config


def test_names_that_no_rule_derives() -> None:
    host = msgspec.to_builtins(HostConfig())
    assert {"ContainerIDFile", "UTSMode", "BlkioDeviceReadIOps", "IOMaximumIOps"} <= host.keys()
    assert {"NanoCpus", "CpusetCpus", "ShmSize", "CgroupnsMode", "OomKillDisable"} <= host.keys()


def test_round_trip_keeps_mounts_and_ignores_unknown_fields() -> None:
    body = b'{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true}],"Later":1}'
    host = msgspec.json.decode(body, type=HostConfig)
    assert host.mounts == (Mount(type="bind", source="/a", target="/b", read_only=True),)
    assert msgspec.json.decode(msgspec.json.encode(host), type=HostConfig) == host
