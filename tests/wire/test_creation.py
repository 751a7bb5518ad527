"""What a create means in each version: at the version that brought something, and before it."""

from typing import Any

import msgspec
import pytest
from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.wire.containers import CreateBody
from boxship.wire.creation import ENDPOINT_SYSCTLS, Creation, creation_of
from boxship.wire.decoding import decode_body
from boxship.wire.versions import ApiVersion

BIND = {"Type": "bind", "Source": "/a", "Target": "/b"}
VOLUME = {"Type": "volume", "Source": "v", "Target": "/b"}
MAC, OTHER_MAC = "02:42:ac:11:00:02", "02:42:ac:11:00:03"


def asked(version: int, members: dict[str, Any], *, unified: bool = False) -> Creation:
    body = decode_body(msgspec.json.encode({"Image": "a", **members}), CreateBody)
    return creation_of(body, ApiVersion(version), unified_cgroups=unified)


def host(**members: Any) -> dict[str, Any]:
    return {"HostConfig": members}


def bind(**options: Any) -> dict[str, Any]:
    return host(Mounts=[BIND | {"BindOptions": options}])


def endpoint(**members: Any) -> dict[str, Any]:
    return {"NetworkingConfig": {"EndpointsConfig": {"web": members}}}


# What is asked, where it is in the outcome, the version that brought it, what it is since then and
# what it was before.
CAME = {
    "auto remove": (host(AutoRemove=True), "host.auto_remove", 25, True, False),
    "ipc": (host(), "host.ipc_mode", 40, "", "shareable"),
    "ipc, said": (host(IpcMode="private"), "host.ipc_mode", 40, "private", "private"),
    "tcp memory": (host(KernelMemoryTCP=5), "host.kernel_memory_tcp", 40, 5, UNSET),
    "non-recursive": (
        bind(NonRecursive=True), "host.mounts.0.bind_options.non_recursive", 40, True, False,
    ),
    "cgroup namespace": (host(), "host.cgroupns_mode", 41, "", "host"),
    "cgroup namespace, said": (
        host(CgroupnsMode="private"), "host.cgroupns_mode", 41, "private", "private",
    ),
    "size of the terminal": (
        host(ConsoleSize=[24, 80]), "host.console_size", 42, (24, 80), (0, 0),
    ),
    "made sources": (
        bind(CreateMountpoint=True), "host.mounts.0.bind_options.create_mountpoint", 42, True,
        False,
    ),
    "annotations": (host(Annotations={"a": "b"}), "host.annotations", 43, {"a": "b"}, UNSET),
    "start interval": (
        {"Healthcheck": {"Test": ["NONE"], "StartInterval": 5}},
        "config.healthcheck.start_interval", 44, 5, 0,
    ),
    "deep read-only": ({}, "shallow_read_only", 44, False, True),
    "shallow read-only": (
        bind(ReadOnlyNonRecursive=True), "host.mounts.0.bind_options.read_only_non_recursive", 44,
        True, False,
    ),
    "address of an endpoint": (
        endpoint(MacAddress=MAC), "endpoints.web.mac_address", 44, MAC, "",
    ),
    "gateways": (endpoint(GwPriority=7), "endpoints.web.gw_priority", 48, 7, 0),
}  # fmt: skip
WENT = {
    "kernel memory": (host(KernelMemory=5), "host.kernel_memory", 42, UNSET, 5),
    "tcp memory": (host(KernelMemoryTCP=5), "host.kernel_memory_tcp", 52, UNSET, 5),
    "own address": ({"MacAddress": MAC}, "config.mac_address", 52, UNSET, MAC),
}


def at(creation: Creation, path: str) -> Any:
    value: Any = creation
    for name in path.split("."):
        if isinstance(value, dict):
            value = value[name]
        else:
            value = value[int(name)] if name.isdecimal() else getattr(value, name)
    return value


@pytest.mark.parametrize(("body", "path", "version", "since", "before"), [
    *(pytest.param(*row, id=name) for name, row in CAME.items()),
    *(pytest.param(*row, id=f"{name} went") for name, row in WENT.items()),
])  # fmt: skip
def test_what_a_version_brought(body, path, version, since, before):
    assert at(asked(version, body), path) == since
    assert at(asked(version - 1, body), path) == before


