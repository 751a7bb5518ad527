"""Published ports: intervals of a container's ports and where the host offers them.

An interval stays an interval wherever ports are kept or compared; 10,001 ports in a row are one
object, one line of the record and one element in the kernel. Only what clients read spells them out
one by one, because the Engine API does.
"""

from collections.abc import Iterable, Iterator

from msgspec import Struct

PROTOCOLS = ("tcp", "udp", "sctp")
LAST_PORT = 65535


class PublishedPort(Struct, frozen=True):
    """Ports ``host_first`` to ``host_last`` of the host, which lead to as many of the container.

    ``host_address`` is an address of the host, or empty for every one of both families. Nobody but
    ``sources`` (CIDRs; empty: everybody) may use them.
    """

    protocol: str
    container_first: int
    container_last: int
    host_first: int
    host_last: int
    host_address: str = ""
    sources: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.host_last - self.host_first + 1

    def pairs(self) -> Iterator[tuple[int, int]]:
        """Give the port inside and the one outside, for each."""
        inside = range(self.container_first, self.container_last + 1)
        return zip(inside, range(self.host_first, self.host_last + 1), strict=True)


class PortSpan(Struct, frozen=True, order=True):
    """Ports ``first`` to ``last`` of a container."""

    protocol: str
    first: int
    last: int

    def meets(self, other: "PortSpan") -> bool:
        """Tell whether they have a port in common."""
        return (
            self.protocol == other.protocol
            and self.first <= other.last
            and other.first <= self.last
        )

    def __str__(self) -> str:
        return f"{interval_text(self.first, self.last)}/{self.protocol}"


def interval_text(first: int, last: int) -> str:
    """Write ``80`` or ``80-90``."""
    return str(first) if first == last else f"{first}-{last}"


def parse_interval(text: str) -> tuple[int, int]:
    """Read ``80`` or ``80-90``. ValueError: neither, falling, or beyond 65535."""
    low, dash, high = text.partition("-")
    first, last = _port(low), _port(high if dash else low)
    if first > last:
        raise ValueError(f"invalid port specification: {quoted(text)}")
    return first, last


def _port(text: str) -> int:
    # int() would take signs, spaces, underscores and other scripts' digits.
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= LAST_PORT):
        raise ValueError(f"invalid port specification: {quoted(text)}")
    return int(text)


def quoted(text: str) -> str:
    """Put a word into double quotes for an error."""
    return '"' + text.replace('"', '\\"') + '"'


def joined(intervals: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Give intervals lowest first, those that touch or overlap as one."""
    first, last = 0, -1
    for low, high in sorted(intervals):
        if low <= last + 1 and last >= 0:
            last = max(last, high)
            continue
        if last >= 0:
            yield first, last
        first, last = low, high
    if last >= 0:
        yield first, last
