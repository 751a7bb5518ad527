import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.errors import InvalidArgumentError
from boxship.cli.streams.detachkeys import DEFAULT, DetachFilter, parse_keys


def test_the_names_of_keys() -> None:
    assert parse_keys(DEFAULT) == b"\x10\x11"
    assert parse_keys("a,ctrl-a,ctrl-Z,ctrl-@,ctrl-[,ctrl-_") == b"a\x01\x1a\x00\x1b\x1f"


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-ab", "ab", "é"])
def test_unknown_keys_are_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="invalid detach keys"):
        parse_keys(text)


def test_the_sequence_is_swallowed_and_ends_the_input() -> None:
    keys = DetachFilter(b"\x10\x11")
    assert keys.feed(b"ab\x10\x11cd") == (b"ab", True)


def test_a_sequence_may_come_in_two_reads() -> None:
    keys = DetachFilter(b"\x10\x11")
    assert keys.feed(b"a\x10") == (b"a", False)
    assert keys.feed(b"\x11") == (b"", True)


def test_a_held_back_prefix_is_passed_on_when_something_else_follows() -> None:
    keys = DetachFilter(b"\x10\x11")
    assert keys.feed(b"\x10") == (b"", False)
    assert keys.feed(b"x") == (b"\x10x", False)
    assert keys.feed(b"\x10\x10") == (b"\x10", False)
    assert keys.feed(b"\x11") == (b"", True)


@given(st.lists(st.binary(max_size=10), max_size=10))
def test_what_is_typed_arrives_unless_it_is_the_sequence(pieces: list[bytes]) -> None:
    keys = DetachFilter(b"\x10\x11")
    typed = b"".join(pieces)
    received, detached = b"", False
    for piece in pieces:
        passed, detached = keys.feed(piece)
        received += passed
        if detached:
            break
    if b"\x10\x11" in typed:
        assert detached
        assert received == typed.partition(b"\x10\x11")[0]
    else:
        assert not detached
        assert received + b"\x10" * typed.endswith(b"\x10") == typed
