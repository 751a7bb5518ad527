"""From a plugin's record to the container it is run as, and back to the host's paths."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.managed import process
from boxship.engine.managed.listing import chooser
from boxship.engine.managed.places import Places, host_path
from boxship.engine.managed.record import PluginRecord, decode_record, encode_record
from boxship.engine.managed.settings import initial
from boxship.engine.settings import EngineSettings
from boxship.oci.plugin import decode_config

PLACES = Places.below("/data", "/exec")
CONFIG = (
    b'{"entrypoint": ["/p", "-x"], "args": {"value": ["y"]}, "workdir": "/w",'
    b'"interface": {"types": ["docker.volumedriver/1.0", "docker.logdriver/1.0"], "socket": "v"},'
    b'"network": {"type": "host"}, "pidhost": true, "propagatedmount": "/mnt/v",'
    b'"linux": {"capabilities": ["CAP_SYS_ADMIN"], "allowalldevices": true,'
    b'"devices": [{"name": "fuse", "path": "/dev/fuse"}, {"name": "none"}]}, "user": {"uid": 5},'
    b'"env": [{"name": "A", "value": "1"}], "mounts": [{"type": "bind", "source": "/host/lib",'
    b'"destination": "/lib/", "options": ["rbind", "ro"]}, {"type": "tmpfs",'
    b'"destination": "/t", "options": ["size=1m"]}]}'
)


def plugin(config: bytes = CONFIG, *, name: str = "me/p:latest") -> PluginRecord:
    read = decode_config(config)
    return PluginRecord("1" * 64, name, name, read, initial(read), "sha256:a", (), "2" * 64)


def run_as(record: PluginRecord) -> ContainerRecord:
    return process.process_record(
        record, PLACES, EngineSettings(), created_ns=5, unified_cgroups=True
    )


def test_a_record_is_read_as_it_was_written() -> None:
    assert decode_record(encode_record(plugin())) == plugin()


def test_a_plugin_is_run_with_what_it_asks_for() -> None:
    made = run_as(plugin())
    assert (made.id, made.path, made.args) == ("2" * 64, "/p", ("-x", "y"))
    assert (made.config.user, made.config.working_dir) == ("5:0", "/w")
    assert made.config.env == ("HOSTNAME", "A=1")
    host = made.host
    assert (host.network_mode, host.pid_mode, host.ipc_mode) == ("host", "host", "private")
    assert (host.cap_add, host.userns_mode) == (("CAP_SYS_ADMIN",), "host")
    assert [device.path_on_host for device in host.devices or ()] == ["/dev/fuse"]
    assert host.device_cgroup_rules == ("a *:* rwm",)
    assert host.restart_policy.name == "unless-stopped"
    assert made.endpoints == ()


def test_its_mounts_are_its_own_its_sockets_and_what_it_offers() -> None:
    found = {point.destination: point for point in run_as(plugin()).mounts}
    assert list(found) == ["/lib", "/t", "/run/docker/plugins", "/mnt/v"]
    assert (found["/lib"].source, found["/lib"].read_write) == ("/host/lib", False)
    assert found["/t"].options == ("size=1m",)
    assert found["/run/docker/plugins"].source == "/exec/plugins/s/111111111111"
    offered = found["/mnt/v"]
    assert offered.source == "/data/plugins/propagated/" + "1" * 64
    assert offered.propagation == "rshared"


def test_one_that_asks_for_nothing_is_alone() -> None:
    made = run_as(plugin(b'{"entrypoint": ["/p"]}'))
    assert (made.host.network_mode, made.host.pid_mode) == ("none", "")
    assert made.host.cap_add is None
    assert [point.destination for point in made.mounts] == ["/run/docker/plugins"]


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (b'{"interface": {"socket": "../x"}}', "must be the name of a file"),
        (b'{"mounts": [{"type": "proc", "destination": "/p"}]}', "is of type 'proc'"),
        (b'{"mounts": [{"type": "bind", "destination": "p"}]}', "'p' is no place"),
        (b'{"propagatedmount": "/"}', "'/' is no place"),
    ],
)
def test_what_no_plugin_can_be_made_of_is_named(config: bytes, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        process.check(decode_config(config))


@pytest.mark.parametrize(
    ("config", "told"),
    [
        (b"{}", "neither entrypoint nor args"),
        (
            b'{"entrypoint": ["/p"], "mounts": [{"type": "bind", "destination": "/x"}]}',
            "the mount at /x has no source: set one",
        ),
    ],
)
def test_what_cannot_be_started_yet_is_named(config: bytes, told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        process.check_startable(run_as(plugin(config)), "me/p:latest")


def test_a_socket_whose_path_is_too_long_is_told() -> None:
    PLACES.check(plugin())
    with pytest.raises(InvalidArgumentError, match="shorter --exec-root"):
        Places.below("/data", f"/{'x' * 90}").check(plugin())


@pytest.mark.parametrize(
    ("path", "on_host"),
    [
        ("/mnt/v/a", "/propagated/a"),
        ("/mnt/v", "/propagated"),
        ("/mnt/vx", "/tree/mnt/vx"),
        ("/lib/x/../y", "/host/lib/y"),
        ("/mnt/v/../../etc", "/tree/etc"),
        ("relative", "/tree/relative"),
        ("//../../x", "/tree/x"),
    ],
)
def test_paths_of_a_plugin_are_found_on_the_host(path: str, on_host: str) -> None:
    assert str(host_path(plugin(), path, "/propagated", "/tree")) == on_host


@pytest.mark.parametrize(
    ("filters", "chosen"),
    [
        ({}, True),
        ({"enabled": ("false",)}, True),
        ({"enabled": ("true",)}, False),
        ({"capability": ("volumedriver",)}, True),
        ({"capability": ("authz", "logdriver")}, True),
        ({"capability": ("networkdriver",)}, False),
    ],
)
def test_filters_choose(filters: dict[str, tuple[str, ...]], chosen: bool) -> None:
    assert chooser(filters)(plugin()) is chosen


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"name": ("x",)}, "invalid filter 'name'"),
        ({"enabled": ("x",)}, r"invalid filter 'enabled=\[x\]'"),
    ],
)
def test_other_filters_are_refused(filters: dict[str, tuple[str, ...]], told: str) -> None:
    with pytest.raises(InvalidArgumentError, match=told):
        chooser(filters)
