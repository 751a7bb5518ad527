"""A plugin of pytest: which test has made which requests. `scripts/api-table` runs tests with it.

All daemons of the run, and the API in the test's own process, add lines to one file (see
`boxship.api.noting`); what is new after a test that has passed is that test's.
"""

import json
import os
from collections.abc import Generator
from pathlib import Path

import pytest

from boxship.api.noting import VARIABLE

_passed = pytest.StashKey[bool]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--api-coverage", type=Path, required=False, help="file to add rows to")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.when == "call":
        item.stash[_passed] = report.passed
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    calls = Path(os.environ[VARIABLE])
    before = calls.stat().st_size if calls.exists() else 0
    done = yield
    if item.stash.get(_passed, False) and calls.exists():
        with calls.open("rb") as lines:
            lines.seek(before)
            _keep(item, {line for line in lines if line.endswith(b"\n")})
    return done


def _keep(item: pytest.Item, lines: set[bytes]) -> None:
    path = item.config.getoption("--api-coverage")
    name = item.nodeid.partition("[")[0].removeprefix("tests/")
    rows = sorted(json.dumps({"test": name, **json.loads(line)}) for line in lines)
    with path.open("a") as file:
        file.writelines(f"{row}\n" for row in rows)
