"""The suite shared by runs that go on beside each other: `pytest --share=DIRECTORY`.

Each takes the next file of tests that none has taken yet, until there are no more; what is taken is
noted in the directory. So none ends long before another, however long files take and however many
runs there are. One more than cores is right: tests wait for what they have started.

Directories, daemons and cgroups are each run's own (`engine.py`, `residue.py`), so that none takes
another's traces for its own. What is the machine's, as the sealed interpreter and other engines'
default places, all goes to one run, whose first share it is.
"""

import os
from collections.abc import Iterator
from itertools import groupby

import pytest

MACHINES = (
    "tests/runtime_cli/",
    "tests/runtime_foreign/",
    "tests/runtime/test_runtime_program.py",
    "tests/runtime/test_stored_filters.py",
    "tests/e2e/test_other_runtimes.py",
    "tests/e2e/test_network_mapped.py",  # these two write /etc/subuid
    "tests/e2e/test_users_mapped.py",
)
# The order in which files are taken: the longest are in the first, which leaves the end even.
ORDER = (
    *MACHINES,
    "tests/e2e/",
    "tests/engine_",
    "tests/storage/",
    "tests/runtime",
    "tests/",
)
_THE_MACHINES = "machine"


class Share:
    """One run's part in it."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self.has_machine = False
        """Whether what is the machine's has come to this run."""

    def take(self, items: list[pytest.Item]) -> Iterator[pytest.Item]:
        """Yield the tests of files that no other run has taken."""
        items = sorted(items, key=lambda item: (_rank(_file_of(item)), _file_of(item)))  # stable
        for unit, tests in groupby(items, lambda item: _unit_of(_file_of(item))):
            if self._claims(unit):
                self.has_machine |= unit == _THE_MACHINES
                yield from tests

    def _claims(self, unit: str) -> bool:
        note = f"{self._directory}/{unit.replace('/', '-')}"
        try:
            os.close(os.open(note, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return False
        return True


def run_share(session: pytest.Session, share: Share) -> None:
    """Run this run's share of a session's tests, as pytest does with all of them."""
    items = share.take(session.items)
    item = next(items, None)
    while item is not None:
        following = next(items, None)
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        if session.shouldstop:
            raise session.Interrupted(session.shouldstop)
        item = following


def _file_of(item: pytest.Item) -> str:
    """Where it was collected, which may not be where it is written."""
    return item.nodeid.partition("::")[0]


def _unit_of(path: str) -> str:
    return _THE_MACHINES if path.startswith(MACHINES) else path


def _rank(path: str) -> int:
    return next(rank for rank, prefix in enumerate(ORDER) if path.startswith(prefix))
