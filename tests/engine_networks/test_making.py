"""What becomes of a wish for a network: subnets, options, interfaces, and everything refused."""

from ipaddress import ip_network

import pytest

from boxship.base.errors import (
    ConflictError,
    ForbiddenError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.networks import options
from boxship.engine.networks.addresses import AddressPool, Taken
from boxship.engine.networks.interfaces import Kind, plan, vlan_of
from boxship.engine.networks.making import Surroundings, check_name, make
from boxship.engine.networks.requests import CreateNetwork, PoolRequest

ID = "0123456789abcdef" * 4
NAME, MTU = options.NAME, options.MTU


def made(request=None, around=None, **wish):
    request = request or CreateNetwork("web", **wish)
    return make(request, around or Surroundings(), identity=ID, now_ns=7)


def network(name, identity="f" * 64, **wish):
    return make(CreateNetwork(name, **wish), Surroundings(), identity=identity, now_ns=1).record


def subnet(*texts, **more):
    return tuple(PoolRequest(text, **more) for text in texts)


def test_a_plain_network():
    record = made().record
    assert (record.driver, record.interface, record.owns_interface) == (
        "bridge",
        "br-0123456789ab",
        True,
    )
    (pool,) = record.ipam
    assert (pool.subnet, pool.gateway, pool.chosen) == ("172.18.0.0/24", "172.18.0.1", True)
    bridge = plan(record)
    assert bridge.mac == "02:42:ac:12:00:01"
    assert [str(address) for address in bridge.addresses] == ["172.18.0.1/24"]
    assert not bridge.ipv6


def test_ipv6_gets_a_private_range_of_its_own():
    ipv4, ipv6 = made(enable_ipv6=True).record.ipam
    assert not ipv4.is_ipv6
    assert ip_network(ipv6.subnet).subnet_of(ip_network("fd00::/48"))
    assert ip_network(ipv6.subnet).prefixlen == 64
    assert ipv6.gateway.endswith("::1")
    around = Surroundings(networks=[network("a", enable_ipv6=True)])
    other = made(around=around, enable_ipv6=True)
    assert other.record.ipam[1].subnet != ipv6.subnet


def test_ipv6_alone():
    record = made(enable_ipv4=False, enable_ipv6=True).record
    assert [pool.is_ipv6 for pool in record.ipam] == [True]
    assert plan(record).mac == "02:42:01:23:45:67"
    with pytest.raises(InvalidArgumentError, match="IPv4 or IPv6 must be enabled"):
        made(enable_ipv4=False)


def test_subnets_that_are_asked_for():
    pools = (
        PoolRequest("10.9.0.0/16", "10.9.5.0/24", "10.9.5.254", {"printer": "10.9.5.1"}),
        PoolRequest("FD00:0009::/64"),
    )
    ipv4, ipv6 = made(pools=pools, enable_ipv6=True).record.ipam
    assert ipv4.gateway == "10.9.5.254"
    assert ipv4.aux == {"printer": "10.9.5.1"}
    assert (ipv6.subnet, ipv6.gateway) == ("fd00:9::/64", "fd00:9::1")
    assert not ipv4.chosen


def test_a_gateway_nobody_asked_for_is_the_first_address_of_the_range_as_in_docker():
    record = made(pools=(PoolRequest("10.99.0.0/29", "10.99.0.4/30"),)).record
    assert record.ipam[0].gateway == "10.99.0.4"


def test_a_size_without_an_address_is_a_free_subnet_of_that_size():
    record = made(pools=subnet("0.0.0.0/26")).record
    assert record.ipam[0].subnet == "172.18.0.0/26"


def test_configured_pools_come_in_place_of_the_built_in_ones():
    around = Surroundings(pools=[AddressPool(ip_network("10.10.0.0/16"), 28)])
    assert made(around=around).record.ipam[0].subnet == "10.10.0.0/28"


def test_the_host_is_avoided_and_a_person_who_knows_better_is_told():
    host = [Taken(ip_network("172.18.0.0/23"), "the host's route through tun0")]
    around = Surroundings(host=host)
    assert made(around=around).record.ipam[0].subnet == "172.18.2.0/24"
    result = made(around=around, pools=subnet("172.18.1.0/24"))
    assert result.record.ipam[0].subnet == "172.18.1.0/24"
    assert result.warnings == (
        "subnet 172.18.1.0/24 overlaps with 172.18.0.0/23 of the host's route through tun0",
    )


def test_a_subnet_of_a_family_that_is_off_is_left_out_and_told():
    result = made(pools=subnet("10.9.0.0/24", "fd00::/64"))
    assert [pool.subnet for pool in result.record.ipam] == ["10.9.0.0/24"]
    assert result.warnings[0].startswith("subnet fd00::/64 is not used: IPv6 is not enabled")


@pytest.mark.parametrize(
    ("pool", "problem"),
    [
        (PoolRequest("nonsense"), "invalid subnet nonsense: invalid CIDR block notation"),
        (PoolRequest("10.9.0.0"), "invalid subnet 10.9.0.0: invalid CIDR block notation"),
        (PoolRequest("10.9.0.0/33"), "invalid subnet 10.9.0.0/33: invalid CIDR block notation"),
        (PoolRequest("10.9.0.0/255.255.0.0"), "invalid CIDR block notation"),
        (PoolRequest("10.9.0.1/24"), "invalid subnet 10.9.0.1/24: it should be 10.9.0.0/24"),
        (PoolRequest("10.9.0.0/24", "x"), "invalid ip-range x: invalid CIDR block notation"),
        (PoolRequest("10.9.0.0/24", "10.9.0.9/25"), "it should be 10.9.0.0/25"),
        (PoolRequest("10.9.0.0/24", "10.9.0.0/16"), "bigger than its parent subnet 10.9.0.0/24"),
        (PoolRequest("10.9.0.0/24", "10.8.0.0/25"), "10.9.0.0/24 doesn't contain ip-range"),
        (PoolRequest("10.9.0.0/24", "fd00::/80"), "parent subnet is an IPv4 block"),
        (PoolRequest("10.9.0.0/24", gateway="x"), "invalid gateway x: invalid address"),
        (PoolRequest("10.9.0.0/24", gateway="10.8.0.1"), "doesn't contain this address"),
        (PoolRequest("10.9.0.0/24", gateway="fd00::1"), "parent subnet is an IPv4 block"),
        (PoolRequest("10.9.0.0/24", aux={"a": "x"}), "invalid auxiliary address a:x"),
        (PoolRequest("10.9.0.0/24", aux={"a": "10.8.0.1"}), "invalid auxiliary address a:10.8.0.1"),
        (PoolRequest("10.9.0.0/24", aux={"a": "10.9.0.1"}, gateway="10.9.0.1"), "used already"),
        (PoolRequest(gateway="10.9.0.1"), "invalid subnet : invalid CIDR block notation"),
        (PoolRequest("10.9.0.0/32"), "10.9.0.0/32 has one address"),
        (PoolRequest("127.0.0.0/8"), "invalid subnet 127.0.0.0/8: every machine has these"),
        (PoolRequest("127.9.0.0/16"), "invalid subnet 127.9.0.0/16: every machine has these"),
        (PoolRequest("239.1.0.0/16"), "these are multicast addresses"),
        (PoolRequest("ff00::/8"), "these are multicast addresses"),
        (PoolRequest("fe80::/64"), "these are link-local addresses"),
    ],
)
def test_bad_subnets(pool, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        made(pools=(pool,))


def test_every_mistake_is_named_at_once():
    pools = (PoolRequest("x"), PoolRequest("10.9.0.0/24", "y", "z"))
    with pytest.raises(InvalidArgumentError) as caught:
        made(pools=pools)
    assert str(caught.value).count("\n") == 3


def test_overlaps_are_forbidden():
    around = Surroundings(networks=[network("a", pools=subnet("10.9.0.0/24"))])
    with pytest.raises(ForbiddenError, match=r"Pool overlaps.*10\.9\.0\.0/24 of network a"):
        made(around=around, pools=subnet("10.0.0.0/8"))
    with pytest.raises(ForbiddenError, match="Pool overlaps"):
        made(pools=subnet("10.9.0.0/24", "10.9.0.0/25"))
    with pytest.raises(ForbiddenError, match="bridge driver doesn't support multiple subnets"):
        made(pools=subnet("10.8.0.0/24", "10.9.0.0/24"))


@pytest.mark.parametrize(
    ("wish", "error", "message"),
    [
        ({"driver": "nope"}, NotFoundError, 'plugin "nope" not found'),
        ({"driver": "host"}, ForbiddenError, 'only one instance of "host" network is allowed'),
        ({"driver": "null"}, ForbiddenError, 'only one instance of "null" network is allowed'),
        ({"driver": "overlay"}, UnavailableError, "This node is not a swarm manager"),
        ({"scope": "swarm"}, ForbiddenError, "cannot create a swarm scoped network"),
        ({"scope": "global"}, UnavailableError, "This node is not a swarm manager"),
        ({"scope": "x"}, InvalidArgumentError, "invalid scope x"),
        ({"ingress": True}, ForbiddenError, "Ingress network can only be global"),
        ({"ipam_driver": "nope"}, NotFoundError, 'plugin "nope" not found'),
        ({"config_from": "x"}, NotFoundError, 'configuration network "x" does not exist'),
        ({"config_only": True, "config_from": "x"}, ForbiddenError, "cannot depend on another"),
        ({"config_only": True, "internal": True}, ForbiddenError, "network specific fields"),
        (
            {"options": {options.MODE_IPV4: "isolated"}},
            InvalidArgumentError,
            "can only be used for an internal network",
        ),
    ],
)
def test_refusals(wish, error, message):
    with pytest.raises(error, match=message):
        made(**wish)


@pytest.mark.parametrize("name", ["", "  ", "container:x"])
def test_bad_names(name):
    with pytest.raises(InvalidArgumentError, match="invalid name"):
        check_name(name)


@pytest.mark.parametrize("name", ["bridge", "host", "none", "default"])
def test_predefined_names(name):
    with pytest.raises(ForbiddenError, match=f"not permitted on predefined {name} network"):
        check_name(name)


def test_configuration_networks():
    template = network("template", config_only=True, pools=subnet("10.9.0.0/24"), labels={"a": "b"})
    assert (template.driver, plan(template)) == ("null", None)
    around = Surroundings(networks=[template])
    record = made(around=around, config_from="template").record
    assert record.ipam[0].subnet == "10.9.0.0/24"
    assert record.labels == {"a": "b"}
    assert record.config_from == "template"
    with pytest.raises(ForbiddenError, match="user specified configurations are not supported"):
        made(around=around, config_from="template", labels={"c": "d"})


def test_the_daemons_default_options():
    around = Surroundings(default_options={"bridge": {MTU: "1400", options.ENABLE_IPV6: "true"}})
    record = made(around=around).record
    assert record.enable_ipv6
    assert plan(record).mtu == 1400
    assert plan(made(around=around, options={MTU: "1300"}).record).mtu == 1300
    assert not made(around=around, enable_ipv6=False).record.enable_ipv6


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (options.ICC, "maybe", "failed to parse .*enable_icc value: maybe"),
        (options.MASQUERADE, "", "failed to parse .*enable_ip_masquerade"),
        (MTU, "big", "failed to parse com.docker.network.driver.mtu value: big"),
        (MTU, "67", "68 to 65535"),
        (NAME, "waytoolongnameforaninterface", "1 to 15 characters"),
        (NAME, "a/b", "1 to 15 characters"),
        (options.MODE_IPV4, "magic", "unknown gateway mode magic"),
        (options.HOST_IPV4, "fd00::1", "not such an address"),
        (options.HOST_BINDING_IPV4, "x", "not such an address"),
        (options.PREFIX_INSIDE, "eth0/", "such as eth"),
        (options.TRUSTED_INTERFACES, "eth0:a b", "1 to 15 characters"),
        (options.DEFAULT_BRIDGE, "true", 'only the predefined network "bridge"'),
        ("com.docker.network.nonsense", "1", "the bridge driver has no such option"),
    ],
)
def test_bad_options(name, value, message):
    with pytest.raises(InvalidArgumentError, match=message):
        made(options={name: value})


def test_what_only_a_firewall_can_do_needs_one():
    wish = {"options": {options.ICC: "false"}}
    made(**wish)
    with pytest.raises(InvalidArgumentError, match="enable_icc=false needs firewall rules"):
        made(around=Surroundings(firewall=False), **wish)


def test_it_is_told_that_an_internal_network_is_not_fenced_without_a_firewall():
    assert made(internal=True).warnings == ()
    (warning,) = made(around=Surroundings(firewall=False), internal=True).warnings
    assert "--iptables=false" in warning
    assert "internal" in warning


def test_options_of_others_are_kept_and_told():
    result = made(options={"com.example": "x"})
    assert result.record.options == {"com.example": "x"}
    assert result.warnings == ("option com.example has no effect with the bridge driver",)


OF_DOCKER = """
    advertise_addr_ms advertise_addr_nmsgs bridge.default_bridge bridge.enable_icc
    bridge.enable_ip_masquerade bridge.gateway_mode_ipv4 bridge.gateway_mode_ipv6
    bridge.host_binding_ipv4 bridge.inhibit_ipv4 bridge.name bridge.trusted_host_interfaces
    container_iface_prefix driver driver.mtu driver.overlay.vxlanid_list driver.private
    driver.private.no_proxy_6to4 enable_ipv4 enable_ipv6 endpoint.dnsservers endpoint.exposedports
    endpoint.ifname endpoint.macaddress endpoint.name endpoint.sysctls gateway generic host_ipv4
    host_ipv6 internal portmap
"""
"""All options below ``com.docker.network`` that Docker 29 has words for."""


def test_no_option_of_docker_is_unknown():
    known = {name for names in options.KNOWN.values() for name in names} | set(options.REFUSED)
    assert {options.PREFIX + word for word in OF_DOCKER.split()} - known == set()


def test_bridges_of_other_names():
    around = Surroundings(kinds={"br0": "bridge", "eth0": "", "mine": "bridge"}, ours={"mine"})
    record = made(around=around, options={NAME: "br0"}).record
    assert (record.interface, record.owns_interface) == ("br0", False)
    assert made(around=around, options={NAME: "mine"}).record.owns_interface
    assert made(around=around, options={NAME: "new"}).record.owns_interface
    with pytest.raises(InvalidArgumentError, match="existing interface eth0 is not a bridge"):
        made(around=around, options={NAME: "eth0"})
    taken = Surroundings(networks=[network("a", options={NAME: "br9"})])
    with pytest.raises(ConflictError, match="br9 is already used by network a"):
        made(around=taken, options={NAME: "br9"})


def test_who_has_the_gateways_address():
    inhibited = made(options={options.INHIBIT_IPV4: "true"}).record
    assert inhibited.ipam[0].gateway
    assert plan(inhibited).addresses == ()
    isolated = made(internal=True, options={options.MODE_IPV4: "isolated"}).record
    assert isolated.ipam[0].gateway == ""
    assert plan(isolated).addresses == ()


