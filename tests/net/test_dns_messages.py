"""DNS messages against dnspython, and against bytes that nobody should send."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from boxship.net.dns import message
from boxship.net.dns.answering import Elsewhere, Sight, decide
from boxship.net.dns.message import Malformed, Query
from boxship.net.dns.names import to_text
from boxship.net.dns.zones import Member, Upstream, View, Zone

ZONES = {
    "n1": Zone.of(
        "front",
        {
            "c1": Member(("web", "many"), ("10.0.0.2", "fd00::2")),
            "c2": Member(("db", "many"), ("10.0.0.3",)),
        },
    ),
    "n2": Zone.of("back", {"c3": Member(("web", "only"), ("10.1.0.2",))}),
    "big": Zone.of(
        "big",
        {
            str(number): Member(("all",), (f"10.2.{number >> 8}.{number & 255}",))
            for number in range(900)
        },
    ),
}
VIEW = View(("n1", "n2", "big"), (Upstream("192.0.2.1"),), extra={"alias": ("10.9.9.9",)})


def _query(name: str, kind: str = "A", **options: object) -> Query:
    wire = dns.message.make_query(name, kind, **options).to_wire()  # type: ignore[arg-type]
    query = message.parse_query(wire)
    assert isinstance(query, Query)
    return query


def _answer(
    name: str, kind: str = "A", *, view: View = VIEW, turn: int = 0, **options: object
) -> dns.message.Message:
    query = _query(name, kind, **options)
    answer = decide(query, Sight(view), ZONES, turn=turn, ceiling=query.size)
    assert isinstance(answer, bytes)
    parsed = dns.message.from_wire(answer)
    assert parsed.id == struct.unpack_from("!H", query.data)[0]
    assert len(answer) <= query.size
    return parsed


def _addresses(answer: dns.message.Message) -> list[str]:
    return [item.to_text() for rrset in answer.answer for item in rrset]


def test_names_addresses_and_aliases() -> None:
    assert _addresses(_answer("web")) == ["10.0.0.2"]
    assert _addresses(_answer("WEB.Front", "AAAA")) == ["fd00::2"]
    assert _addresses(_answer("web.back")) == ["10.1.0.2"]
    assert _addresses(_answer("alias")) == ["10.9.9.9"]
    assert sorted(_addresses(_answer("web", "ANY"))) == ["10.0.0.2", "fd00::2"]


@pytest.mark.parametrize("kind", ["AAAA", "MX", "HTTPS", "SRV", "TXT"])
def test_a_known_name_without_the_type_is_an_empty_answer(kind: str) -> None:
    """Not a question for outside, where the name would be denied altogether."""
    answer = _answer("db", kind)

    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.answer == []


def test_backwards() -> None:
    assert _addresses(_answer("2.0.0.10.in-addr.arpa", "PTR")) == ["web.front."]
    six = dns.name.from_text("2." + "0." * 27 + "0.0.d.f.ip6.arpa").to_text()
    assert _addresses(_answer(six, "PTR")) == ["web.front."]


def test_several_addresses_go_round() -> None:
    first = [_addresses(_answer("many", turn=turn))[0] for turn in range(4)]

    assert first == ["10.0.0.2", "10.0.0.3"] * 2


def test_unknown_names_are_forwarded_or_do_not_exist() -> None:
    def fate(view: View, name: str) -> object:
        query = _query(name)
        outcome = decide(query, Sight(view), ZONES, turn=0, ceiling=512)
        return outcome if isinstance(outcome, Elsewhere) else dns.message.from_wire(outcome).rcode()

    assert fate(VIEW, "example.org") is Elsewhere.FORWARD
    assert fate(VIEW, "example") is Elsewhere.FORWARD
    assert fate(View(forward=False, upstream=VIEW.upstream), "example.org") == dns.rcode.NXDOMAIN
    assert fate(View(("n1",)), "example.org") == dns.rcode.SERVFAIL
    assert fate(View(upstream=(Upstream("localhost"),)), "example.org") == dns.rcode.SERVFAIL
    assert fate(View(upstream=(Upstream("fe80::1%lo"),)), "example.org") is Elsewhere.FORWARD
    dots = View(upstream=VIEW.upstream, forward_single_labels=False)
    assert fate(dots, "example") == dns.rcode.NXDOMAIN
    assert fate(dots, "example.org") is Elsewhere.FORWARD
    assert fate(View(("n2",), VIEW.upstream), "db") is Elsewhere.FORWARD, "scoped by network"


@pytest.mark.parametrize(
    ("payload", "most"), [(None, 512), (1232, 1232), (100, 512), (65535, 4096)]
)
def test_what_does_not_fit_is_truncated_at_what_was_asked_for(
    payload: int | None, most: int
) -> None:
    query = _query("all", payload=payload)
    answer = decide(query, Sight(VIEW), ZONES, turn=0, ceiling=query.size)

    assert isinstance(answer, bytes)
    assert most - 16 < len(answer) <= most
    assert dns.message.from_wire(answer).flags & dns.flags.TC


def test_tcp_takes_it_all() -> None:
    query = _query("all")._replace(size=message.MAX_TCP)
    answer = decide(query, Sight(VIEW), ZONES, turn=0, ceiling=query.size)

    assert isinstance(answer, bytes)
    parsed = dns.message.from_wire(answer)
    assert len(_addresses(parsed)) == 900
    assert not parsed.flags & dns.flags.TC


def test_edns_is_answered_with_edns() -> None:
    assert _answer("web", use_edns=0, payload=1232).edns == 0
    assert _answer("web").edns == -1
    newer = _answer("web", use_edns=1)
    assert newer.rcode() == dns.rcode.BADVERS
    assert newer.answer == []


def test_transfers_and_other_classes_are_refused() -> None:
    assert _answer("front", "AXFR").rcode() == dns.rcode.REFUSED
    assert _answer("version.bind", "TXT", rdclass="CH").rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", None),
        (bytes(11), None),
        (b"\1\2\x80\0" + bytes(8), None),  # a response
        (b"\1\2\0\0" + bytes(8), dns.rcode.FORMERR),  # no question
        (b"\1\2\x28\0\0\1" + bytes(6), dns.rcode.NOTIMP),  # an update
        (b"\1\2\0\0\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1", dns.rcode.FORMERR),  # points at itself
        (b"\1\2\0\0\0\1" + bytes(6) + b"\x3fab", dns.rcode.FORMERR),
        (b"\1\2\0\0\0\1" + bytes(6) + b"\x3f" + b"a" * 63 + b"\0\0", dns.rcode.FORMERR),
        (b"\1\2\0\0\0\1" + bytes(6) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", dns.rcode.FORMERR),
        (b"\1\2\0\0\0\2" + bytes(6) + b"\0\0\1\0\1" * 2, dns.rcode.FORMERR),
    ],
)
def test_what_is_no_query(data: bytes, code: int | None) -> None:
    outcome = message.parse_query(data)

    assert isinstance(outcome, Malformed)
    if code is None:
        assert outcome.reply == b""
    else:
        assert dns.message.from_wire(outcome.reply, question_only=True).rcode() == code
        assert outcome.reply[:2] == data[:2]


_labels = st.lists(st.binary(min_size=1, max_size=63), min_size=0, max_size=5)


def _looks_like_a_query(
    parts: tuple[bytes, list[bytes], bytes, bytes, int, int],
) -> bytes:
    flags, labels, tail, rest, questions, additional = parts
    name = b"".join(bytes((len(one),)) + one for one in labels) + b"\0"
    counts = struct.pack("!HHHH", questions, 0, 0, additional)
    return b"\x12\x34" + flags + counts + name + tail + rest


_almost = st.tuples(
    st.binary(min_size=2, max_size=2) | st.just(b"\1\0"),
    _labels | st.just([b"all"]) | st.just([b"many"]),
    st.sampled_from([b"\0\1\0\1", b"\0\x1c\0\1", b"\0\xff\0\xff", b"\0\x0c\0\1"]),
    st.binary(max_size=40)
    | st.builds(
        lambda size, ttl, extra: b"\0\0\x29" + struct.pack("!HIH", size, ttl, len(extra)) + extra,
        st.integers(0, 65535),
        st.integers(0, 2**32 - 1),
        st.binary(max_size=8),
    ),
    st.sampled_from([1, 1, 1, 0, 2, 65535]),
    st.sampled_from([0, 1, 1, 2, 65535]),
).map(_looks_like_a_query)


@given(st.binary(max_size=600) | _almost)
@example(b"\0" * 12)
def test_no_message_is_an_exception_and_no_answer_longer_than_asked_for(data: bytes) -> None:
    query = message.parse_query(data)
    if isinstance(query, Malformed):
        assert len(query.reply) <= len(data)
        assert query.reply == b"" or query.reply[2] & 0x80, "an answer to an answer would go on"
        return
    answer = decide(query, Sight(VIEW), ZONES, turn=1, ceiling=query.size)
    assert 512 <= query.size <= message.MAX_UDP
    if isinstance(answer, bytes):
        assert len(answer) <= query.size
        assert answer[:2] == data[:2]
        assert answer[2] & 0x80
        dns.message.from_wire(answer)


@given(st.binary(max_size=300), st.sampled_from(["web", "x.example.org"]))
def test_garbage_from_outside_is_no_answer(garbage: bytes, name: str) -> None:
    query = _query(name)
    for data in (garbage, query.data[:2] + garbage, b"\0\7\x81\x80\0\1" + garbage):
        if message.answers(query, b"\0\7", data):
            message.passed_on(query, data, 512)
        message.addresses_in(query, query.data[: query.end] + garbage)


def _response(query: Query, *records: str, code: int = 0) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(query.data))
    for record in records:
        name, *rest = record.split(" ")
        response.answer.append(dns.rrset.from_text(dns.name.from_text(name), *rest))
    response.set_rcode(code)
    return response.to_wire()


def test_only_the_answer_to_this_question_under_this_id_counts() -> None:
    query = _query("www.example.org")
    right = _response(query, "www.example.org 60 IN A 192.0.2.7")
    other = _response(_query("www.example.com"), "www.example.com 60 IN A 192.0.2.7")
    shouted = right.replace(b"\3www\7example", b"\3wWw\7eXample")

    assert message.answers(query, right[:2], right)
    assert message.answers(query, right[:2], shouted), "case may differ"
    assert not message.answers(query, b"\0\0" if right[:2] != b"\0\0" else b"\1\1", right)
    assert not message.answers(query, other[:2], other)
    assert not message.answers(query, query.data[:2], query.data), "a question is no answer"
    six = _response(_query("www.example.org", "AAAA"))
    assert not message.answers(query, six[:2], six)


def test_addresses_are_those_of_the_name_its_aliases_followed() -> None:
    query = _query("www.example.org")
    answer = _response(
        query,
        "www.example.org 300 IN CNAME cdn.example.net.",
        "cdn.example.net 20 IN A 192.0.2.7",
        "victim.example 20 IN A 203.0.113.1",
    )

    found = message.addresses_in(query, answer)

    assert found.addresses == (bytes((192, 0, 2, 7)),)
    assert found.ttl == 20


def test_a_long_answer_is_cut_for_a_client_with_little_room() -> None:
    query = _query("www.example.org")
    answer = _response(query, *(f"www.example.org 60 IN A 192.0.2.{n}" for n in range(100)))

    cut = dns.message.from_wire(message.passed_on(query, answer, 512))

    assert cut.flags & dns.flags.TC
    assert cut.answer == []
    assert to_text(query.name) == "www.example.org"


@pytest.mark.parametrize("target", [31, 33, 35, 200])
def test_a_name_that_points_nowhere_good_ends(target: int) -> None:
    """At its own beginning, at itself, forwards, and behind the end."""
    query = _query("x.example.org")
    assert query.end == 31
    record = b"\1y" + (0xC000 | target).to_bytes(2, "big") + struct.pack("!HHIH", 1, 1, 60, 4)
    data = query.data[:6] + b"\0\1" + query.data[8:31] + record + bytes(4)

    assert message.addresses_in(query, data) == ((), 0)
