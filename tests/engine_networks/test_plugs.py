"""What a container's endpoints come to: interfaces, routes, names and the firewall's facts."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_interface

import msgspec
import pytest

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.facts import facts_of
from boxship.engine.networks.names import link_names, member_of, needs_names, view_of
from boxship.engine.networks.plug import (
    Link,
    Plug,
    Upstreams,
    dns_names,
    named,
    nic_of,
    routes,
)
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import Tenant
from boxship.model.ports import PublishedPort
from boxship.net.firewall.facts import EgressPolicy, EgressRule, Linked, Published, Station
from boxship.net.sandbox import Route

WEB = Tenant("a" * 64, "web")
ANY, ANY6 = IPv4Network("0.0.0.0/0"), IPv6Network("::/0")


def network(name: str, driver: str = "bridge", **fields: object) -> NetworkRecord:
    record = NetworkRecord(f"id-{name}", name, driver, 0, interface=f"br-{name}")
    return msgspec.structs.replace(record, **fields)


RECORDS = {
    record.id: record
    for record in (
        network("bridge"),
        network("alpha"),
        network("beta"),
        network("inner", internal=True),
        network("still", options={"com.docker.network.bridge.enable_icc": "false"}),
        network("lan", "macvlan", options={"macvlan_mode": "vepa"}),
        network("routed", "ipvlan", options={"ipvlan_mode": "l3"}),
        network("none", "null"),
    )
}


def endpoint(name: str, number: int = 2, **fields: object) -> EndpointRecord:
    leased = EndpointRecord(
        f"id-{name}",
        name,
        endpoint_id=f"{name:0<7}"[:7] + "0" * 57,
        mac=f"02:42:0a:00:00:{number:02x}",
        ipv4=f"10.0.0.{number}/24",
        gateway="10.0.0.1",
    )
    return msgspec.structs.replace(leased, **fields)


# ── interfaces ───────────────────────────────────────────────────────────────────────────────


def test_interfaces_are_numbered_from_the_lowest_that_is_free() -> None:
    had = endpoint("alpha", interface="eth1", host_interface="vethx")
    found = named([had, endpoint("bridge"), endpoint("beta")], RECORDS)
    assert [e.interface for e in found] == ["eth1", "eth0", "eth2"]
    assert found[1].host_interface == "vethbridge0"


def test_an_endpoint_may_choose_the_name_of_its_interface() -> None:
    asked = {"com.docker.network.endpoint.ifname": "eth0"}
    found = named([endpoint("alpha"), endpoint("beta", driver_opts=asked)], RECORDS)
    assert [e.interface for e in found] == ["eth1", "eth0"]


def test_a_network_may_have_a_prefix_of_its_own() -> None:
    record = network("alpha", options={"com.docker.network.container_iface_prefix": "net"})
    (found,) = named([endpoint("alpha")], {record.id: record})
    assert found.interface == "net0"


def test_no_interface_for_none_and_no_host_end_for_macvlan() -> None:
    nothing, lan = named([endpoint("none"), endpoint("lan")], RECORDS)
    assert (nothing.interface, nothing.host_interface) == ("", "")
    assert (lan.interface, lan.host_interface) == ("eth0", "")


@pytest.mark.option(
    "NetworkingConfig.EndpointsConfig.*.IPAMConfig.LinkLocalIPs",
    "NetworkingConfig.EndpointsConfig.*.DriverOpts",
)
def test_interface_of_a_bridge() -> None:
    wish = endpoint(
        "still",
        interface="eth0",
        host_interface="veth1",
        ipv6="fd00::2/64",
        link_local=("169.254.7.7",),
        driver_opts={
            "com.docker.network.endpoint.sysctls": "net.ipv4.conf.IFNAME.log_martians=1,"
            "net.ipv4.conf.IFNAME.forwarding=0"
        },
    )
    nic = nic_of(wish, RECORDS["id-still"])
    assert (nic.kind, nic.attach_to, nic.name) == ("veth", "br-still", "eth0")
    assert nic.addresses == tuple(
        map(ip_interface, ("10.0.0.2/24", "fd00::2/64", "169.254.7.7/16"))
    )
    assert nic.sysctls == (
        ("net.ipv4.conf.IFNAME.log_martians", "1"),
        ("net.ipv4.conf.IFNAME.forwarding", "0"),
    )


def test_interfaces_on_a_parent() -> None:
    lan = nic_of(endpoint("lan", interface="eth0"), RECORDS["id-lan"])
    assert (lan.kind, lan.mode, lan.mac) == ("macvlan", "vepa", "02:42:0a:00:00:02")
    routed = nic_of(endpoint("routed", interface="eth0"), RECORDS["id-routed"])
    assert (routed.kind, routed.mode, routed.mac) == ("ipvlan", "l3/bridge", "")


# ── routes ───────────────────────────────────────────────────────────────────────────────────


def way(*endpoints: EndpointRecord) -> list[tuple[object, str]]:
    numbered = named(endpoints, RECORDS)
    return [(route.destination, route.nic) for route in routes(numbered, RECORDS)]


def test_default_route_leads_through_the_first_network_by_name() -> None:
    assert way(endpoint("beta"), endpoint("alpha")) == [(ANY, "eth1")]


def test_default_route_follows_priorities() -> None:
    assert way(endpoint("alpha"), endpoint("beta", gw_priority=1)) == [(ANY, "eth1")]
    assert way(endpoint("alpha", gw_priority=-1), endpoint("beta")) == [(ANY, "eth1")]


def test_no_default_route_through_an_internal_network() -> None:
    assert way(endpoint("inner", gw_priority=9), endpoint("beta")) == [(ANY, "eth1")]
    assert way(endpoint("inner")) == []


def test_each_family_has_a_default_route_of_its_own() -> None:
    six = endpoint("beta", ipv6="fd00::2/64", ipv6_gateway="fd00::1")
    assert way(endpoint("alpha"), six) == [(ANY, "eth0"), (ANY6, "eth1")]


def test_layer_3_has_no_gateway() -> None:
    only = endpoint("routed", interface="eth0")
    assert routes([only], RECORDS) == (Route(ANY, None, "eth0"),)


# ── names ────────────────────────────────────────────────────────────────────────────────────


def test_names_on_a_network() -> None:
    wish = endpoint("alpha", aliases=("www", "web"))
    assert dns_names(WEB, wish, "host1") == ("web", "www", "a" * 12, "host1")


def test_a_member_of_a_zone() -> None:
    plug = Plug(WEB, (endpoint("alpha", ipv6="fd00::2/64"),), hostname="h")
    member = member_of(plug, plug.endpoints[0])
    assert member.names == ("web", "a" * 12, "h")
    assert member.addresses == ("10.0.0.2", "fd00::2")


def test_the_default_bridge_needs_no_resolver() -> None:
    assert not needs_names(Plug(WEB, (endpoint("bridge"),)), RECORDS)
    assert needs_names(Plug(WEB, (endpoint("bridge"), endpoint("alpha"))), RECORDS)


def test_what_a_container_sees() -> None:
    other = Plug(Tenant("b" * 64, "data"), (endpoint("alpha", 9),))
    plug = Plug(
        WEB,
        (endpoint("bridge"), endpoint("alpha", links=("/data:db", "gone:x")), endpoint("beta")),
        upstreams=Upstreams(("1.1.1.1",), forwards_single_labels=False),
    )
    view = view_of(plug, RECORDS, {"data": other})
    assert view.networks == ("id-alpha", "id-beta")
    assert [one.address for one in view.upstream] == ["1.1.1.1"]
    assert (view.forward, view.forward_single_labels) == (True, False)
    assert view.extra == {"db": ("10.0.0.9",)}
    assert view.station == WEB.id


def test_nothing_is_forwarded_for_those_who_have_no_way_out() -> None:
    assert not view_of(Plug(WEB, (endpoint("inner"),)), RECORDS, {}).forward


def test_from_where_servers_outside_are_asked() -> None:
    """The host can't reach the children of its own interface."""

    def asked(*networks: str) -> list[tuple[str, bool]]:
        servers = Upstreams(("192.0.2.1", "127.0.0.53", "::1"))
        plug = Plug(WEB, tuple(map(endpoint, networks)), upstreams=servers)
        return [(one.address, one.inside) for one in view_of(plug, RECORDS, {}).upstream]

    assert asked("lan", "routed") == [("192.0.2.1", True), ("127.0.0.53", False), ("::1", False)]
    assert not any(inside for _, inside in asked("lan", "alpha"))