class TestParents:
    around = Surroundings(kinds={"eth0": "", "lo": ""})

    def test_a_parent_of_the_host_stays_the_hosts(self):
        record = made(around=self.around, driver="macvlan", options={"parent": "eth0"}).record
        assert (record.interface, plan(record)) == ("eth0", None)

    def test_a_vlan_is_made(self):
        record = made(around=self.around, driver="macvlan", options={"parent": "eth0.10"}).record
        vlan = plan(record)
        assert (vlan.kind, vlan.name, vlan.parent, vlan.tag) == (Kind.VLAN, "eth0.10", "eth0", 10)

    def test_without_a_parent_there_is_one_that_leads_nowhere(self):
        record = made(driver="ipvlan").record
        assert (plan(record).kind, record.interface) == (Kind.DUMMY, "dm-0123456789ab")

    @pytest.mark.parametrize(
        ("parent", "message"),
        [
            ("nope0", "invalid subinterface vlan name nope0, example formatting is eth0.10"),
            ("nope0.10", "failed to find master interface nope0"),
            ("lo", "loopback interface is not a valid macvlan parent link"),
        ],
    )
    def test_bad_parents(self, parent, message):
        with pytest.raises(InvalidArgumentError, match=message):
            made(around=self.around, driver="macvlan", options={"parent": parent})

    @pytest.mark.parametrize(
        ("driver", "chosen", "message"),
        [
            ("macvlan", {"macvlan_mode": "weird"}, "requested macvlan mode 'weird' is not valid"),
            ("ipvlan", {"ipvlan_mode": "l9"}, "requested ipvlan mode 'l9' is not valid"),
            ("ipvlan", {"ipvlan_flag": "x"}, "requested ipvlan flag 'x' is not valid"),
            ("macvlan", {options.ICC: "false"}, "belongs to the bridge driver, not to macvlan"),
        ],
    )
    def test_bad_options(self, driver, chosen, message):
        with pytest.raises(InvalidArgumentError, match=message):
            made(around=self.around, driver=driver, options=chosen)

    def test_one_parent_carries_one_kind(self):
        first = make(
            CreateNetwork("a", driver="macvlan", options={"parent": "eth0"}),
            self.around,
            identity="f" * 64,
            now_ns=1,
        ).record
        around = Surroundings(networks=[first], kinds=self.around.kinds)
        made(around=around, driver="macvlan", options={"parent": "eth0"})
        for wish in (
            {"driver": "ipvlan", "options": {"parent": "eth0"}},
            {"driver": "macvlan", "options": {"parent": "eth0", "macvlan_mode": "passthru"}},
        ):
            with pytest.raises(ForbiddenError, match="a is already using parent interface eth0"):
                made(around=around, **wish)

    def test_a_routing_ipvlan_has_no_gateway(self):
        record = made(driver="ipvlan", options={"ipvlan_mode": "l3"}).record
        assert record.ipam[0].gateway == ""

    def test_several_subnets(self):
        record = made(driver="macvlan", pools=subnet("10.8.0.0/24", "10.9.0.0/24")).record
        assert [pool.gateway for pool in record.ipam] == ["10.8.0.1", "10.9.0.1"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("eth0.10", ("eth0", 10)),
        ("a.b.4094", ("a.b", 4094)),
        ("eth0", None),
        ("eth0.", None),
        ("eth0.0", None),
        ("eth0.4095", None),
        (".10", None),
    ],
)
def test_names_of_vlans(name, expected):
    assert vlan_of(name) == expected


def test_options_of_the_ipam_driver_are_kept_and_told():
    result = made(ipam_options={"b": "1", "a": "2"})
    assert result.record.ipam_options == {"b": "1", "a": "2"}
    assert result.warnings == (
        "IPAM option a has no effect with the default IPAM driver",
        "IPAM option b has no effect with the default IPAM driver",
    )
