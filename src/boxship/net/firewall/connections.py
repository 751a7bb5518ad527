"""Connections that the kernel goes on translating after their port was published differently.

A UDP client that never falls silent keeps its entry in connection tracking alive, and with it the
translation of its first packet: to a container that is gone, or to none. TCP ends by itself. The
entries are read and removed one by one, since removing by filter is refused or, before Linux 5.8,
understood as removing all (linux/netfilter/nfnetlink_conntrack.h).
"""

import contextlib
from collections.abc import Collection
from dataclasses import dataclass
from ipaddress import ip_address

from boxship.net.firewall.facts import Address, Published
from boxship.net.netlink.codec import (
    BE16,
    BE32,
    Answer,
    Attributes,
    Message,
    attribute,
    be16,
    nested,
    parse,
    u8,
    u32,
)
from boxship.net.netlink.sockets import NetlinkError, NetlinkSocket

_GET, _DELETE = 0x0101, 0x0102
_ORIGINAL, _REPLY, _STATUS, _ID, _FILTER = 1, 2, 3, 12, 25
_BY_PROTOCOL, _BY_DESTINATION_PORT = 1 << 3, 1 << 5
_IP, _PROTOCOL = 1, 2
_NUMBER, _DESTINATION_PORT = 1, 3
_UDP = 17
_SEEN_REPLY = 0x2
_FAMILIES = {4: 2, 6: 10}
_BODY = 4


@dataclass(frozen=True, slots=True)
class _Entry:
    destination: Address
    port: int
    answering: Address
    """Who answers, after translation."""
    answered: bool
    removal: Message


def forget_changed(
    socket: NetlinkSocket, added: Collection[Published], removed: Collection[Published]
) -> None:
    """Remove entries that led to ``removed`` ports, or nowhere where ``added`` ones are now."""
    for ports, is_stale in ((removed, _led_to), (added, _missed)):
        for port in ports:
            for entry in _entries(socket, port) if port.protocol == "udp" else ():
                if is_stale(entry, port):
                    with contextlib.suppress(NetlinkError):  # it has ended meanwhile
                        socket.request([entry.removal])


def _led_to(entry: _Entry, port: Published) -> bool:
    return entry.answering == port.target and port.first <= entry.port <= port.last


def _missed(entry: _Entry, port: Published) -> bool:
    """Tell whether an entry is of packets to what was no port then, and so remains for ever."""
    here = port.host_address is None or port.host_address == entry.destination
    untranslated = entry.answering == entry.destination
    return here and untranslated and not entry.answered and port.first <= entry.port <= port.last


def _entries(socket: NetlinkSocket, port: Published) -> list[_Entry]:
    """Return the entries of UDP; kernels since 5.8 leave out those of other ports by themselves."""
    protocol, flags = u8(_NUMBER, _UDP), _BY_PROTOCOL
    if port.first == port.last:
        protocol += be16(_DESTINATION_PORT, port.first)
        flags |= _BY_DESTINATION_PORT
    wanted = nested(_ORIGINAL, nested(_PROTOCOL, protocol)) + nested(_FILTER, u32(1, flags))
    head = bytes((_FAMILIES[port.target.version], 0, 0, 0))
    answers = socket.dump(Message(_GET, 0, head + wanted, "list connections"))
    return [entry for answer in answers if (entry := _entry(answer)) is not None]


def _entry(answer: Answer) -> _Entry | None:
    found = parse(answer.body, _BODY)
    original, reply = parse(found[_ORIGINAL]), parse(found[_REPLY])
    protocol = parse(original[_PROTOCOL])
    if protocol[_NUMBER][0] != _UDP:
        return None
    (port,) = BE16.unpack(protocol[_DESTINATION_PORT])
    (status,) = BE32.unpack(found[_STATUS])
    same = nested(_ORIGINAL, found[_ORIGINAL]) + attribute(_ID, found[_ID])
    removal = Message(_DELETE, 0, answer.body[:_BODY] + same, "forget connection")
    return _Entry(
        _address(original, 2), port, _address(reply, 1), bool(status & _SEEN_REPLY), removal
    )


def _address(tuple_: Attributes, which: int) -> Address:
    """Return the source (1) or the destination (2)."""
    addresses = parse(tuple_[_IP])
    raw = addresses.get(which) or addresses[which + 2]
    return ip_address(raw)
