"""What the daemon's options make of the network ``bridge``."""

from ipaddress import ip_interface, ip_network

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.networks.addresses import AddressPool, Taken
from boxship.engine.networks.defaultbridge import BridgeSite, check_settings, design
from boxship.engine.networks.interfaces import default_bridge_name, plan
from boxship.engine.settings import AddressPoolSetting, NetworkSettings

ULA = ip_network("fd12:3456:789a::/48")


def bridge(site=None, earlier=None, **settings):
    made = NetworkSettings(**settings)
    check_settings(made)
    site = site or BridgeSite("boxship0", True, private_range=ULA)
    return design(made, site, earlier, 7)


def test_without_any_option_it_is_as_dockers():
    record = bridge()
    assert [(p.subnet, p.gateway) for p in record.ipam] == [("172.17.0.0/16", "172.17.0.1")]
    assert record.options == {
        "com.docker.network.bridge.default_bridge": "true",
        "com.docker.network.bridge.enable_icc": "true",
        "com.docker.network.bridge.enable_ip_masquerade": "true",
        "com.docker.network.bridge.host_binding_ipv4": "0.0.0.0",
        "com.docker.network.bridge.name": "boxship0",
        "com.docker.network.driver.mtu": "1500",
    }
    assert not record.enable_ipv6


def test_beside_docker_it_takes_another_subnet_and_keeps_it():
    taken = [Taken(ip_network("172.17.0.0/16"), "the host's route through docker0")]
    first = bridge(BridgeSite("boxship0", True, taken=taken))
    assert first.ipam[0].subnet == "172.18.0.0/16"
    assert bridge(earlier=first) == first  # docker0 went


def test_a_subnet_that_the_host_came_to_need_is_given_up_unless_the_bridge_is_there():
    first = bridge()
    taken = [Taken(ip_network("172.17.3.0/24"), "the host's route through tun0")]
    assert (
        bridge(BridgeSite("boxship0", True, taken=taken), first).ipam[0].subnet != "172.17.0.0/16"
    )
    there = BridgeSite("boxship0", True, [ip_interface("172.17.0.1/16")], taken)
    assert bridge(there, first).ipam[0].subnet == "172.17.0.0/16"


def test_an_address_of_its_own():
    (pool,) = bridge(bip="10.1.2.3/24").ipam
    assert (pool.subnet, pool.gateway, pool.ip_range) == ("10.1.2.0/24", "10.1.2.3", "")


def test_a_range():
    (pool,) = bridge(bip="10.1.0.1/16", fixed_cidr="10.1.5.0/24").ipam
    assert (pool.subnet, pool.ip_range) == ("10.1.0.0/16", "10.1.5.0/24")
    (pool,) = bridge(fixed_cidr="10.1.5.0/24").ipam
    assert (pool.subnet, pool.gateway) == ("10.1.5.0/24", "10.1.5.1")


def test_another_way_out():
    (pool,) = bridge(bip="10.1.0.1/16", default_gateway="10.1.0.254").ipam
    assert pool.gateway == "10.1.0.1"
    assert pool.aux == {"DefaultGatewayIPv4": "10.1.0.254"}


def test_ipv6():
    _, pool = bridge(ipv6=True).ipam
    assert pool.subnet == "fd12:3456:789a::/64"
    _, pool = bridge(ipv6=True, fixed_cidr_v6="fd00:1::/80").ipam
    assert (pool.subnet, pool.gateway) == ("fd00:1::/80", "fd00:1::1")
    _, pool = bridge(ipv6=True, bip6="fd00:1::5/64", fixed_cidr_v6="fd00:1::/80").ipam
    assert (pool.subnet, pool.gateway, pool.ip_range) == ("fd00:1::/64", "fd00:1::5", "fd00:1::/80")


def test_a_bridge_of_somebody_else():
    site = BridgeSite("br0", False, [ip_interface("10.1.0.9/16")])
    record = bridge(site, bridge="br0")
    assert (record.ipam[0].subnet, record.ipam[0].gateway) == ("10.1.0.0/16", "10.1.0.9")
    assert not plan(record).ours
    with pytest.raises(InvalidArgumentError, match="bridge br0 has no IPv4 address"):
        bridge(BridgeSite("br0", False), bridge="br0")


def test_settings():
    record = bridge(icc=False, ip_masq=False, mtu=1400, host_ip="127.0.0.1")
    assert record.options["com.docker.network.bridge.enable_icc"] == "false"
    assert record.options["com.docker.network.bridge.enable_ip_masquerade"] == "false"
    assert record.options["com.docker.network.bridge.host_binding_ipv4"] == "127.0.0.1"
    assert plan(record).mtu == 1400


def test_configured_pools():
    site = BridgeSite("boxship0", True, pools=[AddressPool(ip_network("10.5.0.0/16"), 24)])
    assert bridge(site).ipam[0].subnet == "10.5.0.0/24"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bip": "10.1.0.1/16", "fixed_cidr": "10.2.0.0/24"}, "doesn't contain ip-range"),
        ({"bip": "10.1.0.1/16", "default_gateway": "10.2.0.1"}, "doesn't contain this address"),
        ({"bip": "10.1.0.1"}, "invalid bip"),
        ({"icc": False, "iptables": False}, "--icc=false needs firewall rules"),
        ({"bridge": "br0", "bip": "10.1.0.1/16"}, "mutually exclusive"),
        ({"address_pools": (AddressPoolSetting("10.0.0.0/24", 31),)}, "size 31"),
        ({"address_pools": (AddressPoolSetting("10.0.0.1/24", 25),)}, "base 10.0.0.1/24"),
        ({"default_options": {"bridge": {"com.docker.network.x": "1"}}}, "no such option"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(InvalidArgumentError, match=message):
        bridge(**settings)


def test_daemons_side_by_side_have_bridges_of_their_own():
    assert default_bridge_name("/run/boxship") == "boxship0"
    assert default_bridge_name("/run/a") != default_bridge_name("/run/b")
    assert len(default_bridge_name("/run/a")) <= 15
