"""``POST /containers/create``, as the client's version means it: one table of changes.

Shapes describe the newest version. What came later than the client is not its wish, whatever its
body says; where ignoring it would lose a protection or somebody's data, it is refused.

======  ==========================================================================================
1.53    an empty list of bindings means that a port is not published (as it always did here)
1.52    ``KernelMemoryTCP`` and the container's own ``MacAddress`` went; an endpoint has it
1.48    ``GwPriority``; mounts of images; sysctls of an interface stand in its endpoint's
        ``DriverOpts`` (those of ``eth0`` are moved there for older clients) and nowhere else
1.45    ``VolumeOptions.Subpath``
1.44    several endpoints; ``EndpointSettings.MacAddress``; ``Healthcheck.StartInterval``; what is
        read-only is so all the way down, unless said otherwise (``mounts.py``)
1.43    ``Annotations``
1.42    ``ConsoleSize``; ``KernelMemory`` went; ``CreateMountpoint`` and options that don't go with
        the mount's type (``mounts.py``)
1.41    ``CgroupnsMode``: who does not know it expects the host's, where cgroups are version 1
1.40    ``IpcMode`` is private by default; ``KernelMemoryTCP``; ``NonRecursive`` (``mounts.py``)
1.25    ``AutoRemove``: before, clients removed the container themselves
======  ==========================================================================================
"""

from collections.abc import Callable
from typing import Any

from msgspec import UNSET, Struct, structs

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import ContainerConfig, HealthConfig, HostConfig
from boxship.wire.containers import CreateBody
from boxship.wire.mounts import mounts_of
from boxship.wire.networks import EndpointWish
from boxship.wire.versions import ApiVersion

Endpoints = dict[str, EndpointWish | None]

ENDPOINT_SYSCTLS = "com.docker.network.endpoint.sysctls"

_MAC_IS_OLD = (
    "The container-wide MacAddress field is now deprecated. "
    "It should be specified in EndpointsConfig instead."
)
_DRIVER_IS_IGNORED = (
    "WARNING: the container-wide volume-driver configuration is ignored for volumes specified "
    "via 'mount'. Use '--mount type=volume,volume-driver=...' instead"
)


class Creation(Struct, frozen=True):
    """What is asked for, in the newest version's terms.

    ``shallow_read_only``: binds that are read-only are so at their top only.
    """

    config: ContainerConfig
    host: HostConfig
    endpoints: Endpoints
    shallow_read_only: bool = False
    warnings: tuple[str, ...] = ()


Change = Callable[[Creation], Creation]


def creation_of(body: CreateBody, version: ApiVersion, *, unified_cgroups: bool) -> Creation:
    """Return what a body asks for. InvalidArgumentError: what its version cannot ask for.

    ``unified_cgroups``: the machine has cgroups version 2 alone.
    """
    host = body.host_config or HostConfig()
    asked = Creation(
        config=ContainerConfig(**{name: getattr(body, name) for name in _CONFIG_FIELDS}),
        host=structs.replace(host, mounts=mounts_of(host.mounts, version)),
        endpoints=(body.networking_config and body.networking_config.endpoints_config) or {},
        shallow_read_only=version < 44,
    )
    if version < 41 and not unified_cgroups and not host.cgroupns_mode:
        asked = structs.replace(asked, host=structs.replace(asked.host, cgroupns_mode="host"))
    for since, change in _BEFORE:
        if version < since:
            asked = change(asked)
    for since, change in _SINCE:
        if version >= since:
            asked = change(asked)
    return asked


def _host(**values: Any) -> Change:
    def change(asked: Creation) -> Creation:
        return structs.replace(asked, host=structs.replace(asked.host, **values))

    return change


def _shareable_ipc(asked: Creation) -> Creation:
    return asked if asked.host.ipc_mode else _host(ipc_mode="shareable")(asked)


def _without_start_interval(asked: Creation) -> Creation:
    health = asked.config.healthcheck
    if not isinstance(health, HealthConfig) or not health.start_interval:
        return asked
    health = structs.replace(health, start_interval=0)
    return structs.replace(asked, config=structs.replace(asked.config, healthcheck=health))


def _one_endpoint(asked: Creation) -> Creation:
    if len(asked.endpoints) > 1:
        names = ", ".join(sorted(asked.endpoints))
        raise InvalidArgumentError(f"Container cannot be connected to network endpoints: {names}")
    return asked


def _endpoints(**values: Any) -> Change:
    def change(asked: Creation) -> Creation:
        changed = {
            name: wish and structs.replace(wish, **values) for name, wish in asked.endpoints.items()
        }
        return structs.replace(asked, endpoints=changed)

    return change


def _deprecated_mac(asked: Creation) -> Creation:
    """From 1.44 on the container's own address is its first endpoint's, with a warning."""
    mac = asked.config.mac_address
    if mac is UNSET or not mac:
        return asked
    wish = asked.endpoints.get(_main_network(asked))
    if wish is not None and wish.mac_address not in ("", mac):
        raise InvalidArgumentError(
            "the container-wide MAC address must match the endpoint-specific MAC address for the "
            "main network, or be left empty"
        )
    return structs.replace(asked, warnings=(*asked.warnings, _MAC_IS_OLD))


