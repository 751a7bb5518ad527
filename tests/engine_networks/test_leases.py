"""What endpoints may ask, and what they get."""

import pytest

from boxship.base.errors import (
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.networks import wishes
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.leases import Leases
from boxship.engine.networks.making import Surroundings, make
from boxship.engine.networks.record import NetworkRecord, PoolRecord, predefined_id
from boxship.engine.networks.requests import CreateNetwork, PoolRequest, SubnetUse, Tenant
from boxship.engine.networks.wishes import IFNAME, SYSCTLS

ANNA, BERT = Tenant("a" * 64, "anna"), Tenant("b" * 64, "bert")
BRIDGE = NetworkRecord(
    predefined_id("bridge"), "bridge", "bridge", 1, ipam=(PoolRecord("172.17.0.0/16"),)
)


def network(**wish):
    kinds = {"eth0": ""}
    return make(
        CreateNetwork("shop", **wish), Surroundings(kinds=kinds), identity="5" * 64, now_ns=1
    ).record


def small(**wish):
    pools = (PoolRequest("10.9.0.0/29", gateway="10.9.0.1", aux={"x": "10.9.0.2"}),)
    return network(pools=pools, **wish)


def wish(record, **asked):
    return wishes.checked(record, EndpointRecord("", "shop", **asked))


def test_an_endpoint_is_filled_in():
    record = small()
    endpoint = Leases(record).grant(wish(record, aliases=("db",)), ANNA)
    assert (endpoint.ipv4, endpoint.gateway) == ("10.9.0.3/29", "10.9.0.1")
    assert endpoint.mac == "02:42:0a:09:00:03"
    assert (endpoint.ipv6, endpoint.ipv6_gateway) == ("", "")
    assert len(endpoint.endpoint_id) == 64
    assert (endpoint.network_id, endpoint.aliases) == (record.id, ("db",))


def test_both_families():
    record = network(enable_ipv6=True, pools=(PoolRequest("fd00:9::/64"),))
    endpoint = Leases(record).grant(wish(record, ipv6_asked="fd00:9:0::77"), ANNA)
    assert endpoint.ipv4 == "172.18.0.2/24"
    assert (endpoint.ipv6, endpoint.ipv6_gateway) == ("fd00:9::77/64", "fd00:9::1")


def test_ipv6_alone_has_a_mac_address_of_its_own():
    record = network(enable_ipv4=False, enable_ipv6=True)
    first, second = (Leases(record).grant(wish(record), who) for who in (ANNA, BERT))
    assert first.mac != second.mac
    assert first.mac.startswith("02:42:")


def test_an_internal_network_has_no_way_out():
    record = small(internal=True)
    assert Leases(record).grant(wish(record), ANNA).gateway == ""


def test_addresses_and_macs_that_are_asked_for():
    record = small()
    leases = Leases(record)
    endpoint = leases.grant(
        wish(record, ipv4_asked="10.9.0.5", mac_asked="0A-1B-2C-3D-4E-5F"), ANNA
    )
    assert (endpoint.ipv4, endpoint.mac) == ("10.9.0.5/29", "0a:1b:2c:3d:4e:5f")
    with pytest.raises(ForbiddenError, match=r"Address already in use: 10\.9\.0\.5"):
        leases.grant(wish(record, ipv4_asked="10.9.0.5"), BERT)
    leases.end(endpoint.endpoint_id)
    leases.grant(wish(record, ipv4_asked="10.9.0.5"), BERT)


def test_a_full_network_says_which_and_gives_nothing_away():
    record = network(enable_ipv6=True, pools=(PoolRequest("10.9.0.0/30"), PoolRequest("fd00::/64")))
    leases = Leases(record)
    leases.grant(wish(record), ANNA)
    with pytest.raises(UnavailableError, match=rf"no available IPv4.*pools: shop \({record.id}\)"):
        leases.grant(wish(record), BERT)
    assert leases.usage()[0] == SubnetUse("10.9.0.0/30", 4, 0)
    assert leases.usage()[1].in_use == 3  # itself, the gateway, anna


def test_what_fails_for_one_family_gives_back_the_other():
    record = network(enable_ipv6=True, pools=(PoolRequest("10.9.0.0/24"), PoolRequest("fd00::/64")))
    leases = Leases(record)
    leases.grant(wish(record, ipv6_asked="fd00::9"), ANNA)
    with pytest.raises(ForbiddenError):
        leases.grant(wish(record, ipv6_asked="fd00::9"), BERT)
    assert leases.grant(wish(record), BERT).ipv4 == "10.9.0.3/24"


def test_an_earlier_daemons_endpoint_is_taken_over():
    record = small()
    endpoint = Leases(record).grant(wish(record), ANNA)
    leases = Leases(record)
    leases.adopt(endpoint, ANNA)
    assert [lease.tenant for lease in leases] == [ANNA]
    assert leases.grant(wish(record), BERT).ipv4 == "10.9.0.4/29"
    with pytest.raises(ForbiddenError):
        leases.adopt(endpoint, BERT)


def test_a_new_name_is_shown():
    record = small()
    leases = Leases(record)
    leases.grant(wish(record), ANNA)
    leases.rename(ANNA.id, "annika")
    assert [lease.tenant.name for lease in leases] == ["annika"]


def test_another_way_out_than_the_bridge():
    pool = PoolRecord(
        "172.17.0.0/16", gateway="172.17.0.1", aux={"DefaultGatewayIPv4": "172.17.0.9"}
    )
    record = NetworkRecord(BRIDGE.id, "bridge", "bridge", 1, ipam=(pool,))
    assert Leases(record).grant(wish(record), ANNA).gateway == "172.17.0.9"


@pytest.mark.parametrize(
    ("driver", "chosen", "mac", "gateway"),
    [
        ("macvlan", {"parent": "eth0"}, "02:42:0a:09:00:03", "10.9.0.1"),
        ("macvlan", {}, "02:42:0a:09:00:03", ""),
        ("ipvlan", {"parent": "eth0"}, "", "10.9.0.1"),
    ],
)
def test_networks_on_a_parent(driver, chosen, mac, gateway):
    record = small(driver=driver, options=chosen)
    endpoint = Leases(record).grant(wish(record), ANNA)
    assert (endpoint.mac, endpoint.gateway) == (mac, gateway)


def test_host_and_none_have_no_addresses():
    record = NetworkRecord(predefined_id("host"), "host", "host", 1)
    endpoint = Leases(record).grant(wish(record), ANNA)
    assert endpoint.endpoint_id
    assert (endpoint.mac, endpoint.ipv4, endpoint.gateway) == ("", "", "")


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"ipv4_asked": "10.8.0.1"}, "no configured subnet or ip-range contain the IP address"),
        ({"ipv4_asked": "nope"}, "invalid IPv4 address: nope"),
        ({"ipv4_asked": "fd00::1"}, "invalid IPv4 address: fd00::1"),
        ({"ipv6_asked": "fd00::1"}, "no configured subnet or ip-range contain the IP address fd00"),
        ({"link_local": ("10.0.0.1",)}, "invalid link-local IP address: 10.0.0.1"),
        ({"mac_asked": "nonsense"}, "invalid MAC address: nonsense"),
        ({"mac_asked": "01:00:5e:00:00:01"}, "invalid MAC address: 01:00:5e"),
        ({"mac_asked": "00:00:00:00:00:00"}, "invalid MAC address"),
        ({"aliases": ("a b",)}, "invalid network-scoped alias: 'a b'"),
        ({"links": ("a:b:c",)}, "invalid link 'a:b:c'"),
        ({"driver_opts": {"com.docker.network.x": "1"}}, "invalid driver option com.docker.netw"),
        ({"driver_opts": {IFNAME: "a/b"}}, "is no name for an interface"),
        ({"driver_opts": {IFNAME: "ä" * 8}}, "is no name for an interface"),
        ({"driver_opts": {SYSCTLS: "kernel.panic=1"}}, "is not net.X.Y.IFNAME.Z=value"),
    ],
)
def test_what_cannot_be_had(asked, message):
    with pytest.raises(InvalidArgumentError, match=message):
        wish(small(), **asked)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("10.9.0.1", "already in use: 10.9.0.1 is the gateway of network shop"),
        ("10.9.0.2", "already in use: 10.9.0.2 is kept for x"),
        ("10.9.0.0", "already in use: 10.9.0.0 stands for the whole subnet 10.9.0.0/29"),
        ("10.9.0.7", "already in use: 10.9.0.7 stands for the whole subnet 10.9.0.0/29"),
    ],
)
def test_what_nobody_can_have(address, message):
    with pytest.raises(ForbiddenError, match=message):
        wish(small(), ipv4_asked=address)


@pytest.mark.parametrize(
    ("record", "asked", "message"),
    [
        (BRIDGE, {"ipv4_asked": "172.17.0.9"}, "supported on user defined networks only"),
        (BRIDGE, {"aliases": ("x",)}, "only for containers in user defined networks"),
        (network(), {"ipv4_asked": "172.18.0.9"}, "networks with user configured subnets"),
    ],
)
def test_what_some_networks_do_not_give(record, asked, message):
    with pytest.raises(InvalidArgumentError, match=message):
        wish(record, **asked)


def test_nobody_can_be_on_a_configuration_network():
    with pytest.raises(ForbiddenError, match="shop is a configuration network"):
        wish(network(config_only=True))


def test_a_network_that_is_gone(shop):
    async def look(networks):
        with pytest.raises(NotFoundError, match="network nope not found"):
            networks.check_wish(EndpointRecord("", "nope"))
        with pytest.raises(NotFoundError, match=f"network {'9' * 64} not found"):
            networks.lease(EndpointRecord("9" * 64, "gone"), ANNA)
        networks.release(EndpointRecord("9" * 64, "gone", endpoint_id="x"))

    shop.run(look)
