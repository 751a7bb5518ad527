"""Interfaces, addresses and routes, as `ip` sees them."""

import errno
import socket
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from boxship.net.links import KindMissingError
from boxship.net.namespaces import run_inside
from boxship.net.netlink.sockets import NetlinkError
from support.waiting import eventually

pytestmark = pytest.mark.privileged


def test_a_bridge_forwards_at_once(place) -> None:
    index = place.links.add_bridge("br0", mac="02:42:00:00:00:01", mtu=1400)
    (seen,) = place.ip("link", "show", "br0")
    assert seen["ifindex"] == index
    assert seen["address"] == "02:42:00:00:00:01"
    assert seen["mtu"] == 1400
    assert "UP" in seen["flags"]
    assert seen["linkinfo"]["info_kind"] == "bridge"
    data = seen["linkinfo"]["info_data"]
    assert (data["stp_state"], data["forward_delay"]) == (0, 0)
    found = place.links.get("br0")
    assert (found.kind, found.mac, found.mtu, found.up) == ("bridge", seen["address"], 1400, True)


def test_what_is_made_bears_the_alias(place) -> None:
    place.links.add_bridge("br0", alias="of one")
    place.links.add_dummy("d0", alias="of two")
    assert [link.alias for link in place.links.all()] == ["", "of one", "of two"]


def test_a_pair_has_an_end_in_another_namespace_and_a_port_has_flags(place, other_place) -> None:
    place.links.add_bridge("br0")
    place.links.add_veth("outer", "eth0", mtu=1300, peer_namespace=other_place.namespace)
    place.links.set_master("outer", "br0")
    place.links.set_port("outer", hairpin=True, isolated=True)
    place.links.set_up("outer")
    (port,) = place.ip("link", "show", "outer")
    assert port["master"] == "br0"
    assert port["linkinfo"]["info_slave_data"]["hairpin"] is True
    assert port["linkinfo"]["info_slave_data"]["isolated"] is True
    (inner,) = other_place.ip("link", "show", "eth0")
    assert inner["mtu"] == 1300
    assert place.links.get("outer").parent_namespace >= 0
    place.links.set_port("outer", hairpin=False)
    (port,) = place.ip("link", "show", "outer")
    assert port["linkinfo"]["info_slave_data"]["hairpin"] is False
    assert port["linkinfo"]["info_slave_data"]["isolated"] is True
    place.links.set_master("outer", 0)
    assert place.links.get("outer").master == 0
    place.links.remove("outer")
    assert other_place.links.find("eth0") is None


def test_an_interface_is_changed(place) -> None:
    place.links.add_dummy("d0")
    place.links.set_mtu("d0", 9000)
    place.links.rename("d0", "d1")
    place.links.set_up("d1")
    found = place.links.get("d1")
    assert (found.mtu, found.up) == (9000, True)
    assert place.links.find("d0") is None


def test_an_interface_moves_to_another_namespace(place, other_place) -> None:
    place.links.add_veth("d0", "d1")
    place.links.move("d0", other_place.namespace, "eth7")
    assert place.links.find("d0") is None
    assert other_place.links.find("eth7") is not None


@pytest.mark.parametrize("mode", ["bridge", "private", "vepa", "passthru"])
def test_macvlan_on_a_parent_outside(place, other_place, mode: str) -> None:
    place.links.add_dummy("d0")
    place.links.add_macvlan(
        "eth0", "d0", mode=mode, mac="02:42:0a:00:00:02", namespace=other_place.namespace
    )
    (seen,) = other_place.ip("link", "show", "eth0")
    assert seen["linkinfo"]["info_data"]["mode"] == mode
    # In passthru mode an interface is its parent, so it has the parent's address.
    mac = place.links.get("d0").mac if mode == "passthru" else "02:42:0a:00:00:02"
    assert seen["address"] == mac
    assert place.links.find("eth0") is None


def test_a_vlan_on_a_parent_or_a_word_about_the_kernel(place) -> None:
    place.links.add_dummy("d0")
    try:
        place.links.add_vlan("d0.50", "d0", 50)
    except KindMissingError as error:
        assert "add vlan d0.50" in str(error)
        assert "module 8021q" in str(error)
    else:
        (seen,) = place.ip("link", "show", "d0.50")
        assert seen["linkinfo"]["info_data"]["id"] == 50
        assert seen["linkinfo"]["info_data"]["protocol"] == "802.1Q"
        assert place.links.get("d0.50").parent == place.links.get("d0").ifindex


@pytest.mark.parametrize("text", ["10.1.2.3/24", "10.1.2.3/32", "10.1.2.4/31", "fd00::7/64"])
def test_addresses_come_and_go(place, text: str) -> None:
    address = ip_interface(text)
    index = place.links.add_dummy("d0")
    place.links.add_address("d0", address)
    place.links.add_address("d0", address)
    assert place.links.addresses("d0") == [(index, address)]
    (seen,) = place.ip("addr", "show", "d0")
    (info,) = seen["addr_info"]
    assert f"{info['local']}/{info['prefixlen']}" == text
    assert info.get("broadcast") == ("10.1.2.255" if text == "10.1.2.3/24" else None)
    place.links.remove_address("d0", address)
    place.links.remove_address("d0", address)
    assert place.links.addresses("d0") == []


