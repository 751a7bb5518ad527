"""Options of the daemon about who gets at containers from outside, with packets that try."""

from collections.abc import Iterator

import pytest

from support.lab import Box, Lab

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A machine whose engine lets more in than usually."""
    flags = ("--allow-direct-routing", "--ip6tables=false", "--bridge-accept-fwmark=0x7/0xf")
    with Lab("boxshipd", *flags) as made:
        yield made
        made.clear()


@pytest.fixture(scope="module")
def box(lab: Lab) -> Iterator[Box]:
    """A container with one published port, to which the neighbour has routes."""
    lab.network("wide", "--ipv6", "--subnet=10.77.0.0/24", "--subnet=fd77::/64")
    box = lab.run("box", "--network=wide", "-p", "8080:80")
    routes = (
        ("-4", box.address(), lab.machine.address),
        ("-6", box.address6(), lab.machine.address6),
    )
    for family, target, gateway in routes:
        lab.peer.run("ip", family, "route", "add", target, "via", gateway)
    yield box
    for family, target, _ in routes:
        lab.peer.run("ip", family, "route", "delete", target)


def test_a_published_port_is_open_at_the_containers_own_address(lab: Lab, box: Box) -> None:
    with box.serving("box", 80, 81):
        assert lab.peer.ask(box.address(), 80).startswith("box ")
        assert lab.peer.ask(lab.machine.address, 8080).startswith("box ")
        assert not lab.peer.reaches(box.address(), 81)


def test_marked_packets_get_into_a_bridge(lab: Lab, box: Box) -> None:
    marks = "table ip marks { chain marking { type filter hook prerouting priority mangle; "
    with box.serving("box", 81, 82):
        for port, mark in ((81, 0x17), (82, 0x18)):
            marks += f"tcp dport {port} meta mark set {mark}; "
        lab.machine.run("nft", marks + "}; }")
        try:
            assert lab.peer.ask(box.address(), 81).startswith("box ")
            assert not lab.peer.reaches(box.address(), 82)
        finally:
            lab.machine.run("nft", "delete table ip marks")


def test_without_rules_for_ipv6_its_addresses_are_open(lab: Lab, box: Box) -> None:
    with box.serving("box", 81):
        assert lab.peer.ask(box.address6(), 81) == f"box {lab.peer.address6}"
        assert not lab.peer.reaches(box.address(), 81)
