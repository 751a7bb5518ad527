"""What publishing other ports does to a container: its configuration and what it has. Pure.

Ports are taken away by where they are on the host, as that is what is in the way of somebody. The
configuration changes in the same way, so that the next start does what this change has done; a
binding that left the host's port open is found by what it was given.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import PortChange
from boxship.engine.networks.portwishes import PortWish, exposed_of, span_of, wishes_of, without
from boxship.model.container import ContainerConfig, HostConfig, PortBinding
from boxship.model.ports import PortSpan, PublishedPort, interval_text, parse_interval

_Bound = tuple[PortSpan, PortBinding]


@dataclass(frozen=True)
class PortPlan:
    """``gone`` and ``kept`` are together what it has; ``wishes`` come on top."""

    host: HostConfig
    gone: tuple[PublishedPort, ...] = ()
    kept: tuple[PublishedPort, ...] = ()
    wishes: tuple[PortWish, ...] = ()


@dataclass(frozen=True)
class _Hole:
    """Ports of the host that are to be given up; an empty address: on any."""

    span: PortSpan
    address: str

    def of(self, protocol: str, address: str, first: int, last: int) -> tuple[int, int] | None:
        """Return what of an interval is meant."""
        low, high = max(first, self.span.first), min(last, self.span.last)
        meant = self.span.protocol == protocol and self.address in ("", address)
        return (low, high) if meant and low <= high else None


def plan(record: ContainerRecord, change: PortChange, host_ip: str = "") -> PortPlan:
    """Work out a change. InvalidArgumentError: what is added makes no sense, or is not there."""
    wishes = wishes_of(ContainerConfig(), HostConfig(port_bindings=dict(change.add)), host_ip)
    host, kept, gone = record.host, list(record.ports), []
    for text in change.remove:
        hole = _hole(text)
        host, cut, kept = _without_hole(record, host, kept, hole)
        if not cut and host is record.host:
            raise InvalidArgumentError(f"container {record.name} publishes no port {text}")
        gone += cut
    bindings = dict(host.port_bindings or {})
    for key, ends in change.add.items():
        bindings[key] = (*(bindings.get(key) or ()), *(ends or ()))
    host = msgspec.structs.replace(host, port_bindings=bindings)
    return PortPlan(host, tuple(gone), tuple(kept), wishes)


def _hole(text: str) -> _Hole:
    """Read ``[address:]port[-port][:container port][/protocol]``."""
    body, slash, protocol = text.partition("/")
    address = ""
    if body.startswith("["):
        address, _, body = body[1:].partition("]")
        body = body.removeprefix(":")
    elif body.count(".") == 3:
        address, _, body = body.partition(":")
    try:
        address = str(ipaddress.ip_address(address)) if address else ""
    except ValueError:
        raise InvalidArgumentError(f"invalid IP address: {address}") from None
    return _Hole(span_of(body.partition(":")[0] + slash + protocol), address)


def _without_hole(
    record: ContainerRecord, host: HostConfig, ports: list[PublishedPort], hole: _Hole
) -> tuple[HostConfig, list[PublishedPort], list[PublishedPort]]:
    gone: list[PublishedPort] = []
    kept: list[PublishedPort] = []
    for port in ports:
        meant = hole.of(port.protocol, port.host_address, port.host_first, port.host_last)
        if meant is None:
            kept.append(port)
            continue
        for part in _split(port, *meant):
            (gone if meant[0] <= part.host_first <= meant[1] else kept).append(part)
    bound, found = _cut_bindings(host.port_bindings or {}, hole, gone)
    if not found and gone and host.publish_all_ports:
        bound += _spelled_out(record, host, gone)
        changed = msgspec.structs.replace(host, publish_all_ports=False, port_bindings=_map(bound))
        return changed, gone, kept
    if found:
        host = msgspec.structs.replace(host, port_bindings=_map(bound))
    return host, gone, kept


def _split(port: PublishedPort, low: int, high: int) -> Iterator[PublishedPort]:
    """Give an interval in up to three parts, the middle one from ``low`` to ``high``."""
    step = port.container_first - port.host_first
    for first, last in ((port.host_first, low - 1), (low, high), (high + 1, port.host_last)):
        if first <= last:
            yield msgspec.structs.replace(
                port, host_first=first, host_last=last,
                container_first=first + step, container_last=last + step,
            )  # fmt: skip


def _cut_bindings(
    bindings: Mapping[str, tuple[PortBinding, ...] | None],
    hole: _Hole,
    gone: Iterable[PublishedPort],
) -> tuple[list[_Bound], bool]:
    """Return the bindings that stay, and whether one has to go."""
    stay: list[_Bound] = []
    found = False
    given = tuple(gone)
    for key, ends in bindings.items():
        span = span_of(key)
        for end in ends or ():
            cut = _meant_of(span, end, hole, given)
            found = found or bool(cut)
            stay += _remaining(span, end, cut)
    return stay, found


def _meant_of(
    span: PortSpan, end: PortBinding, hole: _Hole, gone: Iterable[PublishedPort]
) -> list[PortSpan]:
    """Return the container's ports that a binding no longer publishes."""
    first, last = parse_interval(end.host_port.partition("/")[0] or "0")
    if first and last - first == span.last - span.first:
        meant = hole.of(span.protocol, end.host_ip, first, last)
        shift = span.first - first
        return [PortSpan(span.protocol, meant[0] + shift, meant[1] + shift)] if meant else []
    whole = hole.of(span.protocol, end.host_ip, first, last) if first else None
    if whole == (first, last):
        return [span]
    return [
        inside
        for port in gone
        if port.host_address == end.host_ip
        and span.meets(inside := PortSpan(port.protocol, port.container_first, port.container_last))
    ]


def _remaining(span: PortSpan, end: PortBinding, cut: list[PortSpan]) -> Iterator[_Bound]:
    if not cut:
        yield span, end
        return
    first, last = parse_interval(end.host_port.partition("/")[0] or "0")
    steady = not first or last - first != span.last - span.first
    for part in without((span,), cut):
        offset, length = part.first - span.first, part.last - part.first
        text = end.host_port if steady else interval_text(first + offset, first + offset + length)
        yield part, PortBinding(end.host_ip, text, end.sources)


def _spelled_out(
    record: ContainerRecord, host: HostConfig, gone: Iterable[PublishedPort]
) -> Iterator[_Bound]:
    """Give what ``-P`` stands for, but for the ports that go."""
    bound = [span_of(key) for key, ends in (host.port_bindings or {}).items() if ends]
    bound += [PortSpan(port.protocol, port.container_first, port.container_last) for port in gone]
    for span in without(exposed_of(record.config), bound):
        yield span, PortBinding()


def _map(bound: Iterable[_Bound]) -> dict[str, tuple[PortBinding, ...] | None]:
    made: dict[str, tuple[PortBinding, ...] | None] = {}
    for span, end in bound:
        made[str(span)] = (*(made.get(str(span)) or ()), end)
    return made
