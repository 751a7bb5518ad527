"""Namespace modes: what each may say, and which don't go together.

::

    network   none, host, container:X, a network's name or id; default is the daemon's
    pid       (own), host, container:X
    ipc       none, private, shareable, host, container:X
    uts       (own), host
    cgroupns  private, host
    userns    (the daemon's: mapped or not), host
"""

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks import egress
from boxship.model.container import ContainerConfig, HostConfig

_CONTAINER = "container:"


def joined_container(mode: str) -> str | None:
    """Return the other container's name or id in ``container:X``, None for any other mode."""
    return mode.removeprefix(_CONTAINER) if mode.startswith(_CONTAINER) else None


def check(config: ContainerConfig, host: HostConfig) -> None:
    """Raise InvalidArgumentError for a mode there is not, or one that others exclude."""
    _check_network(config, host)
    _check_other(config, host)


def check_mapped(host: HostConfig) -> None:
    """Raise InvalidArgumentError for what a container whose users are mapped cannot have."""
    if host.privileged:
        raise InvalidArgumentError(
            "privileged mode is incompatible with user namespaces.  You must run the container in "
            "the host namespace when running privileged mode"
        )
    for mode, what in (
        (host.network_mode, "host's network"),
        (host.pid_mode, "host PID"),
        (host.ipc_mode, "host IPC"),
    ):
        if mode == "host":
            raise InvalidArgumentError(
                f"cannot share the {what} namespace when user namespaces are enabled"
            )


def _check_network(config: ContainerConfig, host: HostConfig) -> None:
    mode = host.network_mode
    check_egress(host)
    other = joined_container(mode)
    if other is not None:
        if not other:
            raise InvalidArgumentError(
                "Invalid network mode: invalid container format container:<name|id>"
            )
        _check_joined_network(config, host)
    if mode == "host" and host.links:
        raise InvalidArgumentError(
            "conflicting options: host type networking can't be used with links. "
            "This would result in undefined behavior"
        )


def check_egress(host: HostConfig) -> None:
    """Raise InvalidArgumentError for rules of a container that shares somebody's network."""
    mode = host.network_mode
    if egress.words_of(host) and (mode == "host" or joined_container(mode) is not None):
        raise InvalidArgumentError("conflicting options: egress rules and the network mode")


def _check_joined_network(config: ContainerConfig, host: HostConfig) -> None:
    for given, what in (
        (config.hostname, "hostname and the network mode"),
        (host.links, "container type network can't be used with links. "
         "This would result in undefined behavior"),
        (host.dns, "dns and the network mode"),
        (host.extra_hosts, "custom host-to-IP mapping and the network mode"),
        (host.port_bindings or host.publish_all_ports,
         "port publishing and the container type network mode"),
        (config.exposed_ports, "port exposing and the container type network mode"),
    ):  # fmt: skip
        if given:
            raise InvalidArgumentError(f"conflicting options: {what}")


def _check_other(config: ContainerConfig, host: HostConfig) -> None:
    if host.uts_mode == "host" and (config.hostname or config.domainname):
        raise InvalidArgumentError("conflicting options: hostname and the UTS mode")
    for mode, allowed, name in (
        (host.pid_mode, ("", "host"), "PID mode"),
        (host.ipc_mode, ("", "none", "private", "shareable", "host"), "IPC mode"),
        (host.uts_mode, ("", "host"), "UTS mode"),
        (host.userns_mode, ("", "host"), "user namespace mode"),
        (host.cgroupns_mode, ("", "private", "host"), "cgroup namespace mode"),
    ):
        joined = joined_container(mode) if name in ("PID mode", "IPC mode") else None
        if joined == "" or (joined is None and mode not in allowed):
            raise InvalidArgumentError(f"invalid {name}: {mode}")
