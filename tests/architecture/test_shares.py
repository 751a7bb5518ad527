"""The suite is shared by runs of pytest beside each other: every test is run by one of them."""

from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import cast

import pytest

from support.shares import MACHINES, Share

TESTS = Path(__file__).parents[1]


@dataclass(frozen=True)
class Item:
    nodeid: str


def items() -> list[pytest.Item]:
    """Two tests of each file, which pytest may have put apart for a fixture's sake."""
    files = [f"tests/{path.relative_to(TESTS)}" for path in TESTS.rglob("test_*.py")]
    return cast("list[pytest.Item]", [Item(f"{path}::test_{n}") for n in (1, 2) for path in files])


def test_each_test_is_taken_by_one_run_with_the_rest_of_its_file(tmp_path: Path) -> None:
    shares = [Share(str(tmp_path)) for _ in range(3)]
    rows = list(zip_longest(*(share.take(items()) for share in shares)))
    taken = [[row[number] for row in rows if row[number]] for number in range(3)]
    assert sorted(map(str, chain(*taken))) == sorted(map(str, items()))
    files = [{item.nodeid.partition("::")[0] for item in run} for run in taken]
    assert sum(map(len, files)) == len(set.union(*files))
    assert all(len(each) > 20 for each in files)


def test_what_is_the_machines_goes_to_one_run(tmp_path: Path) -> None:
    shares = [Share(str(tmp_path)) for _ in range(2)]
    taken = [list(share.take(items())) for share in shares]  # the first takes all
    assert [share.has_machine for share in shares] == [True, False]
    assert taken[1] == []


def test_what_is_the_machines_is_there() -> None:
    assert [place for place in MACHINES if not (TESTS.parent / place).exists()] == []