def test_a_link_without_an_alias() -> None:
    assert link_names("db") == ("db", "db")
    assert link_names("/db:/web/d") == ("db", "/web/d")


# ── facts ────────────────────────────────────────────────────────────────────────────────────

PORT = PublishedPort("tcp", 80, 89, 8080, 8089)


def plug(*endpoints: EndpointRecord, ports: tuple[PublishedPort, ...] = ()) -> Plug:
    return Plug(WEB, named(endpoints, RECORDS), ports)


def test_stations_are_the_ends_of_veths() -> None:
    facts = facts_of(plug(endpoint("alpha", ipv6="fd00::2/64"), endpoint("lan")), RECORDS, {})
    own = (IPv4Address("10.0.0.2"), IPv6Address("fd00::2"))
    assert facts == (Station("br-alpha", "vethalpha00", "02:42:0a:00:00:02", own),)


def published(*endpoints: EndpointRecord, port: PublishedPort = PORT) -> list[Published]:
    facts = facts_of(plug(*endpoints, ports=(port,)), RECORDS, {})
    return [fact for fact in facts if isinstance(fact, Published)]


def test_ports_lead_to_the_endpoint_with_the_default_route() -> None:
    (fact,) = published(endpoint("beta", 3), endpoint("alpha", 2))
    assert fact == Published("tcp", None, 8080, 8089, IPv4Address("10.0.0.2"), 80)


