"""Attacks from inside a container, and what the host's own firewall has to say."""

import socket
import struct

import pytest

from support.lab import Box, Lab
from support.machines import OUTSIDE4
from support.places import SILENCE

pytestmark = pytest.mark.privileged


def send_raw(box: Box, source: str, target: str, port: int) -> None:
    """A datagram with any source address; the container's own CAP_NET_RAW lets it do the same."""
    payload = b"spoofed"
    udp = struct.pack("!HHHH", 4000, port, 8 + len(payload), 0) + payload
    ip = struct.pack(
        "!BBHHHBBH4s4s", 0x45, 0, 0, 0, 0, 64, socket.IPPROTO_UDP, 0,
        socket.inet_aton(source), socket.inet_aton(target),
    )  # fmt: skip
    with box.open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip + udp, (target, 0))


def hears(listener: socket.socket) -> bool:
    listener.settimeout(SILENCE)
    try:
        return listener.recv(100) == b"spoofed"
    except TimeoutError:
        return False


@pytest.mark.boxshipd
def test_a_container_cannot_speak_in_anothers_name(lab: Lab) -> None:
    """Neither to its neighbours nor to the world."""
    lab.network("shop")
    one, two, bad = (lab.run(name, "--network=shop") for name in ("one", "two", "bad"))
    for place, address in ((one, one.address()), (lab.outside, OUTSIDE4)):
        with place.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
            listener.bind((address, 9000))
            send_raw(bad, bad.address(), address, 9000)
            assert hears(listener), "its own name is heard, so the test could fail"
            send_raw(bad, two.address(), address, 9000)
            send_raw(bad, "192.0.2.99", address, 9000)
            assert not hears(listener)


@pytest.mark.boxshipd
def test_a_container_cannot_take_anothers_address(lab: Lab) -> None:
    """Adding its neighbour's address to its own interface gives it nothing of the neighbour's."""
    lab.network("shop")
    one, two, bad = (lab.run(name, "--network=shop") for name in ("one", "two", "bad"))
    with one.serving("one", 80), bad.serving("bad", 80):
        bad.run("ip", "address", "add", f"{one.address()}/16", "dev", "eth0")
        bad.run("ip", "neighbour", "flush", "all")
        for _ in range(3):
            two.run("ip", "neighbour", "flush", "all")
            assert two.ask(one.address(), 80).startswith("one ")
        assert lab.machine.ask(one.address(), 80).startswith("one ")


def test_the_machines_loopback_is_not_for_containers(lab: Lab) -> None:
    """Published ports work on 127.0.0.1, but no container gets at what listens there alone."""
    box = lab.run("box", "-p", "6080:80")
    with lab.machine.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 9000))
        box.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
        box.run("ip", "route", "add", "127.9.9.9/32", "via", box.gateway())
        send_raw(box, box.address(), "127.0.0.1", 9000)
        send_raw(box, box.address(), "127.9.9.9", 9000)
        assert not hears(listener)
    # A neighbour on the wire tries the same with the machine itself.
    with lab.machine.serving("secret", 9000):
        lab.peer.run("ip", "route", "add", "127.9.9.9/32", "via", lab.machine.address)
        lab.peer.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
        assert not lab.peer.reaches("127.9.9.9", 9000)
        lab.peer.run("ip", "route", "delete", "127.9.9.9/32")


@pytest.mark.boxshipd
def test_a_port_on_loopback_is_not_for_neighbours(lab: Lab) -> None:
    """Who routes 127.0.0.1 to the machine still does not reach what is published there."""
    box = lab.run("box", "-p", "127.0.0.1:6080:80")
    with box.serving("box", 80):
        assert lab.machine.ask("127.0.0.1", 6080).startswith("box ")
        send = lab.peer
        send.run("ip", "route", "add", f"{box.address()}/32", "via", lab.machine.address)
        assert not send.reaches(box.address(), 80)
        send.run("ip", "route", "delete", f"{box.address()}/32")


@pytest.mark.boxshipd
def test_the_hosts_firewall_is_respected(lab: Lab) -> None:
    """The administrator's drop for a source holds for published ports as well, which is what
    Docker's users miss."""
    web = lab.run("web", "-p", "6080:80")
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        lab.machine.run(
            "nft",
            "table inet admin { chain input { type filter hook input priority 0; "
            f"ip saddr {lab.peer.address} tcp dport 6080 drop; }}; "
            "chain forward { type filter hook forward priority 0; "
            f"ip saddr {lab.peer.address} meta l4proto tcp ct original proto-dst 6080 drop; }}; }}",
        )
        try:
            assert not lab.peer.reaches(lab.machine.address, 6080)
            assert lab.outside.ask(lab.machine.address, 6080).startswith("web ")
        finally:
            lab.machine.run("nft", "delete table inet admin")


@pytest.mark.boxshipd
@pytest.mark.parametrize("what", ["table", "ruleset"])
def test_rules_that_somebody_flushes_come_back(lab: Lab, what: str) -> None:
    web = lab.run("web", "-p", "6080:80")
    rules = lab.machine.state()["firewall"]
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        if what == "table":
            tables = lab.machine.run("nft", "list", "tables").split("\n")
            for table in filter(lambda line: "boxship" in line, tables):
                lab.machine.run("nft", f"flush {table}")
        else:
            lab.machine.run("nft", "flush", "ruleset")
        lab.comes_back(rules)
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")


@pytest.mark.boxshipd  # dockerd's own policy is the same chain's
def test_who_drops_forwards_does_not_stop_containers(lab: Lab) -> None:
    """Docker's own policy for the FORWARD chain, ufw's and firewalld's."""
    web = lab.run("web", "-p", "6080:80")
    lab.machine.run("iptables", "-P", "FORWARD", "DROP")
    try:
        with web.serving("web", 80), lab.outside.serving("world", 80):
            lab.reached_soon(lab.peer, 6080)
            assert web.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"
    finally:
        lab.machine.run("iptables", "-P", "FORWARD", "ACCEPT")
        lab.machine.run("nft", "delete table ip filter")
