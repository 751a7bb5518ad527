"""As much of rtnetlink as moving an interface between network namespaces takes.

Requests are built as bytes and answered in full; a refusal becomes ``OSError`` that names the
interface. Addresses travel as the kernel's own attribute bytes, which are given back unread.
"""

import os
import socket
import struct
from collections.abc import Iterator

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")

_NLMSG_ERROR = 2
_NLMSG_DONE = 3
_NEWLINK, _GETLINK, _NEWADDR, _GETADDR = 16, 18, 20, 22
_REQUEST, _ACK, _DUMP, _CREATE_ONLY = 1, 4, 0x300, 0x600
_IFLA_IFNAME, _IFLA_NET_NS_FD = 3, 28
_IFF_UP = 1
_IFA_F_PERMANENT = 0x80
_KEPT_ATTRIBUTES = frozenset((1, 2, 4))
"""IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST; labels and lifetimes belong to where it was."""

Message = tuple[int, bytes]


def open_route() -> socket.socket:
    """Return a socket to the routing subsystem of the network namespace we are in."""
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
    return socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)


def index_of(route: socket.socket, name: str) -> int:
    """Return the number of the interface ``name``."""
    body = _LINK.pack(0, 0, 0, 0, 0) + attribute(_IFLA_IFNAME, name.encode() + b"\0")
    for kind, answer in _ask(route, _GETLINK, _REQUEST, body, name):
        if kind == _NEWLINK:
            return int(_LINK.unpack_from(answer)[2])
    raise OSError(19, os.strerror(19), name)


def move_link(route: socket.socket, name: str, new_name: str, namespace: int) -> None:
    """Move ``name`` of the socket's namespace into ``namespace`` (a descriptor), renamed, down."""
    index = index_of(route, name)
    _ask(route, _NEWLINK, _REQUEST | _ACK, _LINK.pack(0, 0, index, 0, _IFF_UP), name)
    body = _LINK.pack(0, 0, index, 0, 0)
    body += attribute(_IFLA_NET_NS_FD, struct.pack("=I", namespace))
    body += attribute(_IFLA_IFNAME, new_name.encode() + b"\0")
    _ask(route, _NEWLINK, _REQUEST | _ACK, body, name)


def set_up(route: socket.socket, index: int) -> None:
    """``ip link set … up``."""
    body = _LINK.pack(0, 0, index, _IFF_UP, _IFF_UP)
    _ask(route, _NEWLINK, _REQUEST | _ACK, body, str(index))


def permanent_addresses(route: socket.socket, index: int) -> list[bytes]:
    """Return the addresses of global scope that somebody has given the interface."""
    found = []
    for kind, answer in _ask(route, _GETADDR, _REQUEST | _DUMP, _ADDRESS.pack(0, 0, 0, 0, 0), ""):
        _, _, flags, scope, owner = _ADDRESS.unpack_from(answer)
        if kind == _NEWADDR and owner == index and scope == 0 and flags & _IFA_F_PERMANENT:
            found.append(answer)
    return found


def add_address(route: socket.socket, index: int, address: bytes) -> None:
    """Give the interface what ``permanent_addresses`` returned."""
    family, prefix, flags, scope, _ = _ADDRESS.unpack_from(address)
    body = _ADDRESS.pack(family, prefix, flags, scope, index)
    for kind, value in attributes(address[_ADDRESS.size :]):
        if kind in _KEPT_ATTRIBUTES:
            body += attribute(kind, value)
    _ask(route, _NEWADDR, _REQUEST | _ACK | _CREATE_ONLY, body, str(index))


def _ask(route: socket.socket, kind: int, flags: int, body: bytes, subject: str) -> list[Message]:
    route.sendto(_HEADER.pack(_HEADER.size + len(body), kind, flags, 1, 0) + body, (0, 0))
    answers: list[Message] = []
    while True:
        for answered, content in messages(route.recv(1 << 16)):
            if answered == _NLMSG_ERROR:
                (number,) = struct.unpack_from("=i", content)
                if number:
                    raise OSError(-number, os.strerror(-number), subject)
                return answers
            if answered == _NLMSG_DONE:
                return answers
            answers.append((answered, content))
        if not flags & (_DUMP | _ACK):
            return answers


def messages(data: bytes) -> Iterator[Message]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        yield kind, data[_HEADER.size : length]
        data = data[aligned(length) :]


def attributes(data: bytes) -> Iterator[Message]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[aligned(length) :]


def attribute(kind: int, value: bytes) -> bytes:
    length = _ATTRIBUTE.size + len(value)
    return _ATTRIBUTE.pack(length, kind) + value + bytes(aligned(length) - length)


def aligned(length: int) -> int:
    return (length + 3) & ~3
