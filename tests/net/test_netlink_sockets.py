"""Batches, dumps and refusals, against the kernel."""

import errno
from ipaddress import IPv4Interface

import pytest

from boxship.net.links import Links
from boxship.net.namespaces import run_inside
from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Message
from boxship.net.netlink.sockets import ROUTE, NetlinkError, NetlinkSocket

pytestmark = pytest.mark.privileged


def addresses(count: int) -> list[Message]:
    return [
        route.add_address(1, IPv4Interface((0x7F000100 + number, 32))) for number in range(count)
    ]


def test_a_batch_is_one_request(place) -> None:
    place.links.socket.request(addresses(60))
    assert len(place.links.addresses("lo")) == 60


def test_a_refusal_names_operation_object_and_reason(place) -> None:
    with pytest.raises(NetlinkError) as caught:
        place.links.socket.request(
            [route.add_bridge("one"), route.add_bridge("one"), route.add_bridge("two")]
        )
    assert caught.value.errno == errno.EEXIST
    assert caught.value.position == 1
    assert str(caught.value) == "add bridge one: File exists"
    # Routing carries out the rest of a batch; who sends one has to undo.
    assert [link.name for link in place.links.all()] == ["lo", "one", "two"]
    with pytest.raises(NetlinkError, match=r"\(.+\)") as caught:
        place.links.set_mtu("one", 1)
    assert "set mtu of one" in str(caught.value)
    assert "mtu" in caught.value.reason.lower()


def test_a_refusal_does_not_spoil_the_next_request(place) -> None:
    for _ in range(3):
        with pytest.raises(NetlinkError):
            place.links.get("absent")
    assert place.links.get("lo").ifindex == 1
    with pytest.raises(NetlinkError, match="No such device"):
        place.links.set_up(4711)


def test_a_dump_of_many_parts_is_whole(place) -> None:
    place.links.socket.request(addresses(1500))
    assert len({address for _, address in place.links.addresses()}) == 1500


def test_a_request_larger_than_the_buffer_is_sent(place) -> None:
    padding = codec.attribute(route.IFLA_IFALIAS, b"a" * 255)
    messages = [route.set_link("lo", padding) for _ in range(3000)]
    place.links.socket.request(messages)
    assert place.links.get("lo").alias == "a" * 255


def test_notifications_arrive(place) -> None:
    group = 5  # RTNLGRP_IPV4_IFADDR
    with run_inside(place.namespace, lambda: NetlinkSocket(ROUTE, groups=[group])) as monitor:
        place.links.socket.request(addresses(1))
        answers = monitor.receive()
    assert {answer.kind for answer in answers} == {route.NEWADDR}
    assert {answer.port for answer in answers} == {place.links.socket.port}


def test_a_socket_stays_where_it_was_made(place) -> None:
    place.links.add_dummy("here")
    with Links.open() as ours:
        assert ours.find("here") is None
    with Links.open(place.namespace) as theirs:
        assert theirs.find("here") is not None
