"""Stations that pretend to be somebody else, by hand-made frames."""

import socket
import struct
from ipaddress import ip_address

import pytest

from support.places import SILENCE, Place
from support.yard import StationPlace, Yard, reached

pytestmark = pytest.mark.privileged

_IPV4, _ARP, _IPV6, _VLAN = 0x0800, 0x0806, 0x86DD, 0x8100
_PORT = 7777
_EVERYBODY = "ff:ff:ff:ff:ff:ff"


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp4(source: str, destination: str, text: bytes) -> bytes:
    addresses = ip_address(source).packed + ip_address(destination).packed
    datagram = struct.pack("!HHHH", 1, _PORT, 8 + len(text), 0) + text
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(datagram), 1, 0, 64, 17, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + datagram


def above_ipv6(source: str, destination: str, protocol: int, body: bytes, at: int) -> bytes:
    """``at``: where in the body its checksum is, which is mended."""
    addresses = ip_address(source).packed + ip_address(destination).packed
    pseudo = addresses + struct.pack("!II", len(body), protocol)
    padded = pseudo + body + bytes(len(body) % 2)
    body = body[:at] + struct.pack("!H", checksum(padded)) + body[at + 2 :]
    return struct.pack("!IHBB", 6 << 28, len(body), protocol, 255) + addresses + body


def udp6(source: str, destination: str, text: bytes) -> bytes:
    body = struct.pack("!HHHH", 1, _PORT, 8 + len(text), 0) + text
    return above_ipv6(source, destination, 17, body, 6)


def arp_reply(sender_mac: str, sender: str, target_mac: str, target: str) -> bytes:
    head = struct.pack("!HHBBH", 1, _IPV4, 6, 4, 2)
    parties = ((sender_mac, sender), (target_mac, target))
    return head + b"".join(mac(m) + ip_address(a).packed for m, a in parties)


def advertisement(source: str, destination: str, target: str, link: str) -> bytes:
    """A neighbour advertisement (RFC 4861, 4.4), solicited and overriding."""
    body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + ip_address(target).packed
    return above_ipv6(source, destination, 58, body + b"\x02\x01" + mac(link), 2)


def router_advertisement(source: str) -> bytes:
    """A router advertisement (RFC 4861, 4.2) that lives for half an hour."""
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, 1800, 0, 0)
    return above_ipv6(source, "ff02::1", 58, body, 2)


def send(station: Place, kind: int, payload: bytes, *, source: str, to: str) -> None:
    with station.open_socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("eth0", 0))
        raw.send(mac(to) + mac(source) + struct.pack("!H", kind) + payload)


class Ear:
    """Hears what arrives on a port, of either family."""

    def __init__(self, place: Place) -> None:
        self._socket = place.open_socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self._socket.bind(("::", _PORT))
        self._socket.settimeout(SILENCE)

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hears(self) -> bytes:
        try:
            return self._socket.recv(100)
        except TimeoutError:
            return b""


@pytest.fixture
def liar(yard: Yard) -> StationPlace:
    return yard.stations["a2"]


@pytest.fixture
def victim(yard: Yard) -> StationPlace:
    return yard.stations["a3"]


def spoofed(yard: Yard) -> int:
    return yard.firewall.counters()["spoofed"].packets


def test_ipv4_from_its_own_address_alone(yard: Yard, liar: StationPlace, victim: StationPlace):
    with Ear(victim) as ear:
        send(liar, _IPV4, udp4(liar.address, victim.address, b"true"), source=liar.mac,
             to=victim.mac)  # fmt: skip
        assert ear.hears() == b"true"
        for claimed in ("10.1.0.1", "10.2.0.2", "192.0.2.1", "0.0.0.0"):
            send(liar, _IPV4, udp4(claimed, victim.address, b"false"), source=liar.mac,
                 to=victim.mac)  # fmt: skip
        assert ear.hears() == b""
    assert spoofed(yard) == 4


def test_ipv6_from_its_own_addresses_alone(yard: Yard, liar: StationPlace, victim: StationPlace):
    before = spoofed(yard)
    with Ear(victim) as ear:
        for claimed, heard in ((liar.address6, b"true"), ("fd01::1", b""), ("fd02::2", b"")):
            send(liar, _IPV6, udp6(claimed, victim.address6, b"true"), source=liar.mac,
                 to=victim.mac)  # fmt: skip
            assert ear.hears() == heard
    assert spoofed(yard) >= before + 2


