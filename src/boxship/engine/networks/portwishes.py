"""What a container's configuration asks of the host's ports. Pure.

``PortBindings`` and ``-P`` become :class:`PortWish`\\ es, one per interval, which know neither what
is free nor where the container's end is. A port that is bound counts as exposed: Docker drops
bindings of ports that ``ExposedPorts`` doesn't name without a word, and nobody has wished for that.
"""

import ipaddress
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.ports import PROTOCOLS, PortSpan, interval_text, joined, parse_interval, quoted


class PortWish(NamedTuple):
    """Ports of a container, and where on the host they are wanted.

    ``host_first`` 0: on any free ones. If the host's interval is the longer one, the container has
    one port, and any of the interval will do. ``host_address`` is empty for every address.
    """

    span: PortSpan
    host_address: str = ""
    host_first: int = 0
    host_last: int = 0
    sources: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Tell whether it says which ports of the host they are to be."""
        wanted = self.host_last - self.host_first == self.span.last - self.span.first
        return self.host_first > 0 and wanted

    def __str__(self) -> str:
        host = interval_text(self.host_first, self.host_last) if self.host_first else ""
        return f"{self.host_address}:{host}:{self.span}"


def wishes_of(config: ContainerConfig, host: HostConfig, host_ip: str = "") -> tuple[PortWish, ...]:
    """Return what is asked for, in the order of protocols and ports.

    ``host_ip`` is where ports are published that don't say it themselves; empty: everywhere.
    InvalidArgumentError: what is asked makes no sense.
    """
    wishes = [
        _wish(span_of(key), end, host_ip)
        for key, ends in (host.port_bindings or {}).items()
        for end in ends or ()
    ]
    if host.publish_all_ports:
        bound = [wish.span for wish in wishes]
        free = without(exposed_of(config), bound)
        wishes += [PortWish(span, host_ip) for span in free]
    return tuple(sorted(wishes))


def exposed_of(config: ContainerConfig, host: HostConfig | None = None) -> tuple[PortSpan, ...]:
    """Return the ports that are said to be listened on; with ``host`` those that are bound, too."""
    exposed = config.exposed_ports
    keys = list(exposed or ()) if exposed is not UNSET else []
    if host is not None:
        keys += host.port_bindings or {}
    return tuple(_united(map(span_of, keys)))


def span_of(key: str) -> PortSpan:
    """Read a key of the maps: ``80``, ``80/tcp``, ``80-90/UDP``. InvalidArgumentError."""
    port, slash, protocol = key.partition("/")
    protocol = protocol.lower() if slash else "tcp"
    if protocol not in PROTOCOLS:
        raise InvalidArgumentError(f"invalid protocol in port specification: {quoted(key)}")
    return PortSpan(protocol, *_interval(port))


def _interval(text: str) -> tuple[int, int]:
    try:
        return parse_interval(text)
    except ValueError as error:
        raise InvalidArgumentError(str(error)) from None


def _wish(span: PortSpan, end: PortBinding, host_ip: str) -> PortWish:
    address = _address(end.host_ip) or host_ip
    # Docker takes a protocol here and ignores it.
    text, _, _ = end.host_port.partition("/")
    first, last = _interval(text) if text else (0, 0)
    if first and last - first != span.last - span.first and span.first != span.last:
        raise InvalidArgumentError(
            f"invalid ranges specified for container and host Ports: "
            f"{interval_text(span.first, span.last)} and {text}"
        )
    if first == 0 and last:
        raise InvalidArgumentError(f"invalid port specification: {quoted(text)}")
    return PortWish(span, address, first, last, _sources(end, address))


def _address(text: str) -> str:
    if not text:
        return ""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise InvalidArgumentError(f"invalid IP address: {text}") from None


def _sources(end: PortBinding, address: str) -> tuple[str, ...]:
    """Return the networks that may use a port, in canonical form."""
    if end.sources is UNSET or not end.sources:
        return ()
    sources = []
    for text in end.sources:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise InvalidArgumentError(
                f"invalid source {quoted(text)} of a published port: expected an address or CIDR"
            ) from None
        if address and ipaddress.ip_address(address).version != network.version:
            raise InvalidArgumentError(
                f"source {text} can never reach a port that is published on {address}"
            )
        sources.append(str(network))
    return tuple(dict.fromkeys(sources))


# ── sets of ports ────────────────────────────────────────────────────────────────────────────


def _united(spans: Iterable[PortSpan]) -> Iterator[PortSpan]:
    by_protocol: dict[str, list[tuple[int, int]]] = {}
    for span in spans:
        by_protocol.setdefault(span.protocol, []).append((span.first, span.last))
    for protocol in sorted(by_protocol):
        for first, last in joined(by_protocol[protocol]):
            yield PortSpan(protocol, first, last)


def without(spans: Iterable[PortSpan], others: Iterable[PortSpan]) -> Iterator[PortSpan]:
    """Give what of ``spans`` isn't in ``others``."""
    holes = tuple(_united(others))
    for span in spans:
        first = span.first
        for hole in holes:
            if hole.protocol != span.protocol or not first <= hole.last:
                continue
            if hole.first > span.last:
                break
            if first < hole.first:
                yield PortSpan(span.protocol, first, hole.first - 1)
            first = hole.last + 1
        if first <= span.last:
            yield PortSpan(span.protocol, first, span.last)
