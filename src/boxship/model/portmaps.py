"""Port maps whose keys are intervals, as records keep them, to the ones that clients know.

``{"20000-30000/tcp": …}`` becomes 10,001 members, each a port. What folds them is
``boxship.wire.ports``.
"""

from collections.abc import Iterator, Mapping

from msgspec import UNSET, structs

from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.ports import parse_interval


def unfolded_host(host: HostConfig) -> HostConfig:
    """Return a host config as a client may have sent it."""
    if not _any_interval(host.port_bindings):
        return host
    bindings: dict[str, tuple[PortBinding, ...] | None] = {}
    for key, ends in (host.port_bindings or {}).items():
        for port, offset in _single(key):
            shifted = tuple(_shifted(end, offset) for end in ends or ())
            bindings[port] = (*(bindings.get(port) or ()), *shifted) if ends is not None else None
    return structs.replace(host, port_bindings=bindings)


def unfolded_config(config: ContainerConfig) -> ContainerConfig:
    """Return a container's config as a client may have sent it."""
    ports = config.exposed_ports
    if ports is UNSET or not _any_interval(ports):
        return config
    single = {port: value for key, value in (ports or {}).items() for port, _ in _single(key)}
    return structs.replace(config, exposed_ports=single)


def _any_interval(ports: Mapping[str, object] | None) -> bool:
    return any("-" in key for key in ports or ())


def _single(key: str) -> Iterator[tuple[str, int | None]]:
    """Give the keys an interval's key stands for, each with its distance from the first."""
    port, _, protocol = key.partition("/")
    if "-" not in port:
        yield key, None
        return
    first, last = parse_interval(port)
    for number in range(first, last + 1):
        yield f"{number}/{protocol}", number - first


def _shifted(end: PortBinding, offset: int | None) -> PortBinding:
    if offset is None or not end.host_port:
        return end
    first, _ = parse_interval(end.host_port)
    return PortBinding(end.host_ip, str(first + offset), end.sources)
