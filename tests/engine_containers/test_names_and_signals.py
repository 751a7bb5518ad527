"""Names people may give, names we give, and signals as people write them."""

import random
import signal

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers import names
from boxship.engine.containers.signals import parse_signal


@pytest.mark.parametrize("name", ["web", "a1", "/web", "x_y.z-1", "0a"])
def test_good_names(name: str) -> None:
    assert names.checked(name) == name.removeprefix("/")


@pytest.mark.parametrize("name", ["a", "-a", "a/b", "a b", "_x", "", "ä1", "a\n"])
def test_bad_names(name: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        names.checked(name)
    assert str(caught.value) == (
        f"Invalid container name ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
    )


def test_invented_names_are_two_words_and_allowed() -> None:
    pick = random.Random(7)
    for _ in range(200):
        name = names.invent(lambda _: False, pick)
        assert len(name.split("_")) == 2
        assert names.checked(name) == name


def test_invented_names_avoid_taken_ones_even_when_words_run_short() -> None:
    pick = random.Random(7)
    seen: set[str] = set()
    for _ in range(3000):
        seen.add(names.invent(seen.__contains__, pick))
    assert len(seen) == 3000
    name = names.invent(lambda name: not name[-1].isdigit(), pick)
    assert name[-1].isdigit()


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("SIGTERM", signal.SIGTERM),
        ("term", signal.SIGTERM),
        ("sigkill", signal.SIGKILL),
        ("9", 9),
        ("64", 64),
        ("RTMIN+3", signal.SIGRTMIN + 3),
        ("SIGRTMAX-1", signal.SIGRTMAX - 1),
        ("RTMIN", signal.SIGRTMIN),
    ],
)
def test_signals(text: str, number: int) -> None:
    assert parse_signal(text) == number


@pytest.mark.parametrize("text", ["", "0", "65", "FOO", "SIG", "-9", "RTMIN+40", "9.5", "٣"])
def test_bad_signals(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        parse_signal(text)
    expected = "the linux daemon does not support signal 65" if text == "65" else None
    assert str(caught.value) == (expected or f"invalid signal: {text}")
