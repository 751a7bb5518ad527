"""What can be allowed, and what may be asked of containers within a scope: tables, and holes."""

import pytest
from msgspec import UNSET, structs

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.engine.access.creation import (
    CONFIG_CLOSED,
    CONFIG_OPEN,
    HOST_CLOSED,
    HOST_RULES,
    check_creation,
    check_endpoint,
)
from boxship.engine.access.permissions import ALL, parse_permissions, shown
from boxship.engine.access.scope import Scope, check_labels, check_name
from boxship.engine.containers.requests import CreateContainer
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.container import (
    BindOptions,
    ContainerConfig,
    DeviceMapping,
    DeviceRequest,
    DriverConfig,
    HostConfig,
    LogConfig,
    Mount,
    PortBinding,
    RestartPolicy,
    TmpfsOptions,
    Ulimit,
    VolumeOptions,
)

SCOPE = Scope("ci", tuple(sorted(ALL)), {"team": "ci"})


# ── permissions ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("texts", "meant"),
    [
        (("containers:read,logs",), {"containers:read", "containers:logs"}),
        (("containers:read images:read",), {"containers:read", "images:read"}),
        (("volumes:*",), {"volumes:read", "volumes:create", "volumes:remove"}),
        (("system:read", "events:read"), {"system:read", "events:read"}),
        (("*",), ALL),
    ],
)
def test_permissions_are_read(texts, meant):
    assert parse_permissions(texts) == meant
    assert parse_permissions(shown(meant)) == meant


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "nothing is allowed"),
        ("builds:*", "builds is none of containers, images"),
        ("containers", "say what of containers is allowed: read, logs"),
        ("containers:", "say what of containers"),
        ("containers:fly", "containers:fly: of containers there are read, logs"),
        ("containers:read,", "of containers there are"),
        (":read", "nothing is none of"),
    ],
)
def test_what_is_no_permission_is_named(text, named):
    with pytest.raises(InvalidArgumentError, match=named):
        parse_permissions((text,))


def test_permissions_are_shown_in_the_table_s_order():
    assert shown({"images:read", "containers:logs", "containers:read"}) == (
        "containers:read,logs",
        "images:read",
    )


@pytest.mark.parametrize("name", ["", "../ci", "a/b", ".ci", "a" * 64, "a b", "ä"])
def test_names_that_could_be_paths_are_refused(name):
    with pytest.raises(InvalidArgumentError):
        check_name(name)


@pytest.mark.parametrize("name", ["", "image", "name", "exitCode"])
def test_labels_that_events_use_themselves_are_refused(name):
    with pytest.raises(InvalidArgumentError):
        check_labels({name: "x"})


def test_a_scope_sees_what_carries_all_of_its_labels():
    scope = Scope("ci", (), {"team": "ci", "stage": "test"})
    assert scope.sees({"team": "ci", "stage": "test", "more": ""})
    for labels in ({"team": "ci"}, {"team": "ci", "stage": "live"}, {}, None):
        assert not scope.sees(labels)
    assert Scope("all", ()).sees(None)


def test_labels_of_what_a_scope_makes():
    assert SCOPE.labelled({"a": "b"}) == {"a": "b", "team": "ci"}
    with pytest.raises(ForbiddenError, match="team=ci alone, not with team=others"):
        SCOPE.labelled({"team": "others"})


# ── containers to be ─────────────────────────────────────────────────────────────────────────────


def request(config: ContainerConfig | None = None, **host: object) -> CreateContainer:
    return CreateContainer(config or ContainerConfig(image="busybox"), HostConfig(**host))


def test_every_field_is_either_open_by_a_rule_or_closed():
    """A new field of a create request has to be looked at here: does it lead out of a scope?"""
    assert HOST_RULES.keys() | HOST_CLOSED == set(HostConfig.__struct_fields__)
    assert not HOST_RULES.keys() & HOST_CLOSED
    assert set(ContainerConfig.__struct_fields__) == CONFIG_OPEN | CONFIG_CLOSED
    assert {"mac_address"} == CONFIG_CLOSED


