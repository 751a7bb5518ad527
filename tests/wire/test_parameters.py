"""Booleans, numbers, times and filters of query strings."""

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.wire import parameters


@pytest.mark.parametrize("text", ["", "0", "no", "No", "false", "FALSE", "none", " 0 "])
def test_false(text):
    assert not parameters.boolean(text)


@pytest.mark.parametrize("text", ["1", "true", "yes", "on", "2", "anything"])
def test_true(text):
    assert parameters.boolean(text)


def test_absent_is_the_default():
    assert parameters.boolean(None, default=True)
    assert parameters.integer("t", None) is None
    assert parameters.timestamp("since", "") == 0


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1136073845", 1136073845 * 10**9),
        ("1136073845.000000001", 1136073845 * 10**9 + 1),
        ("1.5", 1_500_000_000),
        ("1.1234567891", 1_123_456_789),
        ("2006-01-02T15:04:05Z", 1136214245 * 10**9),
        ("2006-01-02T15:04:05.25+01:00", 1136210645 * 10**9 + 250_000_000),
    ],
)
def test_times(text, nanoseconds):
    assert parameters.timestamp("since", text) == nanoseconds


@pytest.mark.parametrize("text", ["yesterday", "1e9", "12:30"])
def test_bad_times(text):
    with pytest.raises(InvalidArgumentError, match='invalid value for "since"'):
        parameters.timestamp("since", text)


def test_filters_in_both_forms():
    assert parameters.filters('{"a":["x","y"],"b":{"z":true,"w":false}}') == {
        "a": ("x", "y"),
        "b": ("z",),
    }
    assert parameters.filters(None) == {}
    assert parameters.filters("{}") == {}


@pytest.mark.parametrize("text", ["[]", "{", '"a"', '{"a":"x"}', '{"a":[1]}', '{"a":{"x":"y"}}'])
def test_bad_filters(text):
    with pytest.raises(InvalidArgumentError, match=r"^invalid filter"):
        parameters.filters(text)


def test_only_known_filters():
    parameters.allow({"name": ()}, frozenset({"name"}))
    with pytest.raises(InvalidArgumentError, match=r"^invalid filter 'colour'$"):
        parameters.allow({"colour": ("red",)}, frozenset({"name"}))


@pytest.mark.parametrize(
    ("values", "truth"), [((), None), (("true",), True), (("0",), False), (("1", "true"), True)]
)
def test_filter_booleans(values, truth):
    assert parameters.filter_boolean({"dangling": values}, "dangling") is truth


@pytest.mark.parametrize("values", [("maybe",), ("true", "false")])
def test_bad_filter_booleans(values):
    with pytest.raises(InvalidArgumentError, match=r"^invalid filter 'dangling="):
        parameters.filter_boolean({"dangling": values}, "dangling")