def test_a_port_of_both_families() -> None:
    four, six = published(endpoint("alpha", ipv6="fd00::2/64", ipv6_gateway="fd00::1"))
    assert (four.target, six.target) == (IPv4Address("10.0.0.2"), IPv6Address("fd00::2"))


def test_a_port_at_an_address_is_of_one_family() -> None:
    dual = endpoint("alpha", ipv6="fd00::2/64", ipv6_gateway="fd00::1")
    here = msgspec.structs.replace(PORT, host_address="::1")
    (fact,) = published(dual, port=here)
    assert fact.host_address == IPv6Address("::1")
    assert published(endpoint("alpha"), port=here) == []


def test_sources_of_another_family_open_nothing() -> None:
    dual = endpoint("alpha", ipv6="fd00::2/64", ipv6_gateway="fd00::1")
    (fact,) = published(dual, port=msgspec.structs.replace(PORT, sources=("10.1.2.3/8",)))
    assert fact.target.version == 4
    assert fact.sources == (IPv4Network("10.0.0.0/8"),)


def test_no_port_of_an_internal_network() -> None:
    assert published(endpoint("inner")) == []


def test_rules_hold_on_every_bridge_a_container_is_on() -> None:
    on = (endpoint("alpha"), endpoint("lan"), endpoint("beta", 3))
    plug = Plug(WEB, on, egress=("allow=192.0.2.0/24:443/tcp",))
    found = [f for f in facts_of(plug, RECORDS, {}) if isinstance(f, EgressPolicy | EgressRule)]
    subnet = IPv4Network("192.0.2.0/24")
    assert found == [
        EgressPolicy("br-alpha", "02:42:0a:00:00:02", "deny"),
        EgressRule(IPv4Address("10.0.0.2"), "allow", subnet, "tcp", 443, 443),
        EgressPolicy("br-beta", "02:42:0a:00:00:03", "deny"),
        EgressRule(IPv4Address("10.0.0.3"), "allow", subnet, "tcp", 443, 443),
    ]


def test_with_rules_the_default_bridge_has_a_resolver_that_is_watched() -> None:
    plug = Plug(WEB, (endpoint("bridge"),), egress=("deny",))
    assert needs_names(plug, RECORDS)
    assert view_of(plug, RECORDS, {}).watched
    assert not view_of(Plug(WEB, (endpoint("alpha"),)), RECORDS, {}).watched
    assert not needs_names(Plug(WEB, (endpoint("none"),), egress=("deny",)), RECORDS)


def test_links_open_what_the_other_one_exposes() -> None:
    other = Plug(Tenant("b" * 64, "data"), (endpoint("bridge", 9),))
    client = Plug(WEB, (endpoint("bridge"),), links=(Link("db", "b" * 64, (("tcp", 5, 6),)),))
    facts = facts_of(client, RECORDS, {"b" * 64: other})
    assert facts[-1] == Linked(IPv4Address("10.0.0.2"), IPv4Address("10.0.0.9"), "tcp", 5, 6)
    assert not any(isinstance(fact, Linked) for fact in facts_of(client, RECORDS, {}))
