"""What the kernel has, read back: tables, chains and rules of everybody."""

import errno
from dataclasses import dataclass

from boxship.net.netlink.codec import (
    BE32,
    BE64,
    Answer,
    Attributes,
    Message,
    parse,
    parse_list,
    string,
    text,
)
from boxship.net.netlink.sockets import NetlinkError, NetlinkSocket
from boxship.net.nftables.numbers import Code, Kind
from boxship.net.nftables.objects import Element, Table

_BODY = 4
"""Bytes of nfgenmsg before the attributes; the first is the family."""


@dataclass(frozen=True, slots=True)
class ListedChain:
    """A chain of anybody's. ``hook`` and ``policy`` are None unless the kernel calls it."""

    family: int
    table: str
    name: str
    hook: int | None = None
    priority: int = 0
    type: str = ""
    policy: int | None = None


@dataclass(frozen=True, slots=True)
class ListedExpression:
    """An instruction: its name and its attributes, which are its own affair."""

    name: str
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class ListedRule:
    """A rule of anybody's."""

    family: int
    table: str
    chain: str
    handle: int
    comment: str
    expressions: tuple[ListedExpression, ...]

    def verdict(self) -> tuple[int, str] | None:
        """Return its last instruction's verdict and the chain that it leads to, if it has one."""
        for one in reversed(self.expressions):
            if one.name == "immediate" and 2 in one.attributes:
                return _verdict(one.attributes[2])
        return None


@dataclass(frozen=True, slots=True)
class Count:
    """Packets and bytes that a rule has seen."""

    packets: int = 0
    bytes: int = 0

    def __add__(self, other: "Count") -> "Count":
        return Count(self.packets + other.packets, self.bytes + other.bytes)


def tables(socket: NetlinkSocket) -> list[tuple[int, str]]:
    """Return family and name of each table."""
    answers = socket.dump(_request(Kind.GET_TABLE, 0))
    return [(answer.body[0], string(_attributes(answer)[1])) for answer in answers]


def chains(socket: NetlinkSocket) -> list[ListedChain]:
    """Return the chains of all tables."""
    return [_chain(answer) for answer in socket.dump(_request(Kind.GET_CHAIN, 0))]


def rules(socket: NetlinkSocket, family: int, table: str, chain: str = "") -> list[ListedRule]:
    """Return the rules of a table, or of one chain of it, in order; none if it is not there."""
    which = text(1, table) + (text(2, chain) if chain else b"")
    answers = socket.dump(_request(Kind.GET_RULE, family, which))
    return [_rule(answer) for answer in answers]


def elements(socket: NetlinkSocket, table: Table, name: str) -> list[Element]:
    """Return keys, ends and remaining seconds of a set's elements; none if it is not there."""
    which = text(1, table.name) + text(2, name)
    try:
        answers = socket.dump(_request(Kind.GET_ELEMENT, table.family, which))
    except NetlinkError as error:
        if error.errno != errno.ENOENT:
            raise
        return []
    lists = (parse_list(_attributes(answer).get(3, b"")) for answer in answers)
    return [_element(table, name, data) for part in lists for _, data in part]


def count_of(rule: ListedRule) -> Count | None:
    """Return what the rule's counter says, if it has one."""
    for one in rule.expressions:
        if one.name == "counter":
            read = (BE64.unpack(one.attributes[kind])[0] for kind in (2, 1))
            return Count(*read)
    return None


def _request(kind: Kind, family: int, attributes: bytes = b"") -> Message:
    return Message(kind, 0, bytes((family, 0, 0, 0)) + attributes, kind.name.lower())


def _attributes(answer: Answer) -> Attributes:
    return parse(answer.body, _BODY)


def _chain(answer: Answer) -> ListedChain:
    found = _attributes(answer)
    family, table, name = answer.body[0], string(found[1]), string(found[3])
    if 4 not in found:
        return ListedChain(family, table, name)
    hook = parse(found[4])
    (priority,) = BE32.unpack(hook[2])
    (policy,) = BE32.unpack(found[5]) if 5 in found else (Code.ACCEPT,)
    signed = priority - (1 << 32) if priority >> 31 else priority
    kind = string(found.get(7, b""))
    return ListedChain(family, table, name, BE32.unpack(hook[1])[0], signed, kind, policy)


def _rule(answer: Answer) -> ListedRule:
    found = _attributes(answer)
    expressions = tuple(_expression(data) for _, data in parse_list(found.get(4, b"")))
    (handle,) = BE64.unpack(found[3])
    comment = _comment(found.get(7, b""))
    table, chain = string(found[1]), string(found[2])
    return ListedRule(answer.body[0], table, chain, handle, comment, expressions)


def _element(table: Table, name: str, data: bytes) -> Element:
    found = parse(data)
    key, end = (parse(found.get(kind, b"")).get(1, b"") for kind in (1, 10))
    seconds = BE64.unpack(found[5])[0] / 1000 if 5 in found else 0.0
    return Element(table, name, key, end, seconds=seconds)


def _expression(data: bytes) -> ListedExpression:
    found = parse(data)
    return ListedExpression(string(found[1]), parse(found.get(2, b"")))


def _comment(data: bytes) -> str:
    """Read user data as nft writes it: kind u8, length u8, value; kind 0 is the comment."""
    while len(data) >= 2:
        kind, length = data[0], data[1]
        if kind == 0:
            return string(data[2 : 2 + length])
        data = data[2 + length :]
    return ""


def _verdict(data: bytes) -> tuple[int, str] | None:
    found = parse(data)
    if 2 not in found:
        return None
    verdict = parse(found[2])
    (code,) = BE32.unpack(verdict[1])
    return (code - (1 << 32) if code >> 31 else code), string(verdict.get(2, b""))
