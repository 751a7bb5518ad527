"""Detach keys: Docker's notation, and finding them wherever the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base import detachkeys
from boxship.base.errors import InvalidArgumentError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("ctrl-p,ctrl-q", detachkeys.DEFAULT),
        ("ctrl-a", b"\x01"),
        ("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x00\x1b\x1c\x1d\x1e\x1f"),
        ("a,ctrl-Z", b"a\x1a"),
    ],
)
def test_notation(text, keys):
    assert detachkeys.parse(text) == keys


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-1", "ab", "a,,b", "ctrl-pq", "é"])
def test_unknown_keys_are_named(text):
    with pytest.raises(InvalidArgumentError, match="Unknown character"):
        detachkeys.parse(text)


def test_keys_are_held_back_until_the_next_byte_decides():
    scanner = detachkeys.Scanner(b"\x10\x11")
    assert scanner.feed(b"ls\x10") == (b"ls", False)
    assert scanner.feed(b"\x10") == (b"\x10", False)
    assert scanner.feed(b"x") == (b"\x10x", False)
    assert scanner.feed(b"\x10") == (b"", False)
    assert scanner.feed(b"\x11rest") == (b"", True)


def test_no_keys_pass_everything():
    assert detachkeys.Scanner(b"").feed(b"\x10\x11") == (b"\x10\x11", False)


@given(
    keys=st.binary(min_size=1, max_size=4).map(lambda b: bytes(c % 3 for c in b)),
    chunks=st.lists(st.binary(max_size=5).map(lambda b: bytes(c % 3 for c in b)), max_size=8),
)
def test_cuts_do_not_matter(keys, chunks):
    whole = b"".join(chunks)
    scanner = detachkeys.Scanner(keys)
    passed, found = b"", False
    for chunk in chunks:
        data, found = scanner.feed(chunk)
        passed += data
        if found:
            break
    at = whole.find(keys)
    assert found == (at >= 0)
    if found:
        assert passed == whole[:at]
    else:
        held = len(whole) - len(passed)
        assert held < len(keys)
        assert whole == passed + keys[:held]
