"""Ports as the list and ``inspect`` show them, each by itself, as the Engine API has them."""

from collections.abc import Callable, Iterator

from msgspec import UNSET

from boxship.engine.containers.ports import closed_ports, host_ends
from boxship.engine.containers.record import ContainerRecord
from boxship.model.ports import PortSpan
from boxship.wire.containers import HostEnd, PortRow


def port_map(record: ContainerRecord) -> dict[str, tuple[HostEnd, ...] | None]:
    """Return ``NetworkSettings.Ports``: ports that are exposed and not published have no ends."""
    shown: dict[str, tuple[HostEnd, ...] | None] = {}
    for span in closed_ports(record):
        shown |= dict.fromkeys(_keys(span))
    for address, port in host_ends(record):
        suffix = f"/{port.protocol}"
        for inside, outside in port.pairs():
            key = f"{inside}{suffix}"
            shown[key] = (*(shown.get(key) or ()), HostEnd(address, str(outside)))
    return shown


def port_rows(
    record: ContainerRecord, decided_by: Callable[[str], str] = lambda _: ""
) -> tuple[PortRow, ...]:
    """Return ``Ports`` of a row of the list; ``decided_by`` knows firewalls by host address."""
    rows = []
    for address, port in host_ends(record):
        sources, firewall = port.sources or UNSET, decided_by(address) or UNSET
        rows += [
            PortRow(address, inside, outside, port.protocol, sources, firewall)
            for inside, outside in port.pairs()
        ]
    rows += [
        PortRow(private_port=number, type=span.protocol)
        for span in closed_ports(record)
        for number in range(span.first, span.last + 1)
    ]
    return tuple(rows)


def _keys(span: PortSpan) -> Iterator[str]:
    return (f"{number}/{span.protocol}" for number in range(span.first, span.last + 1))
