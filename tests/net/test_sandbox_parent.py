"""Sandboxes on a parent interface of the host: macvlan, ipvlan."""

import json
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_interface, ip_network

import pytest

from boxship.net.links import KindMissingError
from boxship.net.namespaces import NetworkNamespace, run_inside
from boxship.net.netlink.sockets import NetlinkError
from boxship.net.onparent import BEGUN
from boxship.net.sandbox import Nic, Route, Sandbox

pytestmark = pytest.mark.privileged

_SECOND = 0.8
"""Less than a repeated ARP request takes."""
_ARP = 0x0806


def nic(number: int, **fields) -> Nic:
    addresses = (ip_interface(f"10.5.0.{number}/16"), ip_interface(f"fd05::{number}/64"))
    return Nic(**{"attach_to": "p0", "kind": "macvlan", "addresses": addresses} | fields)


def shown(sandbox: Sandbox, *arguments: str):
    enter = ["nsenter", f"--net={sandbox.namespace.path}", "--", "ip", "-j", "-d", *arguments]
    return json.loads(subprocess.run(enter, check=True, stdout=subprocess.PIPE).stdout or b"[]")


def arrives(sender: NetworkNamespace, receiver: NetworkNamespace, address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def make() -> socket.socket:
        return socket.socket(family, socket.SOCK_DGRAM)

    with run_inside(receiver, make) as server, run_inside(sender, make) as client:
        server.bind((address, 0))
        server.settimeout(_SECOND)
        client.sendto(b"hello", server.getsockname()[:2])
        try:
            return server.recv(16) == b"hello"
        except TimeoutError:
            return False


@pytest.fixture
def wire(place, other_place) -> Iterator[None]:
    """``p0``, a cable from the daemon's namespace to another machine with 10.5.0.1/16."""
    place.links.add_veth("p0", "far", peer_namespace=other_place.namespace)
    place.links.set_up("p0")
    for address in ("10.5.0.1/16", "fd05::1/64"):
        other_place.links.add_address("far", ip_interface(address))
    other_place.links.set_up("far")
    place.links.get("p0")
    other_place.links.get("far")
    yield


@pytest.mark.parametrize("pair", [True, False], ids=["from the pool", "on the spot"])
def test_macvlan_is_on_the_wire(place, other_place, host, wire, pair: bool) -> None:
    with Sandbox.make(host, pair=pair) as one, Sandbox.make(host) as two:
        plugged = one.add(nic(2, mac="02:42:0a:05:00:02", mtu=1400))
        two.add(nic(3))
        assert plugged == ("eth0", "02:42:0a:05:00:02", "", 0)
        (seen,) = shown(one, "link", "show", "eth0")
        assert seen["linkinfo"]["info_kind"] == "macvlan"
        assert seen["linkinfo"]["info_data"]["mode"] == "bridge"
        assert (seen["address"], seen["mtu"]) == (plugged.mac, 1400)
        one.set_routes([Route(ip_network("0.0.0.0/0"), ip_address("10.5.0.1"))])
        assert arrives(one.namespace, other_place.namespace, "10.5.0.1")
        assert arrives(one.namespace, two.namespace, "10.5.0.3")
        assert {link.name for link in place.links.all()} == {"lo", "br0", "p0"}


def test_its_name_may_be_one_of_the_hosts(place, host, wire) -> None:
    place.run("ip", "link", "set", "p0", "down")
    place.links.rename("p0", "eth0")
    place.links.set_up("eth0")
    with Sandbox.make(host) as one:
        assert one.add(nic(2, attach_to="eth0")).name == "eth0"
        assert {link.name for link in place.links.all()} == {"lo", "br0", "eth0"}


def test_one_that_was_begun_is_in_nobodys_way(host, wire) -> None:
    with Sandbox.make(host) as one:
        host.links.add_macvlan(BEGUN, "p0", namespace=one.namespace)
        one.add(nic(2))
        names = {link["ifname"] for link in shown(one, "link")}
        assert names == {"lo", "eth0"}


def test_private_ones_do_not_see_each_other(other_place, host, wire) -> None:
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2, mode="private"))
        two.add(nic(3, mode="private"))
        assert arrives(one.namespace, other_place.namespace, "10.5.0.1")
        assert not arrives(one.namespace, two.namespace, "10.5.0.3")


