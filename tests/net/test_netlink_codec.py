"""Messages and attributes as bytes."""

import pytest

from boxship.net.netlink import codec, route
from boxship.net.netlink.codec import Message


def test_attributes_are_padded_to_four_bytes() -> None:
    assert codec.text(3, "eth0").hex() == "0900" + "0300" + "65746830" + "00" + "000000"
    assert codec.be32(1, 10).hex() == "0800" + "0100" + "0000000a"


def test_attributes_are_read_back_in_order() -> None:
    data = codec.nested(1, codec.u8(7, 1)) + codec.u32(2, 5) + codec.u32(2, 6)
    inner = codec.u8(7, 1)
    assert codec.parse_list(data) == [(1, inner), (2, b"\5\0\0\0"), (2, b"\6\0\0\0")]
    assert codec.parse(data) == {1: inner, 2: b"\6\0\0\0"}


@pytest.mark.parametrize("broken", [b"\x02\0\1\0", b"\xff\0\1\0abc", b"\1"], ids=repr)
def test_malformed_attributes_end_the_list(broken: bytes) -> None:
    assert codec.parse_list(codec.u8(7, 1) + broken) == [(7, b"\1")]


def test_messages_follow_one_another_aligned() -> None:
    first = codec.encoded(Message(16, codec.CREATE, b"abc"), 7, codec.REQUEST)
    second = codec.encoded(Message(17, 0, b""), 8, codec.REQUEST | codec.ACK)
    assert len(first) == 20
    assert [tuple(one)[:4] for one in codec.decoded(first + second)] == [
        (16, codec.CREATE | codec.REQUEST, 7, b"abc"),
        (17, codec.REQUEST | codec.ACK, 8, b""),
    ]
    assert len(list(codec.decoded((first + second)[:-1]))) == 1


@pytest.mark.parametrize("wrong", ["", "02:42", "02:42:ac:11:00:zz", "02:42:ac:11:00:002"])
def test_what_is_no_mac_address_is_said(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a MAC address"):
        route.mac_bytes(wrong)


@pytest.mark.parametrize("wrong", ["", ".", "..", "a" * 16, "a/b", "a b", "a:b"])
def test_what_cannot_name_an_interface_is_said(wrong: str) -> None:
    with pytest.raises(ValueError, match="can't name an interface"):
        route.named(wrong)


def test_other_words_than_the_modes_are_refused_with_the_choice() -> None:
    with pytest.raises(ValueError, match=r"'bidge' is not a macvlan mode \(private, vepa, bridge"):
        route.add_macvlan("a", 1, mode="bidge")
    with pytest.raises(ValueError, match=r"4095 is not an 802.1q tag"):
        route.add_vlan("a", 1, 4095)
