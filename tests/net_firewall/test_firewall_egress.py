"""Egress rules: what passes, what is refused, and what is reported of it."""

import itertools
import queue
import socket
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.net.firewall.audit import Report
from boxship.net.firewall.boxes import Box, cut_apart, disjoint
from boxship.net.firewall.facts import EgressPolicy, EgressRule, Published
from boxship.net.firewall.firewall import Firewall
from boxship.net.firewall.named import MOST, Named
from boxship.net.firewall.ruleset import Ruleset
from support.machines import OUTSIDE4
from support.places import PATIENCE, Place
from support.yard import StationPlace, Yard, reached

privileged = pytest.mark.privileged


def rule(
    station: str, verdict: str, destination: str, protocol: str = "", ports: str = "0-65535"
) -> EgressRule:
    first, _, last = ports.partition("-")
    network = ip_network(destination)
    return EgressRule(
        ip_address(station), verdict, network, protocol, int(first), int(last or first)
    )


@pytest.fixture
def guarded(yard: Yard) -> StationPlace:
    return yard.stations["a2"]


@pytest.fixture
def reports(yard: Yard) -> Iterator["queue.Queue[Report]"]:
    found: queue.Queue[Report] = queue.Queue()
    yard.machine.inside(lambda: yard.firewall.audit(found.put))
    yield found
    yard.firewall.unaudit()


def refused(place: Place, address: str, port: int) -> bool:
    """At once; a time-out is no refusal."""
    try:
        place.ask(address, port, timeout=PATIENCE)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


@privileged
@pytest.mark.parametrize("version", [4, 6])
def test_denied_by_default_but_for_what_is_allowed(
    yard: Yard, guarded: StationPlace, version: int
) -> None:
    mine = guarded.address if version == 4 else guarded.address6
    peer = yard.peer.address if version == 4 else yard.peer.address6
    yard.reset(EgressPolicy("br-a", guarded.mac), rule(mine, "allow", peer, "tcp", "80-81"))
    with yard.peer.serving("far", 80, 81, 82), yard.peer.serving("far", 80, udp=True):
        assert reached(guarded, peer, 80)
        assert reached(guarded, peer, 81)
        assert refused(guarded, peer, 82)
        assert not guarded.reaches(peer, 80, udp=True)
        assert reached(yard.stations["a3"], peer, 82)
    assert yard.firewall.counters()["egress"].packets >= 2


@privileged
def test_the_host_and_other_networks_are_out_as_well(yard: Yard, guarded: StationPlace) -> None:
    other = yard.stations["b2"]
    port = Published("tcp", None, 8080, 8080, ip_address(other.address), 80)
    yard.reset(EgressPolicy("br-a", guarded.mac), port)
    with yard.machine.serving("host", 9000), other.serving("other", 80):
        for address in ("10.1.0.1", "fd01::1", yard.machine.address):
            assert refused(guarded, address, 9000)
        assert refused(guarded, yard.machine.address, 8080)
        assert reached(yard.stations["a3"], yard.machine.address, 8080)


@privileged
def test_its_own_network_and_who_calls_are_none_of_egress(
    yard: Yard, guarded: StationPlace
) -> None:
    port = Published("tcp", None, 8080, 8080, ip_address(guarded.address), 80)
    yard.reset(EgressPolicy("br-a", guarded.mac), port)
    neighbour = yard.stations["a3"]
    with guarded.serving("guarded", 80), neighbour.serving("neighbour", 80):
        assert reached(guarded, neighbour.address, 80)
        assert reached(guarded, neighbour.address6, 80)
        assert reached(yard.peer, yard.machine.address, 8080)
        assert reached(yard.machine, "127.0.0.1", 8080)


@privileged
def test_link_local_addresses_are_no_way_round(yard: Yard, guarded: StationPlace) -> None:
    yard.reset(EgressPolicy("br-a", guarded.mac))
    shown = yard.machine.run("ip", "-6", "-o", "address", "show", "dev", "br-a", "scope", "link")
    gateway = shown.split()[3].partition("/")[0]

    def call(place: Place) -> None:
        scope = place.inside(lambda: socket.if_nametoindex("eth0"))
        with place.open_socket(socket.AF_INET6, socket.SOCK_STREAM) as calling:
            calling.settimeout(PATIENCE)
            calling.connect((gateway, 9000, 0, scope))

    with yard.machine.serving("host", 9000):
        call(yard.stations["a3"])
        with pytest.raises(ConnectionRefusedError):
            call(guarded)