def test_no_other_mac(yard: Yard, liar: StationPlace, victim: StationPlace) -> None:
    with Ear(victim) as ear:
        packet = udp4(liar.address, victim.address, b"false")
        for claimed in (victim.mac, "02:42:0a:01:00:63"):
            send(liar, _IPV4, packet, source=claimed, to=victim.mac)
        assert ear.hears() == b""
    # The bridge has not learnt either that the victim's MAC were at the liar's port.
    learnt = yard.machine.run("bridge", "fdb", "show", "dev", "va2")
    assert victim.mac not in learnt
    assert spoofed(yard) == 2


def test_no_other_ethertype(yard: Yard, liar: StationPlace, victim: StationPlace) -> None:
    """A tag hides what is behind it, and the bridge hands it on as it is."""
    tagged = struct.pack("!HH", 5, _IPV4) + udp4("10.1.0.1", victim.address, b"false")
    send(liar, _VLAN, tagged, source=liar.mac, to=victim.mac)
    assert spoofed(yard) == 1


def test_arp_cannot_take_anothers_address(
    yard: Yard, liar: StationPlace, victim: StationPlace
) -> None:
    """Neither the gateway's towards a neighbour nor a neighbour's towards the gateway."""
    with yard.machine.serving("gateway", 80):
        assert reached(victim, "10.1.0.1", 80)
    for claimed_mac, claimed in ((liar.mac, "10.1.0.1"), ("02:42:0a:01:00:63", liar.address)):
        lie = arp_reply(claimed_mac, claimed, victim.mac, victim.address)
        send(liar, _ARP, lie, source=liar.mac, to=victim.mac)
    lie = arp_reply(liar.mac, victim.address, _EVERYBODY, "10.1.0.1")
    send(liar, _ARP, lie, source=liar.mac, to=_EVERYBODY)
    assert spoofed(yard) == 3
    known = victim.run("ip", "neighbour", "show", "10.1.0.1")
    assert liar.mac not in known
    assert liar.mac not in yard.machine.run("ip", "neighbour", "show", victim.address)


def test_neighbour_discovery_cannot_take_anothers_address(
    yard: Yard, liar: StationPlace, victim: StationPlace
) -> None:
    with yard.machine.serving("gateway", 80):
        assert reached(victim, "fd01::1", 80)
    before = spoofed(yard)
    for source in (liar.address6, "fe80::42:aff:fe01:2", "fd01::1"):
        lie = advertisement(source, victim.address6, "fd01::1", liar.mac)
        send(liar, _IPV6, lie, source=liar.mac, to=victim.mac)
    assert spoofed(yard) >= before + 3
    assert liar.mac not in victim.run("ip", "neighbour", "show", "fd01::1")


def test_a_link_local_address_is_its_owners_alone(
    yard: Yard, liar: StationPlace, victim: StationPlace
) -> None:
    """A solicitation tells the sender's MAC as well (RFC 4861, 7.2.3)."""
    neighbour = "fe80::42:aff:fe01:63"
    asking = struct.pack("!BBHI", 135, 0, 0, 0) + ip_address(victim.address6).packed
    lie = above_ipv6(neighbour, victim.address6, 58, asking + b"\x01\x01" + mac(liar.mac), 2)
    before = spoofed(yard)
    send(liar, _IPV6, lie, source=liar.mac, to=victim.mac)
    assert spoofed(yard) == before + 1
    assert neighbour not in victim.run("ip", "-6", "neighbour", "show")


def test_a_station_is_no_router(yard: Yard, liar: StationPlace, victim: StationPlace) -> None:
    victim.run("sysctl", "-qw", "net.ipv6.conf.eth0.accept_ra=2")
    before = spoofed(yard)
    lie = router_advertisement("fe80::42:aff:fe01:2")
    send(liar, _IPV6, lie, source=liar.mac, to="33:33:00:00:00:01")
    assert spoofed(yard) == before + 1
    assert "fe80::42" not in victim.run("ip", "-6", "route", "show", "default")


def test_an_added_address_is_of_no_use(yard: Yard, liar: StationPlace) -> None:
    liar.run("ip", "address", "add", "10.1.0.99/24", "dev", "eth0")
    try:
        with yard.peer.serving("far", 80):
            assert reached(liar, yard.peer.address, 80)
            with pytest.raises(TimeoutError):
                liar.ask(yard.peer.address, 80, source="10.1.0.99", timeout=SILENCE)
    finally:
        liar.run("ip", "address", "delete", "10.1.0.99/24", "dev", "eth0")


def test_a_station_that_is_gone_is_not_looked_at(yard: Yard, liar: StationPlace) -> None:
    yard.firewall.change(remove=[liar.fact])
    assert "va2" not in yard.machine.run("nft", "list", "table", "bridge", "boxship")
