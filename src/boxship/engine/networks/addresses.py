"""Address management: which subnet a network gets and which address an endpoint gets. Pure.

A subnet nobody asked for is cut from the *address pools*, in their order, past everything that the
host reaches already: the routes of its interfaces (those of Docker's networks among them), its
nameservers, and the other networks.

Addresses are given out lowest first, the lowest free one each time, so that a container that starts
alone always gets what it had before. The network's and the broadcast address, the gateway and the
auxiliary addresses never are. A network of IPv6 has 2^64 of them and more, so what is kept is what
was given out, and where the first gap may be.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)

from boxship.base.errors import ForbiddenError, InvalidArgumentError, UnavailableError
from boxship.engine.networks.record import PoolRecord

Address = IPv4Address | IPv6Address
Subnet = IPv4Network | IPv6Network

_MOST = 2**64 - 1


@dataclass(frozen=True)
class AddressPool:
    """A range that subnets without a wish are cut from, in pieces of ``size`` bits of prefix."""

    base: Subnet
    size: int

    def __str__(self) -> str:
        return f"{self.base} in subnets of /{self.size}"


@dataclass(frozen=True)
class Taken:
    """A subnet that is not free, and whose it is, in words for an error."""

    subnet: Subnet
    by: str

    def __str__(self) -> str:
        return f"{self.subnet} of {self.by}"


# Small ones first: a /24 holds 253 containers, and there are some 3,600 of them before the ranges
# that homes and offices use. The default bridge alone is as wide as Docker's.
BRIDGE_POOLS = (
    AddressPool(ip_network("172.17.0.0/16"), 16),
    AddressPool(ip_network("172.18.0.0/15"), 16),
    AddressPool(ip_network("172.20.0.0/14"), 16),
    AddressPool(ip_network("172.24.0.0/13"), 16),
    AddressPool(ip_network("192.168.0.0/16"), 20),
)
IPV4_POOLS = (
    AddressPool(ip_network("172.18.0.0/15"), 24),
    AddressPool(ip_network("172.20.0.0/14"), 24),
    AddressPool(ip_network("172.24.0.0/13"), 24),
    AddressPool(ip_network("192.168.0.0/16"), 24),
    AddressPool(ip_network("172.17.0.0/16"), 24),
)


def choose_subnet(pools: Sequence[AddressPool], taken: Collection[Taken]) -> Subnet:
    """Return the first piece of the pools that overlaps nothing taken.

    UnavailableError: there is none; it names the pools and some of what stands in the way.
    """
    in_the_way: dict[str, None] = {}
    for pool in pools:
        others = [t for t in taken if t.subnet.version == pool.base.version]
        for piece, conflict in _pieces(pool, others):
            if conflict is None:
                return piece
            in_the_way[str(conflict)] = None
    raise UnavailableError(
        "all predefined address pools have been fully subnetted: "
        f"{'; '.join(map(str, pools)) or 'there are none'}"
        f"{_list_of(tuple(in_the_way))}; ask for another subnet with --subnet, or give the daemon "
        "more of them with --default-address-pool"
    )


def _list_of(conflicts: Sequence[str]) -> str:
    if not conflicts:
        return ""
    more = f" and {len(conflicts) - 5} more" if len(conflicts) > 5 else ""
    return f" (taken: {', '.join(conflicts[:5])}{more})"


def _pieces(pool: AddressPool, taken: Sequence[Taken]) -> Iterator[tuple[Subnet, Taken | None]]:
    """Yield pieces in order, each with what it overlaps; then skip what that covers, too.

    One walk through what is taken, in the order of its addresses: with thousands of networks each
    new one would else be compared with each other one, piece by piece.
    """
    step = 1 << (pool.base.max_prefixlen - pool.size)
    address, end = int(pool.base.network_address), int(pool.base.broadcast_address)
    waiting = sorted(taken, key=lambda t: int(t.subnet.network_address), reverse=True)
    furthest: Taken | None = None
    while address <= end:
        while waiting and int(waiting[-1].subnet.network_address) < address + step:
            furthest = _further(furthest, waiting.pop())
        past = int(furthest.subnet.broadcast_address) + 1 if furthest else 0
        yield _subnet(pool.base.version, address, pool.size), furthest if past > address else None
        address = max(address + step, -(-past // step) * step)


def _further(one: Taken | None, other: Taken) -> Taken:
    if one is None or int(one.subnet.broadcast_address) < int(other.subnet.broadcast_address):
        return other
    return one


def _subnet(version: int, address: int, prefix: int) -> Subnet:
    if version == 4:
        return IPv4Network((address, prefix))
    return IPv6Network((address, prefix))


def overlapping(subnet: Subnet, taken: Iterable[Taken]) -> Taken | None:
    """Return the first of ``taken`` that has an address in common with ``subnet``."""
    for other in taken:
        if other.subnet.version == subnet.version and _overlap(other.subnet, subnet):
            return other
    return None


def _overlap(a: Subnet, b: Subnet) -> bool:
    wider, narrower = (a, b) if a.prefixlen <= b.prefixlen else (b, a)
    shift = wider.max_prefixlen - wider.prefixlen
    return int(wider.network_address) >> shift == int(narrower.network_address) >> shift


def refuse_overlap(subnet: Subnet, networks: Iterable[Taken]) -> None:
    """Raise ForbiddenError, as Docker does, if the subnet is another network's."""
    conflict = overlapping(subnet, networks)
    if conflict is not None:
        raise ForbiddenError(
            "invalid pool request: Pool overlaps with other one on this address space: "
            f"{subnet} overlaps with {conflict}"
        )


