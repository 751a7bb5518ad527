"""Patterns of ``${name#pattern}`` and ``${name/pattern/word}``, beside regular expressions."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.dockerfile.patterns import PatternError, replaced, without_prefix, without_suffix

PATTERNS = st.text(alphabet="ab*?", max_size=6)
VALUES = st.text(alphabet="ab", max_size=8)


def matching(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern.replace("?", ".").replace("*", ".*"))


@given(VALUES, PATTERNS, st.booleans())
def test_beginnings_and_ends(value: str, pattern: str, greedy: bool) -> None:
    whole = matching(pattern)
    places = range(len(value), -1, -1) if greedy else range(len(value) + 1)
    prefix = next((n for n in places if whole.fullmatch(value[:n])), 0)
    assert without_prefix(value, pattern, greedy=greedy) == value[prefix:]
    suffix = next((n for n in places if whole.fullmatch(value[len(value) - n :])), 0)
    assert without_suffix(value, pattern, greedy=greedy) == value[: len(value) - suffix]


@given(VALUES, PATTERNS)
def test_first_match(value: str, pattern: str) -> None:
    expected = matching(pattern).sub("<>", value, count=1)
    assert replaced(value, pattern, "<>", every=False) == expected


@pytest.mark.parametrize(
    ("value", "pattern", "result"),
    [
        ("abab", "a", "<>b<>b"),
        ("abab", "*", "<>"),
        ("", "*", "<>"),
        ("abab", "a*a", "<>b"),
        ("abc", "", "<>a<>b<>c<>"),
        ("abc", "?", "<><><>"),
        ("abc", "x", "abc"),
        ("a*b*c", r"\*", "a<>b<>c"),
        ("a/b", r"\/", "a<>b"),
    ],
)
def test_all_matches(value: str, pattern: str, result: str) -> None:
    assert replaced(value, pattern, "<>", every=True) == result


def test_a_pattern_that_stops_a_regular_expression() -> None:
    value, pattern = "a" * 3000, "*a" * 60 + "b"
    assert replaced(value, pattern, "", every=True) == value
    assert without_suffix(value, pattern[::-1], greedy=True) == value


def test_backslashes_that_mean_nothing_are_refused() -> None:
    with pytest.raises(PatternError, match=r"invalid escape '\\a'"):
        replaced("a", r"\a", "", every=False)
