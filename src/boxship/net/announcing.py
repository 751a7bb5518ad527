"""Telling neighbours which hardware address an address has now (RFC 5227, RFC 4861 7.2.6).

A container that takes over an address from one with another MAC would not be reached before the
neighbours' entries are found stale, which takes them seconds. Frames go out of the bridge's own
interface, that is to all its ports: the new port itself may not forward yet.
"""

import contextlib
import socket
import struct
from collections.abc import Iterable

from boxship.net.netlink.route import Address, mac_bytes

_EVERYBODY = b"\xff" * 6
_ALL_NODES = socket.inet_pton(socket.AF_INET6, "ff02::1")
_ALL_NODES_MAC = bytes.fromhex("333300000001")
_ARP, _IPV6, _ICMPV6 = 0x0806, 0x86DD, 58
_ADVERTISEMENT, _OVERRIDE, _TARGET_ADDRESS = 136, 0x2000_0000, 2


class Announcer:
    """A packet socket in the network namespace of the thread that made it. Thread-safe.

    One for the daemon's life: closing a packet socket waits for all processors, some 10 ms.
    """

    def __init__(self) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        # Protocol 0: it receives nothing, so nothing of it is on the path of packets.
        self._socket = socket.socket(socket.AF_PACKET, kind, 0)

    def announce(self, interface: str, mac: str, addresses: Iterable[Address]) -> None:
        """Say on ``interface`` that ``mac`` has ``addresses``. Best effort, as the protocol is."""
        raw = mac_bytes(mac)
        for address in addresses:
            build = gratuitous_arp if address.version == 4 else unsolicited_advertisement
            with contextlib.suppress(OSError):
                self._socket.sendto(build(raw, address.packed), (interface, 0))

    def close(self) -> None:
        """Close the socket; safe to repeat."""
        self._socket.close()


def gratuitous_arp(mac: bytes, address: bytes) -> bytes:
    """Return the Ethernet frame of an ARP announcement: a request for one's own address."""
    head = _EVERYBODY + mac + struct.pack("!H", _ARP)
    return head + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac + address + bytes(6) + address


def unsolicited_advertisement(mac: bytes, address: bytes) -> bytes:
    """Return the Ethernet frame of a neighbour advertisement to all nodes that overrides."""
    body = struct.pack("!I", _OVERRIDE) + address
    body += struct.pack("!BB", _TARGET_ADDRESS, 1) + mac
    length = 4 + len(body)
    pseudo = address + _ALL_NODES + struct.pack("!II", length, _ICMPV6)
    checksum = _checksum(pseudo + struct.pack("!BBH", _ADVERTISEMENT, 0, 0) + body)
    icmp = struct.pack("!BBH", _ADVERTISEMENT, 0, checksum) + body
    head = _ALL_NODES_MAC + mac + struct.pack("!H", _IPV6)
    return head + struct.pack("!IHBB", 6 << 28, length, _ICMPV6, 255) + address + _ALL_NODES + icmp


def _checksum(data: bytes) -> int:
    """RFC 1071, of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF
