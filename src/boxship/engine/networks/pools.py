"""The subnets a network is asked to have: read, checked and completed; pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from ipaddress import ip_address, ip_network

import msgspec

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.engine.networks.addresses import (
    Address,
    Allocator,
    Subnet,
    Taken,
    first_address,
    refuse_overlap,
)
from boxship.engine.networks.problems import listed
from boxship.engine.networks.record import PoolRecord
from boxship.engine.networks.requests import PoolRequest


def read_pools(requests: Sequence[PoolRequest]) -> tuple[PoolRecord, ...]:
    """Check pools that were asked for, without looking at other networks.

    InvalidArgumentError names every mistake, as Docker does, a line for each.
    """
    problems = [problem for request in requests for problem in _problems(request)]
    if problems:
        raise InvalidArgumentError("invalid network config:\n" + listed(problems))
    pools = tuple(
        PoolRecord(
            str(ip_network(request.subnet)),
            str(ip_network(request.ip_range)) if request.ip_range else "",
            str(ip_address(request.gateway)) if request.gateway else "",
            {name: str(ip_address(address)) for name, address in request.aux.items()},
            chosen=request.chosen,
        )
        for request in requests
        if request.subnet
    )
    _refuse_several(pools)
    return pools


def _refuse_several(pools: Sequence[PoolRecord]) -> None:
    for number, pool in enumerate(pools):
        others = [Taken(ip_network(p.subnet), "this network itself") for p in pools[:number]]
        refuse_overlap(ip_network(pool.subnet), others)


def _problems(request: PoolRequest) -> Iterable[str]:
    if not request.subnet:
        yield "invalid subnet : invalid CIDR block notation"
        return
    subnet = _cidr(request.subnet)
    if subnet is None:
        yield f"invalid subnet {request.subnet}: invalid CIDR block notation"
        return
    if reason := _not_for_containers(subnet):
        yield f"invalid subnet {request.subnet}: {reason}"
        return
    if (canonical := str(subnet)) != request.subnet and subnet != _strict(request.subnet):
        yield f"invalid subnet {request.subnet}: it should be {canonical}"
    yield from _range_problems(request.ip_range, subnet)
    yield from _address_problems("gateway", request.gateway, subnet)
    for name, address in request.aux.items():
        yield from _address_problems("auxiliary address", address or "(empty)", subnet, name)


def _range_problems(text: str, subnet: Subnet) -> Iterable[str]:
    if not text:
        return
    given_out = _cidr(text)
    if given_out is None:
        yield f"invalid ip-range {text}: invalid CIDR block notation"
    elif given_out.version != subnet.version:
        yield f"invalid ip-range {text}: parent subnet is an IPv{subnet.version} block"
    elif given_out != _strict(text):
        yield f"invalid ip-range {text}: it should be {given_out}"
    elif given_out.prefixlen < subnet.prefixlen:
        yield f"invalid ip-range {text}: CIDR block is bigger than its parent subnet {subnet}"
    elif given_out.network_address not in subnet:
        yield f"invalid ip-range {text}: parent subnet {subnet} doesn't contain ip-range"


def _address_problems(what: str, text: str, subnet: Subnet, name: str = "") -> Iterable[str]:
    if not text:
        return
    shown = f"{name}:{text}" if name else text
    try:
        address = ip_address(text)
    except ValueError:
        yield f"invalid {what} {shown}: invalid address"
        return
    if address.version != subnet.version:
        yield f"invalid {what} {shown}: parent subnet is an IPv{subnet.version} block"
    elif address not in subnet:
        yield f"invalid {what} {shown}: parent subnet {subnet} doesn't contain this address"


_SPECIAL = (
    (ip_network("127.0.0.0/8"), "every machine has these addresses for itself"),
    (ip_network("::1/128"), "every machine has this address for itself"),
    (ip_network("224.0.0.0/4"), "these are multicast addresses"),
    (ip_network("ff00::/8"), "these are multicast addresses"),
    (ip_network("fe80::/10"), "these are link-local addresses, which every interface has anyway"),
)


def _not_for_containers(subnet: Subnet) -> str:
    """Return why nobody can be given these addresses; empty if somebody can.

    IPv4's link-local ones may: some images look for a service there.
    """
    return next((reason for block, reason in _SPECIAL if _within(subnet, block)), "")


def _within(subnet: Subnet, block: Subnet) -> bool:
    return (
        subnet.version == block.version
        and subnet.network_address in block
        and subnet.prefixlen >= block.prefixlen
    )


def _cidr(text: str) -> Subnet | None:
    """Read ``address/bits``; host bits may be set. Netmasks are no CIDR blocks."""
    _, _, bits = text.partition("/")
    if not (bits.isascii() and bits.isdigit()):
        return None
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _strict(text: str) -> Subnet | None:
    try:
        return ip_network(text)
    except ValueError:
        return None


def complete(pool: PoolRecord, *, gateway: bool) -> PoolRecord:
    """Fill in the gateway if the network is to have one, and see that all fits together.

    InvalidArgumentError: there is no address for it, or an auxiliary one is the gateway's.
    """
    subnet = ip_network(pool.subnet)
    if gateway and subnet.prefixlen == subnet.max_prefixlen:
        raise InvalidArgumentError(
            f"failed to allocate gateway: subnet {subnet} has one address, and containers need more"
        )
    if gateway and not pool.gateway:
        pool = msgspec.structs.replace(pool, gateway=str(first_address(pool)))
    if clash := _twice(pool):
        raise InvalidArgumentError(
            f"invalid auxiliary address {clash[0]}:{clash[1]}: it is used already in this network"
        )
    return pool


def _twice(pool: PoolRecord) -> tuple[str, str] | None:
    seen: set[Address] = {ip_address(pool.gateway)} if pool.gateway else set()
    for name, text in pool.aux.items():
        address = ip_address(text)
        if address in seen:
            return name, text
        seen.add(address)
    return None


def refuse_taken(pools: Iterable[PoolRecord], networks: Collection[Taken]) -> None:
    """Raise ForbiddenError for a subnet that is (partly) another network's."""
    for pool in pools:
        refuse_overlap(ip_network(pool.subnet), networks)


def at_most_one_each(pools: Sequence[PoolRecord], driver: str) -> None:
    """Raise ForbiddenError for two subnets of one family, where the driver has no use for them."""
    for wants_ipv6 in (False, True):
        if sum(pool.is_ipv6 is wants_ipv6 for pool in pools) > 1:
            raise ForbiddenError(f"{driver} driver doesn't support multiple subnets")


def allocators(pools: Iterable[PoolRecord]) -> Mapping[int, tuple[Allocator, ...]]:
    """Return what gives out a network's addresses, by IP version."""
    made = [Allocator(pool) for pool in pools]
    return {version: tuple(a for a in made if a.subnet.version == version) for version in (4, 6)}
