"""Which ports the programs of this host have bound (sock_diag(7), linux/inet_diag.h).

::

    request   family u8 | protocol u8 | extensions u8 | 0 | states u32 | socket id, 48 bytes
    answer    family u8 | state u8 | timer u8 | retransmits u8 | source port be16 | … | address …
"""

import errno
import ipaddress
import socket
import struct
from collections.abc import Iterator
from typing import NamedTuple

from boxship.net.netlink import codec
from boxship.net.netlink.codec import Message
from boxship.net.netlink.sockets import SOCK_DIAG, NetlinkError, NetlinkSocket

_BY_FAMILY = 20
_REQUEST = struct.Struct("=BBBBI48x")
_ANSWER = struct.Struct("!BBBBHH16s16s4x8x")
_FULL_ANSWER = 72
_ONLY_IPV6 = 11
_CLOSE, _LISTEN, _BOUND_INACTIVE = 7, 10, 13
"""Of TCP, the last one is a socket that is bound and does not listen; known since Linux 6.8."""
_PROTOCOLS = {
    "tcp": (socket.IPPROTO_TCP, 1 << _LISTEN | 1 << _BOUND_INACTIVE),
    "udp": (socket.IPPROTO_UDP, 1 << _CLOSE),
    "sctp": (socket.IPPROTO_SCTP, 1 << _LISTEN),
}
_UNKNOWN = (errno.ENOENT, errno.EINVAL, errno.EPROTONOSUPPORT)


class BoundSocket(NamedTuple):
    """A socket that waits for clients. ``both_families``: one of IPv6 that takes IPv4, too."""

    address: str
    port: int
    both_families: bool = False


def bound(protocol: str) -> list[BoundSocket]:
    """List the sockets of ``tcp``, ``udp`` or ``sctp``, in the thread's network namespace.

    A protocol whose sockets the kernel cannot list (no module, none loaded) has none.
    """
    number, states = _PROTOCOLS[protocol]
    found: list[BoundSocket] = []
    with NetlinkSocket(SOCK_DIAG) as diagnostics:
        for family in (socket.AF_INET, socket.AF_INET6):
            body = _REQUEST.pack(family, number, 0, 0, states)
            message = Message(_BY_FAMILY, codec.DUMP, body, "list sockets", protocol)
            try:
                answers = diagnostics.dump(message)
            except NetlinkError as error:
                if error.errno in _UNKNOWN:
                    continue
                raise
            found += _sockets(answer.body for answer in answers)
    return found


def _sockets(bodies: Iterator[bytes]) -> Iterator[BoundSocket]:
    for body in bodies:
        family, _, _, _, port, _, source, _ = _ANSWER.unpack_from(body)
        if family == socket.AF_INET:
            yield BoundSocket(str(ipaddress.IPv4Address(source[:4])), port)
            continue
        only_ipv6 = codec.parse(body, _FULL_ANSWER).get(_ONLY_IPV6, b"\0") != b"\0"
        address = ipaddress.IPv6Address(source)
        mapped = address.ipv4_mapped
        yield BoundSocket(str(mapped or address), port, mapped is None and not only_ipv6)
