"""DNS messages (RFC 1035, EDNS: RFC 6891), as much as a resolver between containers needs.

A query is read whole and strictly, an answer is put together from bytes made before. Nothing
here raises for what comes from outside: a message that is wrong has an answer that says so, or
deserves none.
"""

import struct
from typing import NamedTuple

A, NS, CNAME, PTR, AAAA, OPT, IXFR, AXFR, ANY = 1, 2, 5, 12, 28, 41, 251, 252, 255
IN, ANY_CLASS = 1, 255
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16

MIN_SIZE = 512
"""What a UDP client takes that does not say otherwise (RFC 1035 section 4.2.1)."""
MAX_UDP = 4096
"""More than this is never sent to a UDP client, whatever it says."""
MAX_TCP = 65535

_HEADER = struct.Struct("!HHHHHH")
_QUESTION_TAIL = struct.Struct("!HH")
_RECORD_TAIL = struct.Struct("!HHIH")
_RESPONSE, _TRUNCATED, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x0200, 0x0100, 0x0080
_AUTHORITATIVE = 0x0400
_OPCODE = 0x7800
_MAX_NAME = 255


class Query(NamedTuple):
    """One question that was understood."""

    data: bytes
    end: int
    """Where the question ends; it begins at 12."""
    name: bytes
    """In lower case, as on the wire."""
    kind: int
    """QTYPE."""
    kind_class: int
    """QCLASS."""
    size: int
    """The longest answer by UDP that the client takes."""
    edns: bool
    version: int
    """Of EDNS."""


class Malformed(NamedTuple):
    """A message that is no query; ``reply`` says so to its sender, unless it is empty."""

    reply: bytes


_SILENCE = Malformed(b"")


def parse_query(data: bytes) -> Query | Malformed:
    """Read a client's message. Responses, and what is too short to have an id, get silence."""
    if len(data) < 12:
        return _SILENCE
    _, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
    if flags & _RESPONSE:
        return _SILENCE
    if flags & _OPCODE:
        return Malformed(_bare(data, NOTIMP))
    try:
        if questions != 1 or answers or authorities or additional > 2:
            return Malformed(_bare(data, FORMERR))
        end = _plain_name(data, 12)
        name = data[12:end].lower()
        kind, kind_class = _QUESTION_TAIL.unpack_from(data, end)
        end += 4
        if end == len(data) and not additional:
            return Query(data, end, name, kind, kind_class, MIN_SIZE, False, 0)
        return _with_additional(Query(data, end, name, kind, kind_class, MIN_SIZE, False, 0))
    except (IndexError, struct.error):
        return Malformed(_bare(data, FORMERR))


def reply(
    query: Query, code: int, records: "tuple[bytes, ...] | list[bytes]" = (), *, ceiling: int
) -> bytes:
    """Return our own answer, with as many ``records`` as fit into ``ceiling`` bytes.

    If that is not all of them, the answer is marked as truncated.
    """
    opt = b""
    if query.edns:
        opt = b"\0" + _RECORD_TAIL.pack(OPT, MAX_UDP, (code >> 4) << 24, 0)
    (asked,) = struct.unpack_from("!H", query.data, 2)
    flags = (
        _RESPONSE
        | _AUTHORITATIVE
        | _RECURSION_AVAILABLE
        | (asked & _RECURSION_DESIRED)
        | (code & 15)
    )
    body = b"".join(records)
    count = len(records)
    room = ceiling - query.end - len(opt)
    if len(body) > room:
        flags |= _TRUNCATED
        body, count = _fitting(records, room)
    head = query.data[:2] + struct.pack("!HHHHH", flags, 1, count, 0, 1 if opt else 0)
    return head + query.data[12 : query.end] + body + opt


def record(kind: int, ttl: int, content: bytes) -> bytes:
    """Return a resource record of the question's name."""
    return b"\xc0\x0c" + _RECORD_TAIL.pack(kind, IN, ttl, len(content)) + content


def passed_on(query: Query, answer: bytes, ceiling: int) -> bytes:
    """Return another server's answer as ours to ``query``, cut to nothing if it is too long."""
    if len(answer) <= ceiling:
        return query.data[:2] + answer[2:]
    (flags,) = struct.unpack_from("!H", answer, 2)
    head = query.data[:2] + struct.pack("!HHHHH", flags | _TRUNCATED, 1, 0, 0, 0)
    return head + query.data[12 : query.end]


