"""From wishes to published ports, and the words for what can't be had."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from boxship.engine.networks.portwishes import PortWish
from boxship.engine.networks.publishing import PortTakenError, Publications
from boxship.engine.networks.requests import Tenant
from boxship.model.ports import PortSpan, PublishedPort
from boxship.net.portreserve import ephemeral_range
from support.ownports import own_ports

WEB, DB = Tenant("a" * 64, "web"), Tenant("b" * 64, "db")


pytestmark = pytest.mark.privileged


@pytest.fixture(autouse=True, scope="module")
def _own_ports() -> Iterator[None]:
    """No program of the machine is in the way, and no other test."""
    with own_ports():
        yield


@pytest.fixture
def publications() -> Iterator[Publications]:
    made = Publications()
    yield made
    made.close()


def wish(port: int, first: int = 0, last: int = 0, address: str = "127.0.0.1") -> PortWish:
    return PortWish(PortSpan("tcp", port, port), address, first, last or first)


def test_exact_ports_any_ports_and_one_of_several(publications: Publications) -> None:
    ports = publications.claim(WEB, (wish(80), wish(81, 901), wish(82, 901, 903)), endpoint_id="e")
    assert [(port.container_first, port.host_first) for port in ports[1:]] == [(81, 901), (82, 902)]
    assert ports[0].host_first in range(*ephemeral_range())


def test_neighbours_get_neighbours(publications: Publications) -> None:
    span = PortSpan("udp", 1, 200)
    (port,) = publications.claim(WEB, (PortWish(span),), endpoint_id="e")
    assert port.host_last - port.host_first == 199


def test_neighbours_get_what_there_is(publications: Publications) -> None:
    publications.claim(DB, (wish(1, 905),), endpoint_id="e")
    span = PortSpan("tcp", 1, 4)
    asked = PortWish(span, "127.0.0.1", 903, 907)
    ports = publications.claim(WEB, (asked,), endpoint_id="e")
    assert [port.host_first for port in ports] == [903, 904, 906, 907]


@contextmanager
def room_for(sockets: int) -> Iterator[None]:
    """All descriptors but so many are in use."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        lowest = opened.enter_context(open(os.devnull)).fileno()
        highest = max(int(name) for name in os.listdir("/proc/self/fd")) + 1
        for _ in range(highest - lowest):
            opened.enter_context(open(os.devnull))
        top = opened.enter_context(open(os.devnull)).fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (top + 1 + sockets, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_nothing_is_kept_when_descriptors_run_out(publications: Publications) -> None:
    publications.claim(DB, (wish(1, 905),), endpoint_id="e")
    scattered = PortWish(PortSpan("tcp", 1, 4), "127.0.0.1", 903, 907)
    with room_for(2), pytest.raises(PortTakenError, match="Too many open files"):
        publications.claim(WEB, (scattered,), endpoint_id="e")
    both = PortWish(PortSpan("tcp", 1, 1), "", 903, 904)
    with room_for(1), pytest.raises(PortTakenError, match="Too many open files"):
        publications.claim(WEB, (both,), endpoint_id="e", families=(4, 6))
    assert publications.claim(DB, (wish(1, 903), wish(2, 904)), endpoint_id="e")


def test_a_port_of_another_container(publications: Publications) -> None:
    publications.claim(WEB, (wish(80, 911),), endpoint_id="e1")
    publications.rename(WEB.id, "shop")
    with pytest.raises(PortTakenError) as refused:
        publications.claim(DB, (wish(1, 910), wish(80, 911, address="")), endpoint_id="e2")
    assert str(refused.value) == (
        "driver failed programming external connectivity on endpoint db (e2): "
        "Bind for 0.0.0.0:911 failed: port is already allocated (container shop has 911/tcp)"
    )
    publications.release(WEB.id)
    publications.claim(DB, (wish(1, 910), wish(80, 911)), endpoint_id="e2")  # nothing stayed


def test_a_port_of_a_program(publications: Publications) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortTakenError) as refused:
            publications.claim(WEB, (wish(80, port),), endpoint_id="e1")
    assert str(refused.value) == (
        "driver failed programming external connectivity on endpoint web (e1): "
        f"failed to bind host port 127.0.0.1:{port}/tcp: address already in use"
    )


def test_no_port_of_several_is_free(publications: Publications) -> None:
    publications.claim(WEB, (wish(80, 921), wish(81, 922)), endpoint_id="e1")
    with pytest.raises(PortTakenError, match="all ports are allocated"):
        publications.claim(DB, (wish(80, 921, 922),), endpoint_id="e1")


def test_an_address_of_another_host(publications: Publications) -> None:
    with pytest.raises(PortTakenError, match=r"192.0.2.9:80/tcp: cannot assign requested address"):
        publications.claim(WEB, (wish(80, 80, address="192.0.2.9"),), endpoint_id="e1")


def test_both_families_get_the_same_port(publications: Publications) -> None:
    (port,) = publications.claim(
        WEB, (wish(80, address=""),), endpoint_id="e", families=frozenset({4, 6})
    )
    for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
        with socket.socket(family) as other, pytest.raises(OSError, match="in use"):
            other.bind((address, port.host_first))


def test_a_later_daemon_goes_on(publications: Publications) -> None:
    port = PublishedPort("tcp", 80, 80, 915, 915, "127.0.0.1")
    publications.adopt(WEB, (port,))
    with pytest.raises(PortTakenError, match="container web has"):
        publications.claim(DB, (wish(80, 915),), endpoint_id="e")
    publications.withdraw(WEB.id, (port,))
    publications.claim(DB, (wish(80, 915),), endpoint_id="e")