@privileged
def test_allowed_by_default_but_for_what_is_denied(yard: Yard, guarded: StationPlace) -> None:
    yard.reset(
        EgressPolicy("br-a", guarded.mac, "allow"),
        rule(guarded.address, "deny", f"{yard.peer.address}/32"),
    )
    with yard.peer.serving("far", 80), yard.world.place.serving("world", 80):
        assert refused(guarded, yard.peer.address, 80)
        assert reached(guarded, OUTSIDE4, 80)


@privileged
def test_rules_may_overlap_and_come_and_go(yard: Yard, guarded: StationPlace) -> None:
    peer = yard.peer.address
    wide = rule(guarded.address, "allow", "198.51.100.0/24", "tcp", "80-90")
    narrow = rule(guarded.address, "allow", f"{peer}/32", "", "85-95")
    yard.reset(EgressPolicy("br-a", guarded.mac), wide)
    with yard.peer.serving("far", 80, 85, 95):
        yard.firewall.change(add=[narrow])
        assert all(reached(guarded, peer, port) for port in (80, 85, 95))
        yard.firewall.change(remove=[wide])
        assert refused(guarded, peer, 80)
        assert reached(guarded, peer, 85)
        assert reached(guarded, peer, 95)


@privileged
def test_names_open_for_a_while(yard: Yard, guarded: StationPlace) -> None:
    peer = yard.peer.address
    yard.reset(EgressPolicy("br-a", guarded.mac))
    with yard.peer.serving("far", 80, 81):
        assert refused(guarded, peer, 80)
        answer = rule(guarded.address, "allow", f"{peer}/32", "tcp", "80")
        yard.firewall.allow_named(answer, 30)
        assert reached(guarded, peer, 80)
        assert refused(guarded, peer, 81)
        yard.firewall.allow_named(rule(guarded.address, "allow", f"{peer}/32"), 60)
        yard.firewall.allow_named(answer, 300)
        assert reached(guarded, peer, 81)
        listed = yard.machine.run("nft", "list", "set", "inet", "boxship", "named4")
        assert "tcp . 80 timeout 6m" in listed
        yard.firewall.replace(yard.firewall.facts())
        assert reached(guarded, peer, 81)
        # Its address is the next one's, but not what it was allowed.
        yard.firewall.change(remove=[guarded.fact])
        yard.firewall.change(add=[guarded.fact])
        assert refused(guarded, peer, 80)


@privileged
def test_no_name_opens_the_host(yard: Yard, guarded: StationPlace) -> None:
    yard.reset(EgressPolicy("br-a", guarded.mac))
    mine, machine = guarded.address, yard.machine.address
    with yard.machine.serving("host", 9000), yard.peer.serving("far", 9000):
        for address in (yard.peer.address, "10.1.0.1", machine):
            yard.firewall.allow_named(rule(mine, "allow", f"{address}/32"), 60)
        assert guarded.reaches(yard.peer.address, 9000)
        assert refused(guarded, "10.1.0.1", 9000)
        assert refused(guarded, machine, 9000)
        yard.firewall.change(add=[rule(mine, "allow", f"{machine}/32")])
        assert guarded.reaches(machine, 9000)
    yard.firewall.change(remove=[guarded.fact])


@privileged
@pytest.mark.parametrize("version", [4, 6])
def test_what_names_opened_outlives_the_daemon(
    yard: Yard, guarded: StationPlace, version: int
) -> None:
    """And is closed in time, not before and not later."""
    mine = guarded.address if version == 4 else guarded.address6
    peer = yard.peer.address if version == 4 else yard.peer.address6
    yard.reset(EgressPolicy("br-a", guarded.mac))
    answer = rule(mine, "allow", peer, "tcp", "80")
    yard.firewall.allow_named(answer, 600)
    after_kill = Firewall()
    yard.machine.inside(after_kill.open)
    try:
        with yard.peer.serving("far", 80, 81):
            yard.machine.inside(lambda: after_kill.replace(yard.firewall.facts()))
            assert reached(guarded, peer, 80)
            after_kill.allow_named(rule(mine, "allow", peer, "tcp", "80-81"), 1200)
            assert reached(guarded, peer, 81)
    finally:
        after_kill.close(remove=False)


