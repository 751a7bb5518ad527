"""Real packets through the rules: ports, ways out, isolation."""

import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from boxship.net.firewall.facts import Fence, Linked, Published
from support.places import PATIENCE, SILENCE, Place
from support.yard import Yard, nobody_reaches, reached

pytestmark = pytest.mark.privileged

BOTH = pytest.mark.parametrize("version", [4, 6])


def published(
    target: str, first: int, inside: int, *, last: int = 0, on: str = "", sources: str = ""
) -> Published:
    return Published(
        "tcp",
        ip_address(on) if on else None,
        first,
        last or first,
        ip_address(target),
        inside,
        tuple(ip_network(source) for source in sources.split()),
    )


def address_of(place: Place, version: int) -> str:
    address: str = getattr(place, "address" if version == 4 else "address6")
    return address


@BOTH
def test_a_port_is_reached_from_outside_and_shows_who_calls(yard: Yard, version: int) -> None:
    server = yard.stations["a2"]
    yard.reset(published(address_of(server, version), 8080, 80))
    with server.serving("web", 80):
        heard = yard.peer.ask(address_of(yard.machine, version), 8080)
    assert heard == f"web {address_of(yard.peer, version)}"


@BOTH
def test_a_range_keeps_its_ports_in_one_element(yard: Yard, version: int) -> None:
    server = yard.stations["a2"]
    yard.reset(published(address_of(server, version), 20000, 20000, last=30000))
    with server.serving("range", 20000, 25000, 30000):
        for port in (20000, 25000, 30000):
            assert reached(yard.peer, address_of(yard.machine, version), port)
    elements = yard.machine.run("nft", "list", "map", "inet", "boxship", f"ranges{version}")
    assert elements.count("20000-30000") == elements.count("tcp") == 1


def test_a_range_can_lead_to_another_range(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 9000, 80, last=9002))
    with server.serving("shifted", 80, 82):
        assert reached(yard.peer, yard.machine.address, 9000)
        assert reached(yard.peer, yard.machine.address, 9002)
        assert not yard.peer.reaches(yard.machine.address, 9003)


def test_udp_is_published_too(yard: Yard) -> None:
    server = yard.stations["a2"]
    port = Published("udp", None, 5353, 5353, ip_address(server.address), 53)
    yard.reset(port)
    with server.serving("dns", 53, udp=True):
        assert yard.peer.ask_udp(yard.machine.address, 5353) == f"dns {yard.peer.address}"


def test_the_host_reaches_its_port_at_loopback_and_at_its_own_address(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 8080, 80))
    with server.serving("web", 80):
        assert yard.machine.ask("127.0.0.1", 8080) == "web 10.1.0.1"
        assert yard.machine.ask("127.0.0.77", 8080) == "web 10.1.0.1"
        assert yard.machine.ask(yard.machine.address, 8080) == f"web {yard.machine.address}"
        assert yard.machine.ask("10.1.0.1", 8080) == "web 10.1.0.1"


def test_ipv6_loopback_is_refused_at_once_so_that_clients_take_the_other(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 8080, 80), published(server.address6, 8080, 80))
    with server.serving("web", 80):
        with pytest.raises(ConnectionRefusedError):
            yard.machine.ask("::1", 8080)
        answer = yard.machine.inside(lambda: socket.create_connection(("localhost", 8080), 1))
        answer.close()
        assert yard.machine.ask(yard.machine.address6, 8080) == f"web {yard.machine.address6}"


@BOTH
@pytest.mark.usefixtures("bridging")
def test_a_container_reaches_its_own_port_and_its_neighbours(yard: Yard, version: int) -> None:
    server, neighbour = yard.stations["a2"], yard.stations["a3"]
    yard.reset(published(address_of(server, version), 8080, 80))
    with server.serving("web", 80):
        for client in (server, neighbour):
            assert reached(client, address_of(yard.machine, version), 8080)


def test_one_address_of_the_host_is_not_another(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 8080, 80, on="127.0.0.1"))
    with server.serving("web", 80):
        assert reached(yard.machine, "127.0.0.1", 8080)
        assert not yard.machine.reaches(yard.machine.address, 8080)
        assert not yard.peer.reaches(yard.machine.address, 8080)


def test_a_neighbour_of_the_host_cannot_use_what_is_published_on_loopback(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 8080, 80, on="127.0.0.1"))
    yard.peer.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    yard.peer.run("ip", "route", "add", "127.9.0.1", "via", yard.machine.address, "src",
                  yard.peer.address)  # fmt: skip
    yard.reset(published(server.address, 8080, 80, on="127.9.0.1"))
    try:
        with server.serving("web", 80):
            assert reached(yard.machine, "127.9.0.1", 8080)
            assert not yard.peer.reaches("127.9.0.1", 8080)
    finally:
        yard.peer.run("ip", "route", "delete", "127.9.0.1")


