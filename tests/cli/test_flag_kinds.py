import pytest

from boxship.cli import kinds


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("64", 64),
        ("1k", 1024),
        ("10M", 10 * 2**20),
        ("1.5g", 3 * 2**29),
        ("1 GiB", 2**30),
        ("2mb", 2**21),
        ("5b", 5),
        (".5k", 512),
    ],
)
def test_sizes(text: str, value: int) -> None:
    assert kinds.parse_size(text) == value


@pytest.mark.parametrize("text", ["", "x", "-1", "1x", "1kbb", "1 2", "k"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        kinds.parse_size(text)


def test_only_swap_may_be_minus_one() -> None:
    assert kinds.parse_swap("-1") == -1
    with pytest.raises(ValueError, match="invalid size"):
        kinds.parse_swap("-2")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("1.5s", 1.5),
        ("300ms", 0.3),
        ("0", 0),
        ("-2s", -2),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert kinds.parse_duration(text) == int(seconds * 1_000_000_000)


@pytest.mark.parametrize("text", ["", "5", "s", "5x", "1s2", "1h 2m"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        kinds.parse_duration(text)


@pytest.mark.parametrize(
    ("text", "value"), [("10", 10), ("-3", -3), ("0x10", 16), ("010", 8), ("0b11", 3), ("+7", 7)]
)
def test_whole_numbers(text: str, value: int) -> None:
    assert kinds.parse_integer(text) == value


@pytest.mark.parametrize("text", ["", "1.5", "a", "1 ", "9223372036854775808"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a whole number|out of range"):
        kinds.parse_integer(text)


def test_cpus_are_billionths() -> None:
    assert kinds.parse_cpus("1.5") == 1_500_000_000
    with pytest.raises(ValueError, match="too precise"):
        kinds.parse_cpus("0.0000000001")


def test_fields_in_quotes_may_hold_commas() -> None:
    assert kinds.parse_csv('a=1,"b=2,3",c="4"') == ("a=1", "b=2,3", 'c="4"')
    assert kinds.parse_csv("") == ()
