import pytest

from boxship.base import ids
from boxship.base.units import format_decimal_size, parse_bytes


def test_new_ids_are_full_and_differ() -> None:
    made = {ids.new_id() for _ in range(100)}
    assert len(made) == 100
    assert all(ids.is_full_id(identifier) for identifier in made)


def test_a_short_form_of_digits_is_never_given_out() -> None:
    draws = iter([b"\x11" * 32, b"\xaa" * 32])
    assert ids.new_id(lambda _: next(draws)) == "aa" * 32


def test_short_id_drops_the_algorithm() -> None:
    assert ids.short_id("sha256:0123456789abcdef") == "0123456789ab"


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64", 64),
        ("1k", 1024),
        ("512m", 2**29),
        ("1.5g", 3 * 2**29),
        ("1GiB", 2**30),
        ("2 Kb", 2048),
    ],
)
def test_sizes_are_powers_of_1024(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "m", "-1", "1x", "1mm"])
def test_bad_sizes_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        parse_bytes(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0B"), (999, "999B"), (1000, "1kB"), (4_268_000, "4.27MB"), (117_000_000, "117MB")],
)
def test_sizes_as_docker_images_shows_them(size: int, text: str) -> None:
    assert format_decimal_size(size) == text
