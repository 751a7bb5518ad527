"""Address management: what holds whatever is asked, in whatever order."""

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from boxship.base.errors import ForbiddenError, InvalidArgumentError, UnavailableError
from boxship.engine.networks.addresses import (
    BRIDGE_POOLS,
    IPV4_POOLS,
    AddressPool,
    Allocator,
    Taken,
    choose_subnet,
    mac_of,
    overlapping,
    private_range,
    refuse_overlap,
)
from boxship.engine.networks.record import PoolRecord

NETWORKS = st.builds(
    lambda address, prefix: IPv4Network((address, prefix), strict=False),
    st.integers(0xAC100000, 0xAC2FFFFF),
    st.integers(13, 32),
)
POOL = (AddressPool(ip_network("172.16.0.0/12"), 24),)


@given(st.lists(NETWORKS, max_size=20))
def test_a_chosen_subnet_overlaps_nothing_and_is_the_first_that_does_not(networks):
    taken = [Taken(network, "somebody") for network in networks]
    try:
        chosen = choose_subnet(POOL, taken)
    except UnavailableError:
        chosen = None
    free = (
        piece
        for piece in ip_network("172.16.0.0/12").subnets(new_prefix=24)
        if not any(piece.overlaps(network) for network in networks)
    )
    assert chosen == next(free, None)


def test_subnets_of_networks_are_small_and_that_of_the_default_bridge_is_dockers():
    assert str(choose_subnet(IPV4_POOLS, ())) == "172.18.0.0/24"
    assert str(choose_subnet(BRIDGE_POOLS, ())) == "172.17.0.0/16"
    docker = [Taken(ip_network("172.17.0.0/16"), "the host's route through docker0")]
    assert str(choose_subnet(BRIDGE_POOLS, docker)) == "172.18.0.0/16"


def test_without_a_free_subnet_the_error_names_what_is_in_the_way():
    pool = (AddressPool(ip_network("10.0.0.0/23"), 24),)
    taken = [Taken(ip_network("10.0.0.0/8"), "the host's route through tun0")]
    with pytest.raises(UnavailableError, match=r"10\.0\.0\.0/23 in subnets of /24.*route through"):
        choose_subnet(pool, taken)


def test_thousands_of_networks_have_subnets():
    taken: list[Taken] = []
    for _ in range(500):
        taken.append(Taken(choose_subnet(IPV4_POOLS, taken), "n"))
    assert len({t.subnet for t in taken}) == 500
    assert str(taken[-1].subnet) == "172.19.243.0/24"


@given(NETWORKS, NETWORKS)
def test_overlap_is_that_of_the_standard_library(a, b):
    assert (overlapping(a, [Taken(b, "b")]) is not None) is a.overlaps(b)


def test_families_do_not_overlap():
    everything = [Taken(ip_network("::/0"), "x")]
    assert overlapping(ip_network("10.0.0.0/8"), everything) is None


def test_an_overlap_is_refused_with_names():
    with pytest.raises(ForbiddenError, match=r"10\.9\.0\.0/16 overlaps with 10\.9\.1\.0/24 of"):
        refuse_overlap(ip_network("10.9.0.0/16"), [Taken(ip_network("10.9.1.0/24"), "network a")])


def test_private_ranges_belong_to_their_engine():
    assert private_range(b"a") == private_range(b"a") != private_range(b"b")
    assert private_range(b"a").subnet_of(IPv6Network("fd00::/8"))
    assert private_range(b"a").prefixlen == 48


def test_mac_addresses_follow_from_addresses():
    assert mac_of(IPv4Address("172.17.0.2")) == "02:42:ac:11:00:02"


@pytest.mark.parametrize(
    ("pool", "first", "count"),
    [
        (PoolRecord("10.0.0.0/30"), "10.0.0.1", 2),
        (PoolRecord("10.0.0.0/31"), "10.0.0.0", 2),
        (PoolRecord("10.0.0.0/29", gateway="10.0.0.1"), "10.0.0.2", 5),
        (PoolRecord("10.0.0.0/29", "10.0.0.4/30"), "10.0.0.4", 3),
        (PoolRecord("10.0.0.0/29", aux={"a": "10.0.0.1", "b": "10.0.0.2"}), "10.0.0.3", 4),
        (PoolRecord("fd00::/126"), "fd00::1", 3),
    ],
)
def test_what_a_subnet_has_to_give(pool, first, count):
    allocator = Allocator(pool)
    assert allocator.available == count
    given_out = [allocator.lowest() for _ in range(count)]
    assert str(given_out[0]) == first
    assert len(set(given_out)) == count
    with pytest.raises(UnavailableError):
        allocator.lowest()
    assert allocator.available == 0


def test_an_address_beside_the_range_can_be_asked_for():
    allocator = Allocator(PoolRecord("10.0.0.0/24", "10.0.0.128/25", "10.0.0.1"))
    allocator.take(ip_address("10.0.0.7"))
    with pytest.raises(ForbiddenError, match=r"Address already in use: 10\.0\.0\.7"):
        allocator.take(ip_address("10.0.0.7"))
    for reserved in ("10.0.0.0", "10.0.0.1", "10.0.0.255"):
        with pytest.raises(ForbiddenError):
            allocator.take(ip_address(reserved))
    for other in ("10.0.1.1", "fd00::1"):
        with pytest.raises(InvalidArgumentError, match="does not belong to any"):
            allocator.take(ip_address(other))
    assert str(allocator.lowest()) == "10.0.0.128"


def test_an_ipv6_subnet_is_not_too_large():
    allocator = Allocator(PoolRecord("fd00::/64", gateway="fd00::1"))
    assert str(allocator.lowest()) == "fd00::2"
    assert allocator.in_use == 3
    assert allocator.available == 2**64 - 3
    assert Allocator(PoolRecord("fd00::/32")).available == 2**64 - 1


class Allocations(RuleBasedStateMachine):
    """Against the simplest model there is: a set of what is in use."""

    held = Bundle("held")

    def __init__(self):
        super().__init__()
        pool = PoolRecord("10.0.0.0/27", "10.0.0.8/29", "10.0.0.9", {"x": "10.0.0.12"})
        self.allocator = Allocator(pool)
        self.used = {ip_address(f"10.0.0.{last}") for last in (0, 9, 12, 31)}
        self.range = [ip_address(f"10.0.0.{last}") for last in range(8, 16)]

    @rule(target=held)
    def lowest(self):
        free = [address for address in self.range if address not in self.used]
        if not free:
            with pytest.raises(UnavailableError):
                self.allocator.lowest()
            return None
        assert self.allocator.lowest() == free[0]
        self.used.add(free[0])
        return free[0]

    @rule(target=held, last=st.integers(0, 31))
    def take(self, last):
        address = ip_address(f"10.0.0.{last}")
        if address in self.used:
            with pytest.raises(ForbiddenError):
                self.allocator.take(address)
            return None
        self.allocator.take(address)
        self.used.add(address)
        return address

    @rule(address=consumes(held))
    def release(self, address):
        if address is not None:
            self.allocator.release(address)
            self.used.discard(address)

    @invariant()
    def counts_are_right(self):
        assert self.allocator.in_use == len(self.used)
        assert self.allocator.available == sum(a not in self.used for a in self.range)


test_any_order_of_allocations = Allocations.TestCase