def test_vepa_and_passthru(other_place, host, wire) -> None:
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2, mode="vepa"))
        assert arrives(one.namespace, other_place.namespace, "10.5.0.1")
        with pytest.raises(NetlinkError, match="add macvlan eth0"):
            two.add(nic(3, mode="passthru"))
        assert two.counters() == {}
    with Sandbox.make(host) as alone:
        alone.add(nic(4, mode="passthru"))
        assert arrives(alone.namespace, other_place.namespace, "10.5.0.1")


def test_without_a_parent_they_have_a_network_of_their_own(host) -> None:
    host.links.add_dummy("dm-0123456789ab", alias="of a network")
    host.links.set_up("dm-0123456789ab")
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2, attach_to="dm-0123456789ab"))
        two.add(nic(3, attach_to="dm-0123456789ab"))
        for address in ("10.5.0.3", "fd05::3"):
            assert arrives(one.namespace, two.namespace, address)
        host.links.remove("dm-0123456789ab")
        # The kernel takes all that stands on a parent away with it.
        assert one.counters() == {}


def test_ipv6_is_off_without_an_address(host, wire) -> None:
    with Sandbox.make(host) as sandbox:
        sandbox.add(nic(2, addresses=(ip_interface("10.5.0.2/16"),)))
        (seen,) = shown(sandbox, "addr", "show", "eth0")
        assert [one["local"] for one in seen["addr_info"]] == ["10.5.0.2"]


def test_a_new_one_announces_itself(other_place, host, wire) -> None:
    """Neighbours that knew another hardware address for it learn of the new one."""

    def listen() -> socket.socket:
        listener = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ARP))
        listener.bind(("far", _ARP))
        return listener

    with run_inside(other_place.namespace, listen) as listener, Sandbox.make(host) as sandbox:
        sandbox.add(nic(2, mac="02:42:0a:05:00:02"))
        listener.settimeout(5)
        said = listener.recv(64)
        assert said[8:14].hex(":") == "02:42:0a:05:00:02"
        assert said[14:18] == said[24:28] == ip_address("10.5.0.2").packed


@pytest.mark.parametrize("mode", ["", "l3", "l3s/private"])
def test_ipvlan_or_a_word_about_the_kernel(place, other_place, host, wire, mode: str) -> None:
    with Sandbox.make(host, pair=True) as sandbox:
        try:
            sandbox.add(nic(2, kind="ipvlan", mode=mode))
        except KindMissingError as error:
            assert "module ipvlan" in str(error)
            assert sandbox.counters() == {}
        else:
            (seen,) = shown(sandbox, "link", "show", "eth0")
            data = seen["linkinfo"]["info_data"]
            assert data["mode"] == (mode.partition("/")[0] or "l2")
            if not mode:
                assert arrives(sandbox.namespace, other_place.namespace, "10.5.0.1")


def test_wrong_modes_are_named_with_the_right_ones(host, wire) -> None:
    with Sandbox.make(host) as sandbox:
        with pytest.raises(ValueError, match=r"'l4' is not a ipvlan mode \(l2, l3, l3s\)"):
            sandbox.add(nic(2, kind="ipvlan", mode="l4"))
        with pytest.raises(ValueError, match=r"'hub' is not a macvlan mode \(private, vepa"):
            sandbox.add(nic(2, mode="hub"))
        assert sandbox.counters() == {}


def test_what_starts_again_has_the_same_hardware_address(other_place, host, wire) -> None:
    """The kernel is still taking the one before apart, and an address is on a parent once."""
    for _ in range(3):
        with Sandbox.make(host) as sandbox:
            sandbox.add(nic(2, mac="02:42:0a:05:00:02"))
            assert arrives(sandbox.namespace, other_place.namespace, "10.5.0.1")


def test_an_address_that_is_taken_is_refused(host, wire) -> None:
    with Sandbox.make(host) as one, Sandbox.make(host) as two:
        one.add(nic(2, mac="02:42:0a:05:00:02"))
        with pytest.raises(NetlinkError, match=r"set up eth0.*Address already in use"):
            two.add(nic(3, mac="02:42:0a:05:00:02"))
        assert two.counters() == {}
