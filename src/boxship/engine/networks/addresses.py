"""Address management: which subnets networks get and which addresses endpoints get. Pure.

A network's addresses are given out lowest first. The network's own address, the broadcast address,
the gateway and the auxiliary addresses never are. An address that was given back is given out
again only after the others of its range had their turn would be Docker's rule for bitmaps; ours is
the lowest free one, so that a single container always finds its old address free.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from boxship.engine.networks.record import PoolRecord
from boxship.engine.networks.requests import PoolRequest

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network


@dataclass(frozen=True)
class AddressPool:
    """A range that subnets without a wish are cut from: ``base`` in pieces of ``size`` bits."""

    base: Subnet
    size: int


@dataclass(frozen=True)
class Taken:
    """A subnet that is not free, and whose it is in words for an error."""

    subnet: Subnet
    by: str


def choose_subnet(pools: Sequence[AddressPool], taken: Collection[Taken]) -> Subnet:
    """Return the first piece of the pools, smallest pieces first, that overlaps nothing taken.

    ConflictError: all are taken; it names the pools and what stands in the way.
    """
    raise NotImplementedError


def resolve(request: PoolRequest, taken: Collection[Taken]) -> PoolRecord:
    """Check a pool that was asked for, and fill in its gateway.

    InvalidArgumentError: no CIDR, a gateway outside of it and so on; ForbiddenError: it overlaps
    another network's.
    """
    raise NotImplementedError


class Allocator:
    """The addresses of one subnet. Not thread-safe."""

    def __init__(self, pool: PoolRecord) -> None:
        raise NotImplementedError

    def lowest(self) -> Address:
        """Take the lowest free address. ConflictError: none is free."""
        raise NotImplementedError

    def take(self, address: Address) -> None:
        """Take this one. InvalidArgumentError: not of the subnet; ConflictError: it is in use."""
        raise NotImplementedError

    def release(self, address: Address) -> None:
        """Give it back; one that is free already does not matter."""
        raise NotImplementedError


def mac_of(address: IPv4Address) -> str:
    """Return the MAC address that goes with an IPv4 address: ``02:42:ac:11:00:02``."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in address.packed)


def private_range(seed: bytes) -> IPv6Network:
    """Return a unique local /48 of RFC 4193 that is always the same for ``seed``."""
    raise NotImplementedError


def overlapping(subnet: Subnet, taken: Iterable[Taken]) -> Taken | None:
    """Return the first of ``taken`` that has an address in common with ``subnet``."""
    raise NotImplementedError
