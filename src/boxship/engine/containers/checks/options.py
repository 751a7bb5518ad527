"""Restart policy, logging, rights, devices, hosts: everything of a host config that is a word."""

import ipaddress
import re

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.checks import rights
from boxship.engine.containers.logdrivers import names
from boxship.engine.networks import egress
from boxship.engine.networks.portwishes import span_of, wishes_of
from boxship.model.container import ContainerConfig, HostConfig, LogConfig, RestartPolicy
from boxship.oci.runtime import RLIMITS

_DEVICE_RULE = re.compile(r"[acb] (\d+|\*):(\d+|\*) [rwm]{1,3}")
_PERMISSIONS = re.compile(r"[rwm]{1,3}")
ULIMITS = frozenset(name.removeprefix("RLIMIT_").lower() for name in RLIMITS)


def check(host: HostConfig) -> None:
    """Raise InvalidArgumentError."""
    check_restart(host.restart_policy, auto_remove=host.auto_remove)
    check_log(host.log_config, partly=True)
    _check_hosts(host)
    _check_paths(host)
    _check_devices(host)
    _check_ulimits(host)
    wishes_of(ContainerConfig(), host)
    for key in host.port_bindings or {}:  # one without an end is no wish
        span_of(key)
    egress.parse(egress.words_of(host))
    _check_sysctls(host)
    rights.check(host)
    if host.annotations is not UNSET and "" in (host.annotations or {}):
        raise InvalidArgumentError(
            "invalid Annotations: the empty string is not permitted as an annotation key"
        )
    if host.isolation.lower() not in ("", "default"):
        raise InvalidArgumentError(
            f"Invalid isolation: \"{host.isolation}\" - linux only supports 'default'"
        )


def check_restart(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Check a restart policy, of a container or by itself."""
    count, prefix = policy.maximum_retry_count, "invalid restart policy: "
    if policy.name in ("", "always", "unless-stopped", "no"):
        if count:
            also = " and cannot be negative" if count < 0 else ""
            raise InvalidArgumentError(
                f"{prefix}maximum retry count can only be used with 'on-failure'{also}"
            )
    elif policy.name in ("on-failure", "on-unhealthy"):
        if count < 0:
            raise InvalidArgumentError(f"{prefix}maximum retry count cannot be negative")
    else:
        raise InvalidArgumentError(
            f"{prefix}unknown policy '{policy.name}'; use one of 'no', 'always', 'on-failure', "
            "'on-unhealthy', or 'unless-stopped'"
        )
    if auto_remove and policy.name not in ("", "no"):
        raise InvalidArgumentError("can't create 'AutoRemove' container with restart policy")


def check_log(log: LogConfig, *, partly: bool = False) -> None:
    """Check a log driver and its options; ``partly``, as long as the daemon may add to them."""
    if log.type == names.JSON_FILE and not log.config:
        return  # as most are; the table need not be loaded for it
    if log.type and log.type not in names.KNOWN:  # a plugin's, of which nobody knows the options
        from boxship.engine.containers.logdrivers.checking import check_mode

        check_mode(log.config or {})
    elif log.type:
        from boxship.engine.containers.logdrivers.checking import check as check_options

        check_options(log.type, log.config or {}, partly=partly)


_CONTROL = "control characters"
_UNPRINTABLE = f"it has {_CONTROL}"  # which would begin lines of its own in the files it goes to


def _check_hosts(host: HostConfig) -> None:
    for entry in host.extra_hosts or ():
        name, colon, address = entry.replace("=", ":", 1).partition(":")
        if not name or not colon:
            raise InvalidArgumentError(f'bad format for add-host: "{entry}"')
        if not name.isprintable():
            raise InvalidArgumentError(f"invalid name in add-host: {name!r}: {_UNPRINTABLE}")
        address = address.removeprefix("[").removesuffix("]")
        if address != "host-gateway":
            _check_address(address, f'invalid IP address in add-host: "{address}"')
    for server in host.dns or ():
        _check_address(server, f"invalid IP address: {server}")
    for domain in host.dns_search or ():
        if not domain.isprintable() or " " in domain:
            raise InvalidArgumentError(
                f"invalid DNS search domain: {domain!r}: it has white space or {_CONTROL}; "
                "give each domain by itself"
            )
    for option in host.dns_options or ():
        if not option.isprintable():
            raise InvalidArgumentError(f"invalid DNS option: {option!r}: {_UNPRINTABLE}")


def _check_address(address: str, otherwise: str) -> None:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise InvalidArgumentError(otherwise) from None


def _check_paths(host: HostConfig) -> None:
    """Refuse what no system call takes, before a start is half done."""
    paths = [host.cgroup_parent]
    for device in host.devices or ():
        paths += [device.path_on_host, device.path_in_container]
    for limits in (
        host.blkio_weight_device,
        host.blkio_device_read_bps,
        host.blkio_device_write_bps,
        host.blkio_device_read_iops,
        host.blkio_device_write_iops,
    ):
        paths += [limit.path for limit in limits or ()]
    for path in paths:
        if "\0" in path:
            raise InvalidArgumentError(f"{path!r}: a path cannot contain a NUL byte")


def _check_devices(host: HostConfig) -> None:
    for device in host.devices or ():
        permissions = device.cgroup_permissions
        if permissions and _PERMISSIONS.fullmatch(permissions) is None:
            raise InvalidArgumentError(f"invalid device mode: {permissions}")
        if not device.path_on_host.startswith("/"):
            raise InvalidArgumentError(f"{device.path_on_host} is not an absolute path")
    for rule in host.device_cgroup_rules or ():
        if _DEVICE_RULE.fullmatch(rule) is None:
            raise InvalidArgumentError(f"invalid device cgroup rule format: '{rule}'")


def _check_ulimits(host: HostConfig) -> None:
    for limit in host.ulimits or ():
        if limit.name not in ULIMITS:
            raise InvalidArgumentError(f"invalid ulimit type: {limit.name}")
        if limit.hard != -1 and (limit.soft == -1 or limit.soft > limit.hard):
            raise InvalidArgumentError(
                f"ulimit soft limit must be less than or equal to hard limit: "
                f"{limit.soft} > {limit.hard}"
            )


def _check_sysctls(host: HostConfig) -> None:
    for key in (host.sysctls or {}) if host.sysctls is not UNSET else ():
        if not key or "\0" in key:
            raise InvalidArgumentError(f"invalid sysctl: {key}")
