"""Ports of the host: who has which, and that other programs and ours keep each other out."""

import errno
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.net.portreserve import (
    HostInterval,
    HostPorts,
    NoFreePortError,
    PortUnavailableError,
    same_address,
)
from support.ownports import own_ports

ANY, LOOPBACK = "0.0.0.0", "127.0.0.1"


pytestmark = pytest.mark.privileged


@pytest.fixture(autouse=True, scope="module")
def _own_ports() -> Iterator[None]:
    """No program of the machine is in the way, and no other test."""
    with own_ports():
        yield


@pytest.fixture
def ports() -> Iterator[HostPorts]:
    reserved = HostPorts()
    yield reserved
    reserved.close()


def listening(address: str = LOOPBACK, port: int = 0, *, only_ipv6: bool = True) -> socket.socket:
    """A server as they are written: it does not mind old connections."""
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(only_ipv6))
    try:
        server.bind((address, port))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def free_port() -> int:
    with listening(ANY) as server:
        return int(server.getsockname()[1])


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
@pytest.mark.parametrize("address", [ANY, LOOPBACK, "::", "::1"])
def test_programs_are_kept_away(ports: HostPorts, protocol: str, address: str) -> None:
    port = free_port()
    ports.reserve(HostInterval(protocol, address, port, port), "web")
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with (
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as other,
        pytest.raises(OSError, match="in use"),
    ):
        other.bind((address, port))
    ports.release("web")
    listening(address, port).close()


def test_a_server_that_minds_no_old_connections_is_kept_away_too(ports: HostPorts) -> None:
    port = free_port()
    ports.reserve(HostInterval("tcp", ANY, port, port), "web")
    with pytest.raises(OSError, match="in use"):
        listening(ANY, port)


def test_nobody_is_answered_by_what_holds_a_port(ports: HostPorts) -> None:
    port = free_port()
    ports.reserve(HostInterval("tcp", ANY, port, port), "web")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((LOOPBACK, port), timeout=5)


def test_a_former_servers_connections_do_not_count(ports: HostPorts) -> None:
    with listening(LOOPBACK) as server:
        port = server.getsockname()[1]
        client = socket.create_connection((LOOPBACK, port))
        accepted, _ = server.accept()
    accepted.close()  # the side that ends first is left in TIME_WAIT
    client.recv(1)
    client.close()
    ports.reserve(HostInterval("tcp", ANY, port, port), "web")
    with pytest.raises(OSError, match="in use"):
        listening(ANY, port)


@pytest.mark.parametrize("length", [1, 64, 65, 1000])
def test_a_listening_program_is_in_the_way(ports: HostPorts, length: int) -> None:
    with listening(LOOPBACK) as server:
        port = server.getsockname()[1]
        first = max(1, port - length // 2)
        last = max(port, min(65535, first + length - 1))
        with pytest.raises(PortUnavailableError) as refused:
            ports.reserve(HostInterval("tcp", ANY, first, last), "web")
    assert (refused.value.port, refused.value.holder) == (port, "")
    assert refused.value.error == errno.EADDRINUSE
    ports.reserve(HostInterval("tcp", ANY, port, port), "web")  # nothing of it stayed


@pytest.mark.parametrize("length", [1, 100])
def test_a_server_of_both_families_is_in_the_way_of_ipv4(ports: HostPorts, length: int) -> None:
    with listening("::", only_ipv6=False) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortUnavailableError):
            ports.reserve(HostInterval("tcp", ANY, port - length + 1, port), "web")


def test_a_server_of_ipv6_alone_is_not(ports: HostPorts) -> None:
    with listening("::1") as server:
        port = server.getsockname()[1]
        ports.reserve(HostInterval("tcp", ANY, port - 99, port), "web")


def test_a_foreign_address_is_an_error_of_its_own(ports: HostPorts) -> None:
    for last in (1000, 2000):
        with pytest.raises(PortUnavailableError) as refused:
            ports.reserve(HostInterval("tcp", "192.0.2.7", 1000, last), "web")
        assert refused.value.error == errno.EADDRNOTAVAIL


