"""Tables, chains, sets, rules and elements, and the messages that make and remove them.

Kinds of attributes are those of NFTA_TABLE_*, NFTA_CHAIN_*, NFTA_SET_*, NFTA_RULE_* and
NFTA_SET_ELEM_* in linux/netfilter/nf_tables.h. ``KEY_TYPE`` and user data mean nothing to the
kernel; by them ``nft list ruleset`` knows how to print a set.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from boxship.net.netlink.codec import (
    APPEND,
    CREATE,
    U8,
    U32,
    Message,
    attribute,
    be32,
    be64,
    nested,
    text,
)
from boxship.net.nftables import numbers
from boxship.net.nftables.expressions import value, verdict
from boxship.net.nftables.numbers import Code, Family, Hook, Kind

_MOST_ELEMENTS = 200
"""Per message: the list of elements is an attribute, and those end at 64 KiB."""


class Field(Enum):
    """A type of keys and values: nft's number of it, its length in bytes, who orders its bytes."""

    FAMILY = (2, 1, True)
    IPV4 = (7, 4, False)
    IPV6 = (8, 16, False)
    MAC = (9, 6, False)
    PROTOCOL = (12, 1, False)
    PORT = (13, 2, False)
    INTERFACE = (41, 16, True)

    def __init__(self, number: int, length: int, machine_order: bool) -> None:
        self.number, self.length, self.machine_order = number, length, machine_order

    @property
    def words(self) -> int:
        """Bytes it takes in a concatenation."""
        return (self.length + 3) & ~3


@dataclass(frozen=True, slots=True)
class Table:
    """A table, of one family of packets."""

    family: Family
    name: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A list of rules. With ``hook`` the kernel calls it, otherwise rules jump to it."""

    table: Table
    name: str
    hook: Hook | None = None
    priority: int = 0
    type: str = "filter"
    policy: Code = Code.ACCEPT


@dataclass(frozen=True, slots=True)
class Set:
    """A set of concatenated fields; with ``data`` or ``verdicts`` a map."""

    table: Table
    name: str
    key: tuple[Field, ...]
    data: tuple[Field, ...] = ()
    verdicts: bool = False
    intervals: bool = False
    timeouts: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule at the end of its chain. ``comment`` is kept by the kernel, for people."""

    chain: Chain
    expressions: bytes
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Element:
    """One element. ``key`` and ``end`` are ``joined`` fields, ``end`` of intervals inclusive."""

    table: Table
    set: str
    key: bytes
    end: bytes = b""
    data: bytes = b""
    """Of maps: ``joined`` fields, or of maps of verdicts the chain to go to, encoded."""
    verdict: bool = False
    seconds: float = 0.0
    """Until it vanishes; 0 is never."""


def joined(*parts: bytes) -> bytes:
    """Concatenate fields as registers hold them: each padded to whole words."""
    return b"".join([part + bytes(-len(part) % 4) for part in parts])


def add_table(table: Table) -> Message:
    """Make the table unless it is there."""
    return _message(Kind.NEW_TABLE, CREATE, table, text(1, table.name), table.name)


def delete_table(table: Table) -> Message:
    """Remove the table with all that is in it."""
    return _message(Kind.DELETE_TABLE, 0, table, text(1, table.name), table.name)


def add_chain(chain: Chain) -> Message:
    """Make the chain unless it is there."""
    body = text(1, chain.table.name) + text(3, chain.name)
    if chain.hook is not None:
        place = be32(1, chain.hook) + be32(2, chain.priority & 0xFFFFFFFF)
        body += nested(4, place) + be32(5, chain.policy) + text(7, chain.type)
    return _message(Kind.NEW_CHAIN, CREATE, chain.table, body, chain.name)


def delete_chain(chain: Chain) -> Message:
    """Remove a chain that is empty and that no rule leads to."""
    body = text(1, chain.table.name) + text(3, chain.name)
    return _message(Kind.DELETE_CHAIN, 0, chain.table, body, chain.name)


