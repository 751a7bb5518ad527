"""IPv6, and networks other than bridges."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.lab import Lab
from support.machines import NET4, OUTSIDE4, OUTSIDE6
from support.names import AAAA, addresses

pytestmark = pytest.mark.privileged

DOCKERD_FLAGS = ("--experimental", "--ip6tables")
SUBNET6 = "fd12:3456:789a::/64"


def test_ipv6_between_containers_and_out(lab: Lab) -> None:
    """By address and name, and to the world under the machine's address."""
    lab.network("six", "--ipv6", f"--subnet={SUBNET6}", "--subnet=10.66.0.0/24")
    one, two = lab.run("one", "--network=six"), lab.run("two", "--network=six")
    assert one.address6().startswith("fd12:3456:789a:")
    lab.settle_addresses()
    with one.serving("one", 80), lab.outside.serving("world", 80):
        assert two.ask(one.address6(), 80) == f"one {two.address6()}"
        assert two.ask(one.address(), 80) == f"one {two.address()}"
        assert addresses(two, "one", AAAA) == [one.address6()]
        assert two.ask(OUTSIDE6, 80) == f"world {lab.machine.address6}"
        assert two.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"


def test_ipv6_is_published(lab: Lab) -> None:
    lab.network("six", "--ipv6", f"--subnet={SUBNET6}")
    web = lab.run("web", "--network=six", "-p", "6080:80", "-p", "[::1]:7070:70")
    lab.settle_addresses()
    with web.serving("web", 80, 70):
        assert lab.peer.ask(lab.machine.address6, 6080).startswith("web ")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        if lab.is_dockerd:
            assert lab.machine.ask("::1", 6080).startswith("web ")
            assert lab.machine.ask("::1", 7070).startswith("web ")
        else:  # the kernel translates no ::1; who asks for localhost tries 127.0.0.1 next, at once
            with pytest.raises(ConnectionRefusedError):
                lab.machine.ask("::1", 6080)
            assert lab.machine.ask("127.0.0.1", 6080).startswith("web ")
        assert not lab.peer.reaches(lab.machine.address6, 7070)


@contextmanager
def bound_everywhere(lab: Lab, port: int) -> Iterator[None]:
    """Have a program of the host take a port of IPv6."""
    with lab.machine.open_socket(socket.AF_INET6, socket.SOCK_STREAM) as program:
        program.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        program.bind(("::", port))
        program.listen()
        yield


@pytest.mark.boxshipd
def test_ports_follow_to_ipv6_and_back(lab: Lab) -> None:
    """What is published everywhere is so in a family that comes while the container runs."""
    lab.network("six", "--ipv6", f"--subnet={SUBNET6}")
    web = lab.run("web", "-p", "6080:80", "-p", f"[{lab.machine.address6}]:6081:80")
    lab.docker("network", "connect", "six", "web")
    with web.serving("web", 80):
        for port in (6080, 6081):
            assert lab.peer.ask(lab.machine.address6, port).startswith("web ")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        with pytest.raises(OSError, match="in use"), bound_everywhere(lab, 6080):
            pass
        lab.docker("network", "disconnect", "six", "web")
        with bound_everywhere(lab, 6080):
            said = lab.refused("network", "connect", "six", "web")
            assert "6080/tcp: address already in use" in said
        assert list(lab.box("web").settings["Networks"]) == ["bridge"]
        assert not lab.peer.reaches(lab.machine.address6, 6081)
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")


@pytest.mark.option("NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv6Address")
def test_an_ipv6_address_as_asked(lab: Lab) -> None:
    lab.network("six", "--ipv6", f"--subnet={SUBNET6}")
    box = lab.run("box", "--network=six", "--ip6=fd12:3456:789a::77")
    assert "fd12:3456:789a::77/64" in box.interfaces()["eth0"]
    assert "default via" in box.run("ip", "-6", "route")


@pytest.mark.boxshipd
def test_ipv6_without_asking_for_a_subnet(lab: Lab) -> None:
    """A ULA of the engine's own; another for each network."""
    lab.network("one", "--ipv6")
    lab.network("two", "--ipv6")
    subnets = {
        pool["Subnet"]
        for name in ("one", "two")
        for pool in lab.inspect_network(name)["IPAM"]["Config"]
        if ":" in pool["Subnet"]
    }
    assert len(subnets) == 2
    assert all(subnet.startswith("fd") for subnet in subnets)
    box = lab.run("box", "--network=one")
    with lab.outside.serving("world", 80):
        assert box.ask(OUTSIDE6, 80) == f"world {lab.machine.address6}"


def test_no_ipv6_where_nobody_asked(lab: Lab) -> None:
    box = lab.run("box")
    assert box.address6() == ""
    assert box.run("ip", "-6", "address", "show", "eth0") == ""


