"""Published ports: intervals of a container's ports and where the host offers them.

An interval stays an interval wherever ports are kept or compared; 10,001 ports in a row are one
object, one line of the record and one element in the kernel. Only what clients read spells them out
one by one, because the Engine API does.
"""

from collections.abc import Iterator

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