def test_an_ipv6_address_works_at_once(place) -> None:
    place.links.add_bridge("br0")
    place.links.add_address("br0", ip_interface("fd00::1/64"))
    (seen,) = place.ip("addr", "show", "br0", "scope", "global")
    assert "tentative" not in seen["addr_info"][0]


def test_routes_of_both_families(place) -> None:
    index = place.links.add_dummy("d0")
    place.links.set_up("d0")
    for address in ("10.1.0.1/16", "fd00::1/64"):
        place.links.add_address("d0", ip_interface(address))
    place.links.add_route(ip_network("0.0.0.0/0"), gateway=ip_address("10.1.0.9"))
    place.links.add_route(ip_network("0.0.0.0/0"), gateway=ip_address("10.1.0.8"))
    place.links.add_route(ip_network("::/0"), gateway=ip_address("fd00::9"), link="d0", metric=7)
    place.links.add_route(ip_network("10.9.0.0/16"), link="d0")
    rows = {
        str(row.destination): (str(row.gateway), row.ifindex, row.metric)
        for row in place.links.routes()
        if row.destination.version == 4 or row.gateway
    }
    assert rows == {
        "0.0.0.0/0": ("10.1.0.8", index, 0),
        "10.1.0.0/16": ("None", index, 0),
        "10.9.0.0/16": ("None", index, 0),
        "::/0": ("fd00::9", index, 7),
    }
    for _ in range(2):
        place.links.remove_route(ip_network("0.0.0.0/0"))
        place.links.remove_route(ip_network("10.9.0.0/16"))
    assert [row["dst"] for row in place.ip("-4", "route")] == ["10.1.0.0/16"]


def test_a_gateway_out_of_reach_is_refused_by_name(place) -> None:
    with pytest.raises(NetlinkError) as caught:
        place.links.add_route(ip_network("0.0.0.0/0"), gateway=ip_address("10.1.0.9"))
    assert caught.value.errno == errno.ENETUNREACH
    assert "add route to 0.0.0.0/0 by 10.1.0.9" in str(caught.value)


def test_neighbours(place) -> None:
    place.links.add_dummy("d0")
    place.links.set_up("d0")
    place.links.add_neighbour("d0", ip_address("10.1.0.5"), "02:42:0a:01:00:05")
    (row,) = place.ip("neigh", "show", "10.1.0.5")
    assert (row["lladdr"], row["state"]) == ("02:42:0a:01:00:05", ["PERMANENT"])


def test_counters_of_both_ends(place, other_place) -> None:
    place.links.add_veth("outer", "eth0", peer_namespace=other_place.namespace)
    place.links.add_address("outer", ip_interface("10.0.0.1/24"))
    place.links.set_up("outer")
    other_place.links.add_address("eth0", ip_interface("10.0.0.2/24"))
    other_place.links.set_up("eth0")

    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            for _ in range(3):
                sender.sendto(bytes(1000), ("10.0.0.2", 9))

    other_place.links.add_neighbour("eth0", ip_address("10.0.0.1"), place.links.get("outer").mac)
    place.links.add_neighbour("outer", ip_address("10.0.0.2"), other_place.links.get("eth0").mac)
    # Until a worker of the kernel has seen the carrier, what is sent is dropped.
    eventually(lambda: place.ip("link", "show", "outer")[0]["operstate"] == "UP", "the carrier")
    run_inside(place.namespace, send)
    outer, inner = place.links.counters()["outer"], other_place.links.counters()["eth0"]
    assert outer.tx_bytes > 3000
    assert outer.tx_packets >= 3
    assert inner.rx_bytes >= outer.tx_bytes - 1000
    assert outer.reversed().rx_bytes == outer.tx_bytes


def test_removing_what_is_gone(place) -> None:
    place.links.add_dummy("d0")
    place.links.remove_all(["d0", "d1", "d0"])
    place.links.remove("d0", missing_ok=True)
    with pytest.raises(NetlinkError, match="remove link d0"):
        place.links.remove("d0")


@pytest.mark.parametrize("mode", ["l2", "l3", "l3s"])
def test_ipvlan_on_a_parent_or_a_word_about_the_kernel(place, mode: str) -> None:
    place.links.add_dummy("d0")
    try:
        place.links.add_ipvlan("v0", "d0", mode=mode, flag="private")
    except KindMissingError as error:
        assert error.errno == errno.EOPNOTSUPP
        assert "this kernel has no ipvlan interfaces" in str(error)
        assert place.links.find("v0") is None
    else:
        (seen,) = place.ip("link", "show", "v0")
        assert seen["linkinfo"]["info_data"]["mode"] == mode


def test_a_name_that_is_taken_is_no_missing_kind(place) -> None:
    place.links.add_dummy("d0")
    with pytest.raises(NetlinkError, match="add bridge d0: File exists"):
        place.links.add_bridge("d0")