@pytest.mark.parametrize(
    ("body", "version", "message"),
    [
        (bind(ReadOnlyForceRecursive=True), 44, "ReadOnlyForceRecursive needs API v1.44"),
        (
            {"NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": None}}}, 44,
            "Container cannot be connected to network endpoints: a, b",
        ),
        (
            host(Mounts=[VOLUME | {"VolumeOptions": {"Subpath": "x"}}]), 45,
            "VolumeOptions.Subpath needs API v1.45",
        ),
        (host(Mounts=[{"Type": "image", "Target": "/b"}]), 48, '"Image" needs API v1.48'),
    ],
)  # fmt: skip
def test_what_an_older_client_cannot_ask_for(body, version, message):
    asked(version, body)
    with pytest.raises(InvalidArgumentError) as caught:
        asked(version - 1, body)
    assert message in str(caught.value)


def test_the_cgroup_namespace_of_a_machine_with_version_2_alone():
    assert asked(40, host(), unified=True).host.cgroupns_mode == ""


def test_options_of_another_kind_of_mount():
    tmpfs = {"Type": "tmpfs", "Target": "/b", "VolumeOptions": {"NoCopy": True}}
    both = host(Mounts=[VOLUME | {"TmpfsOptions": {"Mode": 5}}, tmpfs])
    volume, memory = asked(41, both).host.mounts
    assert (volume.tmpfs_options, memory.volume_options) == (None, None)
    volume, memory = asked(42, both).host.mounts
    assert volume.tmpfs_options is not None
    assert memory.volume_options is not None


def test_a_containers_own_address():
    both = {"MacAddress": MAC, **endpoint(MacAddress=OTHER_MAC), **host(NetworkMode="web")}
    assert asked(43, {"MacAddress": MAC}).warnings == ()
    (told,) = asked(44, {"MacAddress": MAC}).warnings
    assert "deprecated" in told
    with pytest.raises(InvalidArgumentError, match="must match the endpoint-specific"):
        asked(51, both)
    assert asked(52, both).warnings == ()


def test_a_volume_driver_that_mounts_do_not_have():
    plain, named = VOLUME, VOLUME | {"VolumeOptions": {"DriverConfig": {"Name": "local"}}}
    assert asked(47, host(VolumeDriver="x", Mounts=[plain])).warnings == ()
    (told,) = asked(48, host(VolumeDriver="x", Mounts=[plain])).warnings
    assert "volume-driver configuration is ignored" in told
    assert asked(48, host(VolumeDriver="x", Mounts=[named])).warnings == ()


# ── sysctls of interfaces ────────────────────────────────────────────────────────────────────

LOG, FORWARD = "net.ipv4.conf.eth0.log_martians", "net.ipv4.conf.eth0.forwarding"


def test_sysctls_of_the_first_interface_move_to_its_endpoint():
    own = {ENDPOINT_SYSCTLS: "net.ipv4.conf.IFNAME.forwarding=0"}
    sysctls = {LOG: "1", FORWARD: "1", "net.core.somaxconn": "9"}
    found = asked(47, endpoint(DriverOpts=own) | host(NetworkMode="web", Sysctls=sysctls))
    assert found.host.sysctls == {"net.core.somaxconn": "9"}
    assert found.endpoints["web"].driver_opts[ENDPOINT_SYSCTLS].split(",") == [
        "net.ipv4.conf.IFNAME.log_martians=1",
        "net.ipv4.conf.IFNAME.forwarding=1",
        "net.ipv4.conf.IFNAME.forwarding=0",
    ]
    (told,) = found.warnings
    assert told.startswith(f'Migrated sysctl "{LOG},{FORWARD}" to DriverOpts')
    (made,) = asked(40, host(Sysctls={LOG: "1"})).endpoints.items()
    assert made[0] == "default"


@pytest.mark.parametrize(
    ("version", "name", "message"),
    [
        (48, LOG, "must be supplied using driver option"),
        (47, LOG.replace("eth0", "eth1"), "unable to determine network endpoint for sysctl"),
    ],
)
def test_sysctls_that_belong_to_an_endpoint(version, name, message):
    with pytest.raises(InvalidArgumentError, match=message):
        asked(version, host(Sysctls={name: "1"}))
    shared = host(NetworkMode="host", Sysctls={name: "1"})
    assert asked(version, shared).host.sysctls == {name: "1"}


def test_sysctls_of_one_of_several_networks():
    several = {"NetworkingConfig": {"EndpointsConfig": {"web": {}, "bridge": {}}}}
    found = asked(47, several | host(NetworkMode="default", Sysctls={LOG: "1"}))
    assert list(found.endpoints["bridge"].driver_opts) == [ENDPOINT_SYSCTLS]
    with pytest.raises(InvalidArgumentError, match=r"NetworkMode must match"):
        asked(47, several | host(NetworkMode="other", Sysctls={LOG: "1"}))
