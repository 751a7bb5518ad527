"""Netlink messages and attributes as bytes (linux/netlink.h, RFC 3549).

::

    message    length u32 | kind u16 | flags u16 | sequence u32 | port u32 | body | padding to 4
    attribute  length u16 | kind u16 | value | padding to 4

All integers are the machine's, unless a subsystem says network order. Building is joining bytes:
``attribute(IFLA_MTU, U32.pack(1500))``; a nest is an attribute whose value is attributes.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from boxship.kernel.netlink import aligned, attribute

HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")

U8 = struct.Struct("=B")
U16 = struct.Struct("=H")
U32 = struct.Struct("=I")
U64 = struct.Struct("=Q")
I32 = struct.Struct("=i")
BE16 = struct.Struct("!H")
BE32 = struct.Struct("!I")
BE64 = struct.Struct("!Q")

REQUEST, MULTI, ACK, ECHO = 0x1, 0x2, 0x4, 0x8
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800
DUMP = 0x300
DUMP_INTERRUPTED = 0x10

NOOP, ERROR, DONE, OVERRUN = 1, 2, 3, 4

_NESTED = 0x8000
_KIND_MASK = 0x3FFF
"""Without NLA_F_NESTED and NLA_F_NET_BYTEORDER."""

Attributes = dict[int, bytes]
"""Kind to value; where a kind repeats the last one stands, as the kernel's parser has it."""


class Message(NamedTuple):
    """A request before it is sent; sequence numbers and acknowledgement are the socket's."""

    kind: int
    flags: int
    """NLM_F_* without REQUEST and ACK: EXCLUSIVE | CREATE, DUMP …"""
    body: bytes
    operation: str = "netlink request"
    """For a person, what was tried: ``"add link"``."""
    subject: str = ""
    """For a person, to what: the interface, address or table."""


class Answer(NamedTuple):
    """What came from the kernel: part of an answer, or a notification."""

    kind: int
    flags: int
    sequence: int
    body: bytes
    port: int = 0
    """Who asked, or for a notification who caused it: ``NetlinkSocket.port``; 0 is the kernel."""


def u8(kind: int, value: int) -> bytes:
    """Return an attribute of one byte."""
    return attribute(kind, U8.pack(value))


def u16(kind: int, value: int) -> bytes:
    """Return an attribute of two bytes, machine order."""
    return attribute(kind, U16.pack(value))


def u32(kind: int, value: int) -> bytes:
    """Return an attribute of four bytes, machine order."""
    return attribute(kind, U32.pack(value))


def be16(kind: int, value: int) -> bytes:
    """Return an attribute of two bytes, network order."""
    return attribute(kind, BE16.pack(value))


def be32(kind: int, value: int) -> bytes:
    """Return an attribute of four bytes, network order, as nf_tables has all its numbers."""
    return attribute(kind, BE32.pack(value))


def be64(kind: int, value: int) -> bytes:
    """Return an attribute of eight bytes, network order."""
    return attribute(kind, BE64.pack(value))


def text(kind: int, value: str) -> bytes:
    """Return an attribute of a NUL-terminated string."""
    return attribute(kind, value.encode() + b"\0")


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute that consists of attributes, marked NLA_F_NESTED."""
    return attribute(kind | _NESTED, b"".join(parts))


def encoded(message: Message, sequence: int, flags: int) -> bytes:
    """Return the message as it is sent, padded to the next one; ``flags`` are added to its own."""
    length = HEADER.size + len(message.body)
    header = HEADER.pack(length, message.kind, message.flags | flags, sequence, 0)
    return header + message.body + bytes(aligned(length) - length)


def decoded(data: bytes) -> Iterable[Answer]:
    """Yield the messages of one datagram; one that is cut off ends them."""
    position, end = 0, len(data)
    while position + HEADER.size <= end:
        length, kind, flags, sequence, port = HEADER.unpack_from(data, position)
        if length < HEADER.size or position + length > end:
            return
        body = data[position + HEADER.size : position + length]
        yield Answer(kind, flags, sequence, body, port)
        position += aligned(length)


def parse(data: bytes, start: int = 0) -> Attributes:
    """Return the attributes in ``data`` from ``start``; a malformed rest is left out."""
    return dict(parse_list(data, start))


def parse_list(data: bytes, start: int = 0) -> list[tuple[int, bytes]]:
    """Return the attributes in order, as nests whose members share a kind need it."""
    found = []
    position, end = start, len(data)
    while position + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if length < 4 or position + length > end:
            break
        found.append((kind & _KIND_MASK, data[position + 4 : position + length]))
        position += (length + 3) & ~3
    return found


def string(value: bytes) -> str:
    """Return the text of a string attribute."""
    return value.rstrip(b"\0").decode(errors="replace")


__all__ = [
    "ACK", "APPEND", "BE16", "BE32", "BE64", "CREATE", "DONE", "DUMP", "DUMP_INTERRUPTED", "ECHO",
    "ERROR", "EXCLUSIVE", "HEADER", "I32", "MULTI", "NOOP", "OVERRUN", "REPLACE", "REQUEST", "U8",
    "U16", "U32", "U64", "Answer", "Attributes", "Message", "aligned", "attribute", "be16", "be32",
    "be64", "decoded", "encoded", "nested", "parse", "parse_list", "string", "text", "u8", "u16",
    "u32",
]  # fmt: skip
