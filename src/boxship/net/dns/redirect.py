"""Port 53 of 127.0.0.11 in a container's network namespace leads to where the resolver listens.

The resolver does not bind port 53 there: a program of the container that wants the port on all
addresses (a name server, of all things) could not have it. Docker leads it elsewhere by NAT. NAT
needs connection tracking, which would then look at all traffic of the container and remember each
lookup for half a minute; at some thousand lookups a second its table is full, and connections fail
that have nothing to do with names. Here the ports are rewritten packet by packet instead:

::

    table ip boxship_dns {
        chain there { type filter hook output priority -300
            ip daddr 127.0.0.11 udp dport 53 udp dport set PORT      (and the same for tcp) }
        chain back { type filter hook input priority 300
            ip saddr 127.0.0.11 udp sport PORT udp sport set 53      (and the same for tcp) }
    }

The way there is rewritten before connection tracking sees it and the way back after, so that a
container that does track its connections sees one flow between the same two ports.
"""

import socket

from boxship.net.netlink.codec import CREATE, Message, be32, nested, text
from boxship.net.netlink.codec import attribute as raw
from boxship.net.netlink.sockets import NETFILTER, NetlinkSocket

ADDRESS = "127.0.0.11"
PORT = 53
TABLE = "boxship_dns"

_BEGIN, _END = 0x10, 0x11
_NEW_TABLE, _DELETE_TABLE, _NEW_CHAIN, _NEW_RULE = 0x0A00, 0x0A02, 0x0A03, 0x0A06
_IPV4 = 2
_APPEND = 0x800
_INPUT, _OUTPUT = 1, 3
_NETWORK, _TRANSPORT = 1, 2
_SADDR, _DADDR = 12, 16
_SPORT, _DPORT = 0, 2
_REGISTER = 1
_L4PROTO = 16
_CHECKSUM_AT = {socket.IPPROTO_UDP: 6, socket.IPPROTO_TCP: 16}


def install(port: int) -> None:
    """Lead 127.0.0.11:53 of the network namespace we are in to ``port``, by one transaction.

    A redirect of an earlier resolver is replaced. ``OSError`` if the kernel has no nf_tables.
    """
    with NetlinkSocket(NETFILTER) as nftables:
        messages = _messages(port)
        nftables.request(messages, acknowledged=len(messages) - 2)


def _messages(port: int) -> list[Message]:
    def message(kind: int, *attributes: bytes, flags: int = 0) -> Message:
        return Message(kind, flags, _header(0) + b"".join(attributes), "redirect names", ADDRESS)

    table = text(1, TABLE)
    made = [
        Message(_BEGIN, 0, _header(10), "redirect names", ADDRESS),
        message(_NEW_TABLE, table, flags=CREATE),
        message(_DELETE_TABLE, table),
        message(_NEW_TABLE, table, flags=CREATE),
    ]
    here, there = PORT.to_bytes(2, "big"), port.to_bytes(2, "big")
    for chain, hook, priority, ports in (
        ("there", _OUTPUT, -300, (_DADDR, _DPORT, here, there)),
        ("back", _INPUT, 300, (_SADDR, _SPORT, there, here)),
    ):
        place = nested(4, be32(1, hook), be32(2, priority & 0xFFFFFFFF))
        made.append(
            message(
                _NEW_CHAIN, text(1, TABLE), text(3, chain), place, text(7, "filter"), flags=CREATE
            )
        )
        made += [
            message(
                _NEW_RULE,
                text(1, TABLE),
                text(2, chain),
                nested(4, *_rewriting(protocol, *ports)),
                flags=CREATE | _APPEND,
            )
            for protocol in _CHECKSUM_AT
        ]
    made.append(Message(_END, 0, _header(10), "redirect names", ADDRESS))
    return made


def _rewriting(protocol: int, address_at: int, port_at: int, old: bytes, new: bytes) -> list[bytes]:
    """Return the expressions of a rule: if address, protocol and port are so, set the port."""
    return [
        _expression("payload", *_load(_NETWORK, address_at, 4)),
        _equals(socket.inet_aton(ADDRESS)),
        _expression("meta", be32(1, _REGISTER), be32(2, _L4PROTO)),
        _equals(bytes((protocol,))),
        _expression("payload", *_load(_TRANSPORT, port_at, 2)),
        _equals(old),
        _expression("immediate", be32(1, _REGISTER), nested(2, raw(1, new))),
        _expression(
            "payload",
            be32(5, _REGISTER),
            be32(2, _TRANSPORT),
            be32(3, port_at),
            be32(4, 2),
            be32(6, 1),
            be32(7, _CHECKSUM_AT[protocol]),
        ),
    ]


def _load(base: int, offset: int, length: int) -> tuple[bytes, ...]:
    return be32(1, _REGISTER), be32(2, base), be32(3, offset), be32(4, length)


def _equals(value: bytes) -> bytes:
    return _expression("cmp", be32(1, _REGISTER), be32(2, 0), nested(3, raw(1, value)))


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _header(resource: int) -> bytes:
    """Return ``struct nfgenmsg``."""
    family = 0 if resource else _IPV4
    return bytes((family, 0)) + resource.to_bytes(2, "big")