def add_set(one: Set, number: int) -> Message:
    """Make the set; ``number`` tells it from others of the same batch."""
    concatenated = len(one.key) > 1
    parts = [
        text(1, one.table.name), text(2, one.name), be32(3, _flags(one)),
        be32(4, _type_number(one.key)), be32(5, _length(one.key)),
    ]  # fmt: skip
    if one.verdicts:
        parts += [be32(6, numbers.DATA_VERDICT), be32(7, 0)]
    elif one.data:
        parts += [be32(6, _type_number(one.data)), be32(7, _length(one.data))]
    if concatenated and one.intervals:
        lengths = b"".join([nested(1, be32(1, field.length)) for field in one.key])
        parts.append(nested(9, nested(2, lengths)))
    order = 0 if concatenated else (1 if one.key[0].machine_order else 2)
    parts += [be32(10, number), attribute(13, U8.pack(0) + U8.pack(4) + U32.pack(order))]
    return _message(Kind.NEW_SET, CREATE, one.table, b"".join(parts), one.name)


def add_rule(rule: Rule) -> Message:
    """Append the rule to its chain."""
    return _rule_message(rule, CREATE | APPEND, b"")


def insert_rule(rule: Rule, before: int = 0) -> Message:
    """Put the rule before the one with handle ``before``, or at the head of its chain."""
    return _rule_message(rule, CREATE, be64(6, before) if before else b"")


def delete_rule(chain: Chain, handle: int) -> Message:
    """Remove the rule with that handle."""
    body = text(1, chain.table.name) + text(2, chain.name) + be64(3, handle)
    return _message(Kind.DELETE_RULE, 0, chain.table, body, f"{chain.name} handle {handle}")


def flush_chain(chain: Chain) -> Message:
    """Remove all rules of a chain."""
    body = text(1, chain.table.name) + text(2, chain.name)
    return _message(Kind.DELETE_RULE, 0, chain.table, body, chain.name)


def add_elements(elements: Iterable[Element]) -> Iterator[Message]:
    """Yield messages that add elements, whichever sets they are of."""
    return _element_messages(Kind.NEW_ELEMENT, CREATE, elements)


def delete_elements(elements: Iterable[Element]) -> Iterator[Message]:
    """Yield messages that remove elements; one that is missing fails the batch."""
    return _element_messages(Kind.DELETE_ELEMENT, 0, elements)


def flush_set(table: Table, name: str) -> Message:
    """Remove all elements of a set."""
    return _message(Kind.DELETE_ELEMENT, 0, table, text(1, table.name) + text(2, name), name)


def _message(kind: Kind, flags: int, table: Table, body: bytes, subject: str) -> Message:
    operation = kind.name.lower().replace("_", " ")
    return Message(kind, flags, bytes((table.family, 0, 0, 0)) + body, operation, subject)


def _rule_message(rule: Rule, flags: int, position: bytes) -> Message:
    chain = rule.chain
    body = text(1, chain.table.name) + text(2, chain.name) + nested(4, rule.expressions) + position
    if rule.comment:
        raw = rule.comment.encode() + b"\0"
        body += attribute(7, bytes((0, len(raw))) + raw)
    return _message(Kind.NEW_RULE, flags, chain.table, body, f"{chain.name}: {rule.comment}")


def _element_messages(kind: Kind, flags: int, elements: Iterable[Element]) -> Iterator[Message]:
    groups: dict[tuple[Table, str], list[bytes]] = {}
    for element in elements:
        groups.setdefault((element.table, element.set), []).append(_encoded(element))
    for (table, name), encoded in groups.items():
        for start in range(0, len(encoded), _MOST_ELEMENTS):
            part = encoded[start : start + _MOST_ELEMENTS]
            body = text(1, table.name) + text(2, name) + nested(3, *part)
            yield _message(kind, flags, table, body, name)


def _encoded(element: Element) -> bytes:
    parts = [value(1, element.key)]
    if element.end:
        parts.append(value(10, element.end))
    if element.verdict:
        parts.append(verdict(2, Code.GOTO, element.data.decode()))
    elif element.data:
        parts.append(value(2, element.data))
    if element.seconds:
        parts.append(be64(4, int(element.seconds * 1000)))
    return nested(1, *parts)


def _flags(one: Set) -> int:
    flags = 0
    if one.intervals:
        flags |= numbers.SET_INTERVAL | (numbers.SET_CONCAT if len(one.key) > 1 else 0)
    if one.data or one.verdicts:
        flags |= numbers.SET_MAP
    if one.timeouts:
        flags |= numbers.SET_TIMEOUT
    return flags


def _type_number(fields: tuple[Field, ...]) -> int:
    number = 0
    for field in fields:
        number = number << 6 | field.number
    return number


def _length(fields: tuple[Field, ...]) -> int:
    return fields[0].length if len(fields) == 1 else sum(field.words for field in fields)