def answers(query: Query, sent_id: bytes, data: bytes) -> bool:
    """Tell whether ``data`` is a response to ``query`` that was sent on under ``sent_id``.

    One that refuses may leave the question out, as some servers do that can't even read it.
    """
    if len(data) < 12 or data[:2] != sent_id or data[2] & 0xF8 != 0x80:
        return False
    if not has_question(data):
        return data[4:6] == b"\0\0" and code_of(data) != NOERROR
    question = data[12 : query.end]
    kind = query.data[query.end - 4 : query.end]
    return question[:-4].lower() == query.name and question[-4:] == kind


def has_question(answer: bytes) -> bool:
    """Tell whether a message has exactly one question."""
    return answer[4:6] == b"\0\1"


def code_of(answer: bytes) -> int:
    """Return the RCODE of a response's header."""
    return answer[3] & 15


class Addresses(NamedTuple):
    """What a response says of its question's name: packed addresses, the least TTL on the way."""

    addresses: tuple[bytes, ...]
    ttl: int


def addresses_in(query: Query, answer: bytes) -> Addresses:
    """Return the addresses that a response gives, its aliases followed; empty if it is garbled."""
    try:
        return _addresses_in(query, answer)
    except (IndexError, struct.error):
        return Addresses((), 0)


def _addresses_in(query: Query, answer: bytes) -> Addresses:
    (count,) = struct.unpack_from("!H", answer, 6)
    at, names, found, least = query.end, {query.name}, [], 0x7FFFFFFF
    for _ in range(count):
        owner, at = _any_name(answer, at)
        kind, kind_class, ttl, length = _RECORD_TAIL.unpack_from(answer, at)
        at += 10
        if at + length > len(answer):
            raise IndexError
        if owner in names and kind_class == IN:
            if kind == CNAME:
                names.add(_any_name(answer, at)[0])
                least = min(least, ttl)
            elif (kind, length) in ((A, 4), (AAAA, 16)):
                found.append(answer[at : at + length])
                least = min(least, ttl)
        at += length
    return Addresses(tuple(found), least if found else 0)


def _plain_name(data: bytes, at: int) -> int:
    """Return where the uncompressed name at ``at`` ends; ``IndexError`` if it is no such name."""
    start = at
    while (length := data[at]) != 0:
        if length > 63:
            raise IndexError
        at += 1 + length
    at += 1
    if at - start > _MAX_NAME:
        raise IndexError
    return at


def _any_name(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the name at ``at`` in lower case and where it ends.

    A pointer must point backwards from where the last one did (RFC 1035 section 4.1.4), so that
    following them comes to an end.
    """
    parts, size, end, limit = [], 0, 0, at
    while (length := data[at]) != 0:
        if length >= 0xC0:
            target = (length & 0x3F) << 8 | data[at + 1]
            end = end or at + 2
            if target >= limit:
                raise IndexError
            at = limit = target
            continue
        size += 1 + length
        if length > 63 or size >= _MAX_NAME or at + 1 + length > len(data):
            raise IndexError
        parts.append(data[at : at + 1 + length])
        at += 1 + length
    return (b"".join(parts) + b"\0").lower(), end or at + 1


def _with_additional(query: Query) -> Query | Malformed:
    """Read what follows the question: an OPT, perhaps a signature (which means nothing here)."""
    data, at = query.data, query.end
    (count,) = struct.unpack_from("!H", data, 10)
    for _ in range(count):
        root = data[at] == 0
        at = _plain_name(data, at)
        kind, kind_class, ttl, length = _RECORD_TAIL.unpack_from(data, at)
        at += 10 + length
        if kind == OPT:
            if query.edns or not root:
                return Malformed(_bare(data, FORMERR))
            size = max(MIN_SIZE, min(kind_class, MAX_UDP))
            query = query._replace(size=size, edns=True, version=(ttl >> 16) & 255)
    return query if at == len(data) else Malformed(_bare(data, FORMERR))


def _fitting(records: "tuple[bytes, ...] | list[bytes]", room: int) -> tuple[bytes, int]:
    kept: list[bytes] = []
    for one in records:
        if len(one) > room:
            break
        room -= len(one)
        kept.append(one)
    return b"".join(kept), len(kept)


def _bare(data: bytes, code: int) -> bytes:
    """Return an error without a question: never longer than what it answers."""
    (asked,) = struct.unpack_from("!H", data, 2)
    flags = _RESPONSE | (asked & (_OPCODE | _RECURSION_DESIRED)) | code
    return data[:2] + struct.pack("!HHHHH", flags, 0, 0, 0, 0)