def test_the_holder_is_named(ports: HostPorts) -> None:
    ports.reserve(HostInterval("udp", ANY, 1000, 2000), "web")
    ports.reserve(HostInterval("tcp", ANY, 1000, 2000), "db")  # another protocol
    with pytest.raises(PortUnavailableError) as refused:
        ports.reserve(HostInterval("udp", LOOPBACK, 1500, 1500), "other")
    assert (refused.value.holder, refused.value.port) == ("web", 1500)


def test_some_ports_of_an_owner_are_given_back(ports: HostPorts) -> None:
    one, two = HostInterval("tcp", LOOPBACK, 1000, 1001), HostInterval("tcp", LOOPBACK, 1002, 1002)
    for interval in (one, two):
        ports.reserve(interval, "web")
    ports.release("web", [one])
    ports.reserve(one, "other")
    with pytest.raises(PortUnavailableError):
        ports.reserve(two, "other")


def test_free_ports_in_a_row_are_found_and_the_next_time_later_ones(ports: HostPorts) -> None:
    base = free_port() // 100 * 100
    within = (base, base + 99)
    ports.reserve_any("tcp", (ANY,), within, 1, "first")
    first = ports.reserve_any("tcp", (ANY, "::"), within, 3, "web")
    ports.release("web")
    assert ports.reserve_any("tcp", (ANY, "::"), within, 3, "web") > first


def test_a_port_that_one_family_has_not_is_left_to_others(ports: HostPorts) -> None:
    with listening("::1", 910):
        assert ports.reserve_any("tcp", (ANY, "::1"), (910, 911), 1, "web") == 911
    ports.reserve(HostInterval("tcp", ANY, 910, 910), "other")


def test_the_search_goes_round(ports: HostPorts) -> None:
    within = (900, 903)
    found = {ports.reserve_any("udp", (LOOPBACK,), within, 1, str(n)) for n in range(4)}
    assert found == {900, 901, 902, 903}
    with pytest.raises(NoFreePortError):
        ports.reserve_any("udp", (LOOPBACK,), within, 1, "late")
    ports.release("1")
    assert ports.reserve_any("udp", (LOOPBACK,), within, 1, "late") == 901


def test_what_a_container_has_stays_its_own_in_any_case(ports: HostPorts) -> None:
    with listening(LOOPBACK) as server:
        port = server.getsockname()[1]
        taken = HostInterval("tcp", ANY, port, port)
        assert not ports.adopt(taken, "web")
        with pytest.raises(PortUnavailableError) as refused:
            ports.reserve(taken, "other")
    assert refused.value.holder == "web"


_ADDRESSES = st.sampled_from([ANY, LOOPBACK, "192.0.2.1", "::", "::1"])
_INTERVALS = st.builds(
    lambda address, first, length: HostInterval("tcp", address, first, first + length),
    _ADDRESSES, st.integers(1, 30), st.integers(0, 10),
)  # fmt: skip


@given(_INTERVALS, _INTERVALS)
def test_overlap_is_what_two_sets_have_in_common(one: HostInterval, other: HostInterval) -> None:
    common = set(range(one.first, one.last + 1)) & set(range(other.first, other.last + 1))
    expected = min(common) if common and same_address(one.address, other.address) else 0
    assert one.overlap(other) == other.overlap(one) == expected


_LONGER = st.builds(
    lambda first, length: HostInterval("tcp", LOOPBACK, first, first + length),
    st.integers(1, 200), st.sampled_from([0, 1, 5, 63, 64, 90]),
)  # fmt: skip
_STEPS = st.lists(st.tuples(st.sampled_from("abc"), st.none() | _LONGER), max_size=12)


@given(_STEPS)
@settings(max_examples=40, deadline=None)
def test_whoever_comes_is_compared_with_all_that_is_given_away(
    steps: list[tuple[str, HostInterval | None]],
) -> None:
    ports, given_away = HostPorts(), list[tuple[str, HostInterval]]()
    try:
        for owner, wanted in steps:
            if wanted is None:
                ports.release(owner)
                given_away = [(other, held) for other, held in given_away if other != owner]
                continue
            taken = [(held.overlap(wanted), other) for other, held in given_away]
            expected = min((each for each in taken if each[0]), default=None)
            try:
                ports.reserve(wanted, owner)
            except PortUnavailableError as error:
                assert (error.port, error.holder) == expected
            else:
                assert expected is None
                given_away.append((owner, wanted))
    finally:
        ports.close()