@privileged
def test_named_elements_that_have_ended_are_not_in_the_way(
    yard: Yard, guarded: StationPlace
) -> None:
    answer = rule(guarded.address, "allow", "192.0.2.1/32", "tcp", "80")
    yard.firewall.allow_named(answer, 30)
    yard.machine.run("nft", "flush", "set", "inet", "boxship", "named4")
    yard.firewall.allow_named(answer, 300)
    assert "192.0.2.1" in yard.machine.run("nft", "list", "set", "inet", "boxship", "named4")


@privileged
@pytest.mark.parametrize("version", [4, 6])
def test_both_verdicts_are_reported(
    yard: Yard, guarded: StationPlace, reports: "queue.Queue[Report]", version: int
) -> None:
    mine = guarded.address if version == 4 else guarded.address6
    peer = yard.peer.address if version == 4 else yard.peer.address6
    yard.reset(EgressPolicy("br-a", guarded.mac), rule(mine, "allow", peer, "tcp", "80"))
    with yard.peer.serving("far", 80):
        assert reached(guarded, peer, 80)
        passed = reports.get(timeout=PATIENCE)
        assert refused(guarded, peer, 25)
        denied = reports.get(timeout=PATIENCE)
    ends = (ip_address(mine), guarded.mac, ip_address(peer), "tcp")
    for report, port, verdict in ((passed, 80, "allow"), (denied, 25, "deny")):
        assert (report.station, report.mac, report.destination, report.protocol) == ends
        assert (report.port, report.verdict) == (port, verdict)
        assert report.source_port > 1000


def test_longer_answers_win_where_they_overlap() -> None:
    named = Named(Ruleset.named("boxship", 1))
    short, long = rule("10.0.0.2", "allow", "192.0.2.1", "tcp", "80-90"), \
        rule("10.0.0.2", "allow", "192.0.2.1", "tcp", "85")  # fmt: skip
    assert named.allow(short, 0.0, 10) is not None
    change = named.allow(long, 0.0, 100)
    assert change is not None
    removed, added = change
    assert [len(removed), len(added)] == [1, 3]
    assert sorted(round(element.seconds) for element in added) == [70, 70, 160]
    assert named.allow(short, 1.0, 20) is None, "there is grace enough"
    assert len(named.elements(100.0)) == 1
    assert named.elements(1000.0) == []


def test_what_is_open_to_a_station_is_bounded() -> None:
    named = Named(Ruleset.named("boxship", 1))
    rules = [rule("10.0.0.2", "allow", f"192.0.{i >> 8}.{i & 255}") for i in range(MOST + 1)]
    assert all(named.allow(one, 0.0, 60) for one in rules[:-1])
    assert named.allow(rules[-1], 1.0, 60) is None
    assert named.allow(rule("10.0.0.3", "allow", "192.0.2.1"), 1.0, 60) is not None
    assert named.allow(rules[-1], 1000.0, 60) is not None, "the others have ended"
    assert len(named.elements(1000.0)) == 1


_interval = st.tuples(st.integers(0, 6), st.integers(0, 6)).map(lambda pair: (min(pair), max(pair)))
_boxes = st.lists(st.tuples(_interval, _interval, _interval), max_size=6)


def points(box: Box) -> set[tuple[int, ...]]:
    return set(itertools.product(*(range(first, last + 1) for first, last in box)))


@given(_boxes)
def test_disjoint_boxes_cover_the_same(boxes: list[Box]) -> None:
    pieces = disjoint(boxes)
    covered = [point for piece in pieces for point in points(piece)]
    assert len(covered) == len(set(covered))
    assert set(covered) == set().union(*map(points, boxes))


@given(_boxes)
def test_pieces_belong_to_the_first_box_that_has_them(boxes: list[Box]) -> None:
    for box, piece in cut_apart(boxes):
        first = next(one for one in boxes if points(piece) & points(one))
        assert points(first) == points(box)
