"""What a .dockerignore leaves out; ``ignored.toml`` has what Docker's client does with it."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.dockerfile.ignore import (
    Decision,
    Ignore,
    Ignoring,
    PatternSyntaxError,
    ignore,
    patterns_in,
    read_dockerignore,
)
from boxship.dockerfile.wildcards import DIRECTORIES, REST, STAR, Wildcards, wildcards

TABLE = tomllib.loads((Path(__file__).parent / "ignored.toml").read_text())


@pytest.mark.parametrize("case", TABLE["case"], ids=[" ".join(c["lines"]) for c in TABLE["case"]])
def test_files_are_kept_as_by_docker(case: dict[str, Any]) -> None:
    text = "\n".join(case["lines"]) + "\n"
    if "error" in case:
        with pytest.raises(PatternSyntaxError):
            read_dockerignore(text)
        return
    patterns = read_dockerignore(text)
    kept = [path for path in TABLE["files"] if not patterns.leaves_out(path)]
    assert sorted(kept) == case["kept"]
    assert sorted(walked(patterns, TABLE["files"])) == case["kept"]
    many = Ignoring(patterns)
    assert sorted(path for path in TABLE["files"] if not many.leaves_out(path)) == case["kept"]


def walked(patterns: Ignore, files: list[str]) -> list[str]:
    """The files that a walk finds which enters only directories that may have something."""
    kept = []
    for path in files:
        above: Decision | None = None
        parts = path.split("/")
        for count in range(1, len(parts)):
            directory = "/".join(parts[:count])
            above = patterns.decide(directory, above)
            if above.left_out and not patterns.may_take_within(directory):
                break
        else:
            if not patterns.decide(path, above).left_out:
                kept.append(path)
    return kept


def test_bytes_with_a_mark_and_other_ends_of_lines() -> None:
    assert patterns_in("\ufeff# c\r\n/a/\r\n! b\r\n") == ["a", "!b"]
    assert read_dockerignore(b"\xef\xbb\xbfa\r\n").leaves_out("a")


names = st.text(alphabet="ab.*?[]^-\\!/&~|é", max_size=12)


@given(st.lists(names, max_size=4), names)
def test_any_pattern_is_understood_or_refused(lines: list[str], path: str) -> None:
    try:
        patterns = ignore(tuple(lines))
    except PatternSyntaxError:
        return
    patterns.leaves_out(path)
    patterns.may_take_within(path)


PIECES = st.lists(st.sampled_from(["a", "b", "/", "[^/]", STAR, DIRECTORIES, REST]), max_size=8)


@given(PIECES, st.text(alphabet="ab/", max_size=8))
def test_both_ways_of_matching_agree(pieces: list[str], path: str) -> None:
    expected = re.fullmatch("".join(pieces), path) is not None
    apart = [one if one in (STAR, DIRECTORIES, REST) else re.compile(one) for one in pieces]
    assert Wildcards(tuple(apart), None).matches(path) is expected
    assert wildcards(pieces).matches(path) is expected


def test_a_pattern_that_stops_a_regular_expression() -> None:
    patterns = ignore(("*a" * 40 + "b", "**/a" * 20 + "/b"))
    assert not patterns.leaves_out("a" * 250)
    assert not patterns.leaves_out("a/" * 100 + "a")
