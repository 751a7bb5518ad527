"""The codec of protocol buffers: known bytes, both ways round, and bytes that lie."""

from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.wire.buildkit import control, filesync, gateway, history, methods
from boxship.wire.buildkit.failure import FailurePlace, decode_failure, encode_failure
from boxship.wire.buildkit.solver import Position, Range, SourceInfo
from boxship.wire.buildkit.wellknown import BytesMessage, Timestamp
from boxship.wire.protobuf import DecodeError, Message, decode, encode


class Every(Message, frozen=True):
    number: Annotated[int, 1] = 0
    flag: Annotated[bool, 2] = False
    text: Annotated[str, 3] = ""
    data: Annotated[bytes, 4] = b""
    numbers: Annotated[tuple[int, ...], 5] = ()
    texts: Annotated[tuple[str, ...], 6] = ()
    inner: Annotated["Every | None", 7] = None
    inners: Annotated[tuple["Every", ...], 8] = ()
    texts_by_text: Annotated[dict[str, str], 9] = {}  # noqa: RUF012
    inner_by_number: Annotated[dict[int, "Every"], 2000] = {}  # noqa: RUF012


# The first three are the examples of https://protobuf.dev/programming-guides/encoding.
KNOWN = [
    (Every(number=150), "089601"),
    (Every(text="testing"), "1a0774657374696e67"),
    (Every(numbers=(3, 270, 86942)), "2a06038e029ea705"),
    (Every(number=-2), "08feffffffffffffffff01"),
    (Every(number=1 << 62), "08808080808080808040"),
    (Every(flag=True), "1001"),
    (Every(inner=Every()), "3a00"),
    (Every(texts=("", "a")), "3200320161"),
    (Every(inners=(Every(number=1), Every())), "420208014200"),
    (Every(texts_by_text={"b": "1", "a": ""}), "4a050a016112004a060a0162120131"),
    (Every(inner_by_number={-1: Every()}), "827d0d08ffffffffffffffffff011200"),
    (Every(), ""),
]


@pytest.mark.parametrize(("message", "hexadecimal"), KNOWN)
def test_known_bytes(message: Every, hexadecimal: str) -> None:
    assert encode(message).hex() == hexadecimal
    assert decode(bytes.fromhex(hexadecimal), Every) == message


def test_numbers_that_are_not_packed_and_what_is_said_twice() -> None:
    assert decode(bytes.fromhex("2801280228032a0104"), Every).numbers == (1, 2, 3, 4)
    assert decode(bytes.fromhex("08010802"), Every).number == 2


def test_an_entry_of_a_map_may_lack_its_key_or_value() -> None:
    assert decode(bytes.fromhex("4a00"), Every).texts_by_text == {"": ""}
    assert decode(bytes.fromhex("827d020805"), Every).inner_by_number == {5: Every()}


def test_unknown_fields_of_every_kind_are_skipped() -> None:
    unknown = "a006ff01a1060102030405060708a206026162a50601020304"
    assert decode(bytes.fromhex(unknown + "0801" + unknown), Every) == Every(number=1)


@pytest.mark.parametrize(
    ("hexadecimal", "complaint"),
    [
        ("08", "cut short"),
        ("0880", "cut short"),
        ("1a05616263", "Every.text is cut short"),
        ("1a", "cut short"),
        ("08ffffffffffffffffffff01", "longer than 64 bits"),
        ("a30600", "wire type 3"),
        ("a10601", "field 100 is cut short"),
        ("a20605", "field 100 is cut short"),
        ("4a030a0561", "an entry of a map is cut short"),
        ("3a0108", "cut short"),
    ],
)
def test_bytes_that_are_no_message(hexadecimal: str, complaint: str) -> None:
    with pytest.raises(DecodeError, match=complaint):
        decode(bytes.fromhex(hexadecimal), Every)


def test_a_name_that_is_not_utf8_survives() -> None:
    stat = filesync.Stat(path=b"\xe9t\xe9".decode("utf-8", "surrogateescape"))
    assert decode(encode(stat), filesync.Stat) == stat
    assert b"\xe9t\xe9" in encode(stat)


@given(st.binary(max_size=200))
def test_nothing_but_our_own_error(data: bytes) -> None:
    for shape in (Every, control.SolveRequest, filesync.Packet, gateway.ReturnRequest):
        try:
            decode(data, shape)
        except DecodeError:
            continue


every = st.deferred(
    lambda: st.builds(
        Every,
        number=st.integers(-(2**63), 2**63 - 1),
        flag=st.booleans(),
        text=st.text(max_size=5),
        data=st.binary(max_size=5),
        numbers=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=3).map(tuple),
        texts=st.lists(st.text(max_size=3), max_size=2).map(tuple),
        inner=st.none() | every,
        texts_by_text=st.dictionaries(st.text(max_size=2), st.text(max_size=2), max_size=2),
    )
)


@given(every)
def test_what_is_written_is_read(message: Every) -> None:
    assert decode(encode(message), Every) == message


def test_every_message_of_the_table_has_distinct_numbers_and_survives() -> None:
    calls = [value for value in vars(methods).values() if isinstance(value, methods.Method)]
    assert len(calls) > 25
    for call in calls:
        for shape in (call.request, call.answer):
            assert decode(encode(shape()), shape) == shape()


def test_a_time() -> None:
    assert Timestamp.of_ns(1_700_000_000_123_456_789).nanos == 123_456_789
    assert Timestamp.of_ns(-1).ns == -1


def test_a_status_event() -> None:
    data = bytes.fromhex(
        "0a230a0d7368613235363a6162636465661a0a5b312f325d204652"
        "4f4d2a0608c0843d1001"
        "1a090a01611802"
        "22026869"
    )
    event = decode(data, control.StatusResponse)
    assert event.vertices[0].name == "[1/2] FROM"
    assert event.vertices[0].started == Timestamp(1_000_000, 1)
    assert (event.logs[0].stream, event.logs[0].message) == (2, b"hi")


def test_the_place_of_a_failure_travels_in_its_status() -> None:
    place = FailurePlace(
        SourceInfo(filename="Dockerfile", data=b"FROM a\nRUN false\n", language="Dockerfile"),
        (Range(Position(2), Position(2, 9)),),
    )
    assert decode_failure(encode_failure(2, "it failed", (place,))) == (place,)
    assert decode_failure(b"\xff") == ()
    assert decode_failure(encode(BytesMessage(b"x"))) == ()


def test_history_results_are_by_number() -> None:
    info = history.BuildResultInfo(results={0: history.Descriptor(digest="sha256:a", size=3)})
    assert decode(encode(info), history.BuildResultInfo) == info