@pytest.mark.boxshipd
def test_ipv6_that_is_routed(lab: Lab) -> None:
    """No translation: the world sees the container's own address, and reaches published ports."""
    lab.network(
        "six", "--ipv6", f"--subnet={SUBNET6}",
        "--opt=com.docker.network.bridge.gateway_mode_ipv6=routed",
    )  # fmt: skip
    web = lab.run("web", "--network=six", "-p", "80")
    route = ("ip", "-6", "route")
    lab.peer.run(*route, "add", SUBNET6, "via", lab.machine.address6)
    try:
        with web.serving("web", 80, 81), lab.peer.serving("peer", 80):
            assert web.ask(lab.peer.address6, 80) == f"peer {web.address6()}"
            assert lab.peer.ask(web.address6(), 80) == f"web {lab.peer.address6}"
            assert not lab.peer.reaches(web.address6(), 81)
    finally:
        lab.peer.run(*route, "delete", SUBNET6)


def test_macvlan(lab: Lab) -> None:
    """The container is a neighbour of the machine's neighbours, under an address of the wire."""
    lab.network(
        "wire", "--driver=macvlan", f"--subnet={NET4}.0/24", f"--gateway={OUTSIDE4}",
        "--opt=parent=eth0", f"--aux-address=machine={lab.machine.address}",
    )  # fmt: skip
    one = lab.run("one", "--network=wire", f"--ip={NET4}.77")
    two = lab.run("two", "--network=wire", f"--ip={NET4}.78")
    assert one.interfaces()["eth0"] == [f"{NET4}.77/24"]
    with one.serving("one", 80), lab.peer.serving("peer", 80):
        assert lab.peer.ask(f"{NET4}.77", 80) == f"one {lab.peer.address}"
        assert one.ask(lab.peer.address, 80) == f"peer {NET4}.77"
        assert two.ask(f"{NET4}.77", 80) == f"one {NET4}.78"
        assert addresses(two, "one") == [f"{NET4}.77"]
        assert not lab.machine.reaches(f"{NET4}.77", 80), "the parent is kept apart by the kernel"


def test_macvlan_on_a_vlan_of_its_own_making(lab: Lab) -> None:
    """`parent=eth0.50` is made, and goes with the network; a kernel without VLANs is named."""
    create = ["network", "create", "-d", "macvlan", "--subnet=10.50.0.0/24"]
    create += ["--opt=parent=eth0.50", "tagged"]
    if not lab.machine.makes("vlan", "id", "50"):
        said = lab.refused(*create)
        assert "eth0.50" in said
        assert lab.is_dockerd or "8021q" in said
        return
    lab.docker(*create)
    one, two = lab.run("one", "--network=tagged"), lab.run("two", "--network=tagged")
    assert "eth0.50" in lab.machine.interfaces()
    with one.serving("one", 80):
        assert two.ask(one.address(), 80) == f"one {two.address()}"
    for box in (one, two):
        box.remove()
    lab.docker("network", "rm", "tagged")
    assert "eth0.50" not in lab.machine.interfaces()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["-d", "macvlan", "--opt=parent=nope0"], "nope0"),
        (["-d", "macvlan", "--opt=parent=eth0", "--opt=macvlan_mode=odd"], "odd"),
    ],
)
def test_macvlan_that_cannot_be(lab: Lab, options: list[str], words: str) -> None:
    said = lab.refused("network", "create", "--subnet=10.50.0.0/24", *options, "wrong")
    assert words in said


def test_ipvlan(lab: Lab) -> None:
    """By the parent's hardware address; a kernel without it is named, at once or at a run."""
    create = ["network", "create", "-d", "ipvlan", "--subnet=10.51.0.0/24", "--opt=parent=eth0"]
    done = lab.docker.run(*create, "ipv")
    if not lab.machine.makes("ipvlan"):
        if done.code == 0:
            done = lab.docker.run("run", "--network=ipv", "--name=box", "busybox", "true")
        assert done.code != 0
        assert lab.is_dockerd or "ipvlan" in done.err
        return
    assert done.code == 0, done
    one, two = lab.run("one", "--network=ipv"), lab.run("two", "--network=ipv")
    with one.serving("one", 80):
        assert two.ask(one.address(), 80) == f"one {two.address()}"
        assert addresses(two, "one") == [one.address()]


@pytest.mark.boxshipd
def test_counters_of_a_network(lab: Lab) -> None:
    """In stats, as Docker tells them: from the container's side."""
    one, two = lab.run("one"), lab.run("two")
    with one.serving("one", 80), two.connect(one.address(), 80) as stream:
        for _ in range(10):
            stream.sendall(bytes(10_000))
            left = 10_000
            while left > 0:
                left -= len(stream.recv(left))
    reply = lab.engine.api.get("/containers/two/stats", stream=0)
    counted = reply.json()["networks"]["eth0"]
    assert counted["tx_bytes"] > 100_000
    assert counted["rx_bytes"] > 90_000
    assert counted["tx_packets"] > 10