ESCAPES = (
    {"privileged": True},
    {"cap_add": ("SYS_ADMIN",)},
    {"binds": ("/:/host",)},
    {"binds": ("/run/boxship/boxship.sock:/run/boxship/boxship.sock",)},
    {"binds": ("/etc/passwd:/p:ro", "data:/data")},
    {"mounts": (Mount(type="bind", source="/", target="/host"),)},
    {"mounts": (Mount(type="image", source="secret", target="/x"),)},
    {"mounts": (Mount(type="npipe", source="a", target="/x"),)},
    {"mounts": (Mount(type="volume", source="v", target="/x", bind_options=BindOptions()),)},
    {
        "mounts": (
            Mount(
                type="volume",
                target="/x",
                volume_options=VolumeOptions(
                    driver_config=DriverConfig("local", {"o": "bind", "device": "/"})
                ),
            ),
        )
    },
    {"volume_driver": "other"},
    {"volumes_from": ("web",)},
    {"links": ("web:db",)},
    {"network_mode": "host"},
    {"network_mode": "container:web"},
    {"pid_mode": "host"},
    {"pid_mode": "container:web"},
    {"ipc_mode": "host"},
    {"ipc_mode": "container:web"},
    {"uts_mode": "host"},
    {"userns_mode": "host"},
    {"cgroup_parent": "/"},
    {"cgroup": "container:web"},
    {"devices": (DeviceMapping("/dev/sda", "/dev/sda", "rwm"),)},
    {"device_cgroup_rules": ("a *:* rwm",)},
    {"device_requests": (DeviceRequest(count=-1),)},
    {"security_opt": ("seccomp=unconfined",)},
    {"security_opt": ("apparmor=unconfined",)},
    {"security_opt": ("systempaths=unconfined",)},
    {"security_opt": ("writable-cgroups=true",)},
    {"security_opt": ("no-new-privileges", "label=disable")},
    {"masked_paths": ()},
    {"readonly_paths": ()},
    {"sysctls": {"kernel.core_pattern": "|/x"}},
    {"runtime": "other"},
    {"annotations": {"cdi.k8s.io/x": "vendor.com/class=dev"}},
    {"oom_score_adj": -1000},
    {"oom_kill_disable": True},
    {"cpu_realtime_runtime": 950000},
    {"ulimits": (Ulimit("rtprio", 99, 99),)},
    {"ulimits": (Ulimit("memlock", -1, -1),)},
    {"log_config": LogConfig("syslog", {"syslog-address": "tcp://10.0.0.1:514"})},
    {"log_config": LogConfig("", {"syslog-address": "tcp://10.0.0.1:514"})},
    {"dns": ("127.0.0.1",)},
    {"container_id_file": "/etc/cron.d/x"},
)


@pytest.mark.parametrize("host", ESCAPES, ids=lambda host: next(iter(host)))
def test_what_leads_out_of_a_scope_is_refused(host):
    with pytest.raises(ForbiddenError, match="the scope ci does not allow containers with"):
        check_creation(SCOPE, request(**host))


HARMLESS = (
    {},
    {"memory": 1 << 20, "nano_cpus": 10**9, "pids_limit": 10, "cpu_shares": 2},
    {"restart_policy": RestartPolicy("always"), "init": True, "auto_remove": True},
    {"cap_drop": ("ALL",), "security_opt": ("no-new-privileges:true",), "readonly_rootfs": True},
    {"tmpfs": {"/run": "size=1m"}, "shm_size": 1 << 20, "ipc_mode": "private"},
    {"mounts": (Mount(type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(1 << 20)),)},
    {"mounts": (Mount(type="volume", target="/t"),)},
    {"log_config": LogConfig("local", {"max-size": "1m"})},
    {"network_mode": "none"},
    {"network_mode": "bridge", "extra_hosts": ("a:127.0.0.1",)},
    {"ulimits": (Ulimit("nofile", 100, 100),), "oom_score_adj": 500},
    {"annotations": UNSET, "mounts": None, "sysctls": None, "devices": None, "runtime": None},
    {"egress": ("example.org:443",)},
)


@pytest.mark.parametrize("host", HARMLESS, ids=lambda host: next(iter(host), "nothing"))
def test_what_gives_no_rights_is_allowed(host):
    wishes = check_creation(SCOPE, request(**host))
    assert (wishes.networks, wishes.volumes, wishes.publishes) == ((), (), False)


def test_what_is_needed_of_others_is_named():
    asked = request(
        binds=("data:/data", "more:/more:ro"),
        mounts=(Mount(type="volume", source="third", target="/third"),),
        network_mode="backend",
        port_bindings={"80/tcp": (PortBinding("", "80"),)},
    )
    asked = structs_replace(asked, endpoints=(EndpointRecord("", "front"),))
    wishes = check_creation(SCOPE, asked)
    assert wishes.networks == ("backend", "front")
    assert wishes.volumes == ("data", "more", "third")
    assert wishes.publishes


def structs_replace(asked: CreateContainer, **changes: object) -> CreateContainer:
    return CreateContainer(asked.config, asked.host, **changes)


def test_nobody_hears_what_is_meant_for_another_address():
    mac = structs.replace(ContainerConfig(image="busybox"), mac_address="02:42:ac:11:00:02")
    with pytest.raises(ForbiddenError, match="MacAddress"):
        check_creation(SCOPE, request(mac))


@pytest.mark.parametrize(
    "asked",
    [
        {"mac_asked": "02:42:ac:11:00:02"},
        {"driver_opts": {"com.docker.network.endpoint.sysctls": "x"}},
        {"links": ("web:db",)},
        {"link_local": ("169.254.1.1",)},
    ],
    ids=lambda asked: next(iter(asked)),
)
def test_a_place_in_a_network_is_a_plain_one(asked):
    with pytest.raises(ForbiddenError):
        check_endpoint(SCOPE, EndpointRecord("", "backend", **asked))
    check_endpoint(SCOPE, EndpointRecord("", "backend", aliases=("db",), ipv4_asked="10.0.0.9"))