def _without_mac(asked: Creation) -> Creation:
    return structs.replace(asked, config=structs.replace(asked.config, mac_address=UNSET))


def _warned_of_driver(asked: Creation) -> Creation:
    if not asked.host.volume_driver or asked.host.mounts is UNSET:
        return asked
    for mount in asked.host.mounts or ():
        driver = mount.volume_options.driver_config if mount.volume_options else None
        if mount.type == "volume" and not (driver and driver.name):
            return structs.replace(asked, warnings=(*asked.warnings, _DRIVER_IS_IGNORED))
    return asked


# ── sysctls of interfaces ────────────────────────────────────────────────────────────────────


def _move_interface_sysctls(asked: Creation) -> Creation:
    """Move ``net.X.Y.eth0.Z`` to the endpoint whose interface that will be."""
    moving = _interface_sysctls(asked)
    if not moving:
        return asked
    for name in moving:
        if name.split(".", 4)[3] != "eth0":
            raise InvalidArgumentError(
                f"unable to determine network endpoint for sysctl {name}, use driver option "
                f"'{ENDPOINT_SYSCTLS}' to set per-interface sysctls"
            )
    network = _main_network(asked)
    wish = asked.endpoints.get(network) or EndpointWish()
    options = wish.driver_opts or {}
    words = [f"{name.replace('.eth0.', '.IFNAME.', 1)}={value}" for name, value in moving.items()]
    text = ",".join(words)
    # What the endpoint says itself stands behind, so that it holds.
    whole = ",".join(word for word in (text, options.get(ENDPOINT_SYSCTLS, "")) if word)
    wish = structs.replace(wish, driver_opts=options | {ENDPOINT_SYSCTLS: whole})
    others = {name: value for name, value in _sysctls(asked).items() if name not in moving}
    told = f'Migrated sysctl "{",".join(moving)}" to DriverOpts{{"{ENDPOINT_SYSCTLS}":"{text}"}}.'
    return structs.replace(
        asked,
        host=structs.replace(asked.host, sysctls=others),
        endpoints=asked.endpoints | {network: wish},
        warnings=(*asked.warnings, told),
    )


def _refuse_interface_sysctls(asked: Creation) -> Creation:
    for name in _interface_sysctls(asked):
        raise InvalidArgumentError(
            f'interface specific sysctl setting "{name}" must be supplied using driver option '
            f"'{ENDPOINT_SYSCTLS}'"
        )
    return asked


def _interface_sysctls(asked: Creation) -> dict[str, str]:
    """Return those that name an interface of the container's own network."""
    mode = asked.host.network_mode
    if mode in ("host", "none") or mode.startswith("container:"):
        return {}
    found = ((name, name.split(".", 4)) for name in _sysctls(asked))
    return {
        name: _sysctls(asked)[name]
        for name, words in found
        if len(words) == 5 and words[0] == "net" and words[3].startswith("eth")
    }


def _sysctls(asked: Creation) -> dict[str, str]:
    return (asked.host.sysctls or {}) if asked.host.sysctls is not UNSET else {}


def _main_network(asked: Creation) -> str:
    """Return the name under which the endpoint of the container's mode stands, or will.

    InvalidArgumentError: there are endpoints, and none says that it is the mode's.
    """
    mode = asked.host.network_mode or "default"
    names = {mode, "default"} if mode == "bridge" else {mode}
    names |= {"bridge"} if mode == "default" else set()
    if not asked.endpoints:
        return mode
    for name in asked.endpoints:
        if name in names:
            return name
    if len(asked.endpoints) == 1:
        return next(iter(asked.endpoints))
    raise InvalidArgumentError(
        "HostConfig.NetworkMode must match the identity of a network in NetworkSettings.Networks"
    )


# ─────────────────────────────────────────────────────────────────────────────────────────────

_CONFIG_FIELDS = ContainerConfig.__struct_fields__

_BEFORE: tuple[tuple[int, Change], ...] = (
    (25, _host(auto_remove=False)),
    (40, _shareable_ipc),
    (40, _host(kernel_memory_tcp=UNSET)),
    (42, _host(console_size=(0, 0))),
    (43, _host(annotations=UNSET)),
    (44, _without_start_interval),
    (44, _one_endpoint),
    (44, _endpoints(mac_address="")),
    (48, _endpoints(gw_priority=0)),
    (48, _move_interface_sysctls),
)
_SINCE: tuple[tuple[int, Change], ...] = (
    (42, _host(kernel_memory=UNSET)),
    (48, _warned_of_driver),
    (48, _refuse_interface_sysctls),
    (52, _host(kernel_memory_tcp=UNSET)),
    (52, _without_mac),
    (44, _deprecated_mac),  # of what is left: after the one before it
)