def private_range(seed: bytes) -> IPv6Network:
    """Return the unique local /48 (RFC 4193, section 3.2.2) that belongs to ``seed``."""
    global_id = hashlib.sha256(b"boxship ula " + seed).digest()[:5]
    return IPv6Network((b"\xfd" + global_id + bytes(10), 48))


def mac_of(address: IPv4Address) -> str:
    """Return the MAC address that goes with an IPv4 address: ``02:42:ac:11:00:02``."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in address.packed)


class Allocator:
    """The addresses of one pool. Not thread-safe."""

    def __init__(self, pool: PoolRecord) -> None:
        self.subnet = ip_network(pool.subnet)
        given_out = ip_network(pool.ip_range or pool.subnet)
        self._first = int(given_out.network_address)
        self._last = int(given_out.broadcast_address)
        self._used = set(_never_given(self.subnet))
        self._gap = self._first
        """No address of the range below is free."""
        for kept in (pool.gateway, *pool.aux.values()):
            if kept:
                self._used.add(int(ip_address(kept)))

    def __contains__(self, address: Address) -> bool:
        return address in self.subnet

    def lowest(self) -> Address:
        """Take the lowest free address of the range. UnavailableError: none is free."""
        candidate = self._gap
        while candidate in self._used:
            candidate += 1
        self._gap = candidate
        if candidate > self._last:
            raise UnavailableError(f"all of {self._range} are in use")
        self._used.add(candidate)
        return self._address(candidate)

    def take(self, address: Address) -> None:
        """Take this one, of the range or beside it.

        InvalidArgumentError: it is not of the subnet; ForbiddenError (as in Docker): it is in use.
        """
        if address not in self.subnet:
            raise InvalidArgumentError(
                f"invalid address {address}: It does not belong to any of this network's subnets "
                f"({self.subnet})"
            )
        if int(address) in self._used:
            raise ForbiddenError(f"Address already in use: {address}")
        self._used.add(int(address))

    def release(self, address: Address) -> None:
        """Give it back; one that is free already does not matter."""
        number = int(address)
        if number in self._used:
            self._used.discard(number)
            if self._first <= number < self._gap:
                self._gap = number

    @property
    def in_use(self) -> int:
        """How many addresses of the subnet are in use or reserved; at most 2^64 - 1."""
        return min(len(self._used), _MOST)

    @property
    def available(self) -> int:
        """How many can still be given out to whoever asks for none; at most 2^64 - 1."""
        used = sum(1 for number in self._used if self._first <= number <= self._last)
        return min(self._last - self._first + 1 - used, _MOST)

    @property
    def _range(self) -> str:
        return f"{self._address(self._first)} to {self._address(self._last)}"

    def _address(self, number: int) -> Address:
        return IPv4Address(number) if self.subnet.version == 4 else IPv6Address(number)


def _never_given(subnet: Subnet) -> Iterator[int]:
    """Yield the subnet's own address and broadcast; in /31, /127 and single ones there are none."""
    if subnet.prefixlen >= subnet.max_prefixlen - 1:
        return
    yield int(subnet.network_address)
    if subnet.version == 4:  # IPv6 has no broadcast
        yield int(subnet.broadcast_address)


def first_address(pool: PoolRecord) -> Address:
    """Return what a pool's gateway is if nobody says: the lowest address it gives out.

    InvalidArgumentError: it has none.
    """
    try:
        return Allocator(pool).lowest()
    except UnavailableError as error:
        raise InvalidArgumentError(f"failed to allocate gateway: {error}") from error
