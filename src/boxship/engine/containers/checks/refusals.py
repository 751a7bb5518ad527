"""What Docker can do and this version cannot: said at create, never silently dropped."""

from ipaddress import ip_address

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.base.units import parse_bytes
from boxship.engine.containers.checks.machine import Machine
from boxship.engine.containers.health.settings import is_unknown
from boxship.model.container import ContainerConfig, HealthConfig, HostConfig

_LEAST_SIZE = 1 << 16
"""Less does not hold the directories that a container begins with."""
_LOOPBACK6 = ip_address("::1")


def check(host: HostConfig, machine: Machine) -> None:
    """Raise InvalidArgumentError naming the option."""
    if size_limit(host) and not machine.limits_size:
        raise InvalidArgumentError(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )


def size_limit(host: HostConfig) -> int:
    """Return how many bytes a container may write; 0: any. Raise InvalidArgumentError."""
    size = 0
    for name, text in (host.storage_opt or {}).items() if host.storage_opt is not UNSET else ():
        if name.lower() != "size":
            raise InvalidArgumentError(f"Unknown option {name}")
        try:
            size = parse_bytes(text)
        except ValueError as error:
            raise InvalidArgumentError(f"invalid --storage-opt size: {error}") from None
        if size < _LEAST_SIZE:
            raise InvalidArgumentError(f"invalid --storage-opt size: {text}: it is too small")
    return size


def without_effect(config: ContainerConfig, host: HostConfig) -> list[str]:
    """Return a warning for each option that is recorded and not carried out."""
    warnings = []
    if host.port_bindings and host.network_mode == "host":
        warnings.append("Published ports are discarded when using host network mode")
    warnings += _on_loopback6(host)
    health = config.healthcheck
    if isinstance(health, HealthConfig) and health.test and is_unknown(health.test):
        warnings.append(
            f"Unknown healthcheck type '{health.test[0]}' (expected 'CMD'): nothing is checked"
        )
    return warnings


def _on_loopback6(host: HostConfig) -> list[str]:
    """Tell of ports at ``::1``: the kernel translates no connections from there (ADR 54)."""
    ends = (end for each in (host.port_bindings or {}).values() for end in each or ())
    if any(end.host_ip and ip_address(end.host_ip) == _LOOPBACK6 for end in ends):
        return ["Ports published on ::1 cannot be reached: use 127.0.0.1"]
    return []
