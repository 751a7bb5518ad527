import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.base.clock import ZERO_TEXT, format_ns, parse_rfc3339


@given(st.integers(min_value=1, max_value=4_000_000_000 * 10**9))
def test_text_keeps_every_nanosecond(ns: int) -> None:
    assert parse_rfc3339(format_ns(ns)) == ns


def test_never_is_gos_zero_time() -> None:
    assert format_ns(0) == ZERO_TEXT
    assert parse_rfc3339(ZERO_TEXT) == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-01T00:01", 60),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00-0130", 5400),
        ("1970-01-01 00:00:01Z", 1),
    ],
)
def test_shortened_forms_and_zones(text: str, seconds: int) -> None:
    assert parse_rfc3339(text) == seconds * 10**9


@pytest.mark.parametrize("text", ["", "now", "1970-13-01", "1970-01-01T25:00:00Z", "1970-1-1"])
def test_what_is_no_time_is_refused_by_name(text: str) -> None:
    with pytest.raises(ValueError, match="is not a time"):
        parse_rfc3339(text)