def test_sources_are_an_allow_list(yard: Yard) -> None:
    server = yard.stations["a2"]
    allowed = published(server.address, 8080, 80, sources=f"{yard.peer.address}/32 10.0.0.0/8")
    refused = published(server.address, 8081, 80, sources="203.0.113.0/24 203.0.113.128/25")
    yard.reset(allowed, refused)
    with server.serving("web", 80):
        assert reached(yard.peer, yard.machine.address, 8080)
        assert not yard.peer.reaches(yard.machine.address, 8081)


def test_a_range_for_some_sources_and_elsewhere(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(
        published(server.address, 9000, 80, last=9002, sources=f"{yard.peer.address}/32"),
        published(server.address, 9100, 9100, last=9102, sources="10.0.0.0/8"),
    )
    with server.serving("web", 82, 9101):
        assert reached(yard.peer, yard.machine.address, 9002)
        assert not yard.machine.reaches("127.0.0.1", 9002)
        assert not yard.peer.reaches(yard.machine.address, 9101)
        assert reached(yard.stations["b2"], yard.machine.address, 9101)


def test_nothing_is_reached_at_a_containers_own_address(yard: Yard) -> None:
    server = yard.stations["a2"]
    yard.reset(published(server.address, 8080, 80))
    with server.serving("web", 80, 81):
        addresses = (server.address, server.address6)
        attempts = [(yard.peer, address, port) for address in addresses for port in (80, 81)]
        assert nobody_reaches(*attempts)
    assert yard.firewall.counters()["unpublished"].packets >= 4


@BOTH
def test_ways_out_are_masqueraded_unless_routed(yard: Yard, version: int) -> None:
    with yard.peer.serving("far", 80):
        far = address_of(yard.peer, version)
        heard = yard.stations["a2"].ask(far, 80)
        assert heard == f"far {address_of(yard.machine, version)}"
        routed = yard.stations["r2"]
        assert routed.ask(far, 80) == f"far {address_of(routed, version)}"


def test_a_routed_network_opens_published_ports_alone(yard: Yard) -> None:
    server = yard.stations["r2"]
    ports = [published(a, 8080, 80) for a in (server.address, server.address6)]
    yard.reset(*ports)
    with server.serving("routed", 80, 81):
        for address in (server.address, server.address6):
            assert (
                yard.peer.ask(address, 80)
                == f"routed {address_of(yard.peer, ip_address(address).version)}"
            )


@BOTH
def test_networks_reach_of_one_another_what_is_published_alone(yard: Yard, version: int) -> None:
    one, other = yard.stations["a2"], yard.stations["b2"]
    yard.reset(*(published(address_of(place, version), port, 80)
                 for place, port in ((one, 8001), (other, 8002))))  # fmt: skip
    gateways = {one: "10.1.0.1 fd01::1", other: "10.2.0.1 fd02::1"}
    with one.serving("one", 80), other.serving("other", 80):
        assert nobody_reaches(
            (one, address_of(other, version), 80), (other, address_of(one, version), 80)
        )
        for client, server, port in ((one, other, 8002), (other, one, 8001)):
            assert reached(client, address_of(yard.machine, version), port)
            assert reached(client, gateways[server].split()[version == 6], port)
        assert reached(yard.stations["a3"], address_of(one, version), 80)
    assert yard.firewall.counters()["isolation"].packets >= 2


@BOTH
def test_an_internal_network_is_closed_both_ways(yard: Yard, version: int) -> None:
    inside, neighbour, other = (yard.stations[name] for name in ("i2", "i3", "a2"))
    yard.reset(published(address_of(other, version), 8080, 80))
    with yard.peer.serving("far", 80), other.serving("other", 80), inside.serving("inside", 80):
        assert reached(neighbour, address_of(inside, version), 80)
        assert nobody_reaches(
            (inside, address_of(yard.peer, version), 80),
            (inside, address_of(other, version), 80),
            (inside, address_of(yard.machine, version), 8080),
            (other, address_of(inside, version), 80),
            (yard.peer, address_of(inside, version), 80),
        )


@pytest.fixture(params=["bridged packets unseen by IP", "br_netfilter"])
def bridging(yard: Yard, request: pytest.FixtureRequest) -> Iterator[None]:
    """Where dockerd or Kubernetes have been, rules for IP are asked about bridged packets, too."""
    names = [f"net.bridge.bridge-nf-call-{name}" for name in ("iptables", "ip6tables")]
    seen = int(request.param == "br_netfilter")
    yard.machine.run("sysctl", "-qw", *(f"{name}={seen}" for name in names))
    yield
    yard.machine.run("sysctl", "-qw", *(f"{name}=1" for name in names))


@BOTH
@pytest.mark.usefixtures("bridging")
def test_without_icc_stations_reach_only_what_links_allow(yard: Yard, version: int) -> None:
    client, server = yard.stations["q2"], yard.stations["q3"]
    addresses = [ip_address(address_of(place, version)) for place in (client, server)]
    with server.serving("server", 80, 81), client.serving("client", 80), \
            yard.peer.serving("far", 80):  # fmt: skip
        assert not client.reaches(str(addresses[1]), 80)
        yard.firewall.change(add=[Linked(addresses[0], addresses[1], "tcp", 80, 80)])
        assert reached(client, str(addresses[1]), 80)
        assert nobody_reaches((client, str(addresses[1]), 81), (server, str(addresses[0]), 80))
        assert reached(client, address_of(yard.peer, version), 80)


@pytest.mark.usefixtures("bridging")
def test_without_icc_a_linked_server_cannot_open_connections(yard: Yard) -> None:
    client, server = yard.stations["q2"], yard.stations["q3"]
    link = Linked(ip_address(client.address), ip_address(server.address), "tcp", 80, 80)
    yard.firewall.change(add=[link])
    with client.serving("client", 4000), server.open_socket(
        socket.AF_INET, socket.SOCK_STREAM
    ) as trying:  # fmt: skip
        trying.bind((server.address, 80))
        trying.settimeout(0.3)
        with pytest.raises(TimeoutError):
            trying.connect((client.address, 4000))


def test_without_icc_the_host_is_no_way_round(yard: Yard) -> None:
    """Of a connection the answers would be dropped as well, so one datagram it is."""
    client, server = yard.stations["q2"], yard.stations["q3"]
    client.run("ip", "route", "add", f"{server.address}/32", "via", "10.4.0.1")
    yard.machine.run("sysctl", "-qw", "net.ipv4.conf.br-q.send_redirects=0")
    link = Linked(ip_address(client.address), ip_address(server.address), "udp", 53, 53)
    with (
        server.listener(socket.SOCK_DGRAM, 53) as hearing,
        client.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as sending,
    ):
        hearing.settimeout(SILENCE)
        sending.sendto(b"refused", (server.address, 53))
        with pytest.raises(TimeoutError):
            hearing.recv(100)
        yard.firewall.change(add=[link])
        sending.sendto(b"linked", (server.address, 53))
        assert hearing.recv(100) == b"linked"
    client.run("ip", "route", "delete", f"{server.address}/32")


def test_containers_do_not_reach_the_hosts_loopback(yard: Yard) -> None:
    client = yard.stations["a2"]
    client.run("sysctl", "-qw", "net.ipv4.conf.all.route_localnet=1")
    client.run("ip", "route", "add", "127.8.0.1", "via", "10.1.0.1", "src", client.address)
    try:
        with yard.machine.serving("loopback", 9999):
            assert reached(yard.machine, "127.8.0.1", 9999)
            assert not client.reaches("127.8.0.1", 9999)
    finally:
        client.run("ip", "route", "delete", "127.8.0.1")
    assert yard.firewall.counters()["loopback"].packets >= 1


def test_established_connections_outlive_a_replacement(yard: Yard) -> None:
    server = yard.stations["a2"]
    port = published(server.address, 8080, 80)
    yard.reset(port)
    with server.serving("web", 80), yard.peer.connect(yard.machine.address, 8080) as connection:
        connection.recv(200)
        yard.reset(port)
        connection.send(b"still there?")
        assert connection.recv(200) == b"still there?"


@BOTH
def test_the_host_is_no_router_because_of_us(yard: Yard, version: int) -> None:
    """The world sends through the machine what is for a network behind the peer."""
    far, net = ("10.9.0.1", "10.9.0.0/24") if version == 4 else ("fd09::1", "fd09::/64")
    yard.machine.run("ip", "route", "add", net, "via", address_of(yard.peer, version))
    yard.peer.run(
        "ip", "address", "add", f"{far}/32" if version == 4 else f"{far}/128", "dev", "lo"
    )
    yard.world.place.run("ip", "route", "add", net, "via", address_of(yard.machine, version))
    try:
        with yard.peer.serving("far", 80):
            assert reached(yard.world.place, far, 80)
            yard.firewall.change(add=[Fence()])
            assert not yard.world.place.reaches(far, 80)
            assert reached(yard.stations["a2"], far, 80)
            yard.firewall.change(remove=[Fence()])
            assert reached(yard.world.place, far, 80)
    finally:
        yard.machine.run("ip", "route", "delete", net)
        yard.world.place.run("ip", "route", "delete", net)


def test_udp_follows_its_port_to_the_next_container(yard: Yard) -> None:
    """Connection tracking would send a client that never falls silent to the container before."""
    one, other = (
        Published("udp", None, 5353, 5353, ip_address(yard.stations[name].address), 53)
        for name in ("a2", "a3")
    )
    with (
        yard.stations["a2"].serving("one", 53, udp=True),
        yard.stations["a3"].serving("other", 53, udp=True),
        yard.peer.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as client,
    ):
        client.settimeout(PATIENCE)
        client.connect((yard.machine.address, 5353))

        def ask() -> str:
            client.send(b"?")
            return client.recv(100).decode().split()[0]

        with pytest.raises(ConnectionRefusedError):
            ask()
        yard.firewall.change(add=[one])
        assert ask() == "one"
        yard.firewall.change(remove=[one], add=[other])
        assert ask() == "other"
