"""The differences that are meant: `tests/parity/differences.toml`, by reason.

::

    [[reason]]
    name = "newer"
    text = "Our daemon says more than Debian's …"
    differences = [
        { step = "containers/*: docker inspect *", at = "out[].State.Health" },
        { step = "*", at = "err", dockerd = "runc create failed", boxshipd = "no such file" },
    ]

``step`` is a pattern for ``SCENARIO: STEP``, ``at`` one for places, ``dockerd`` and ``boxshipd``
are regular expressions for what each side had there. A difference has the first reason that fits;
an entry that explains nothing any more is a fault.
"""

import re
import tomllib
from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from support.parity.comparing import Difference, matches
from support.parity.scenarios import Scenario

TABLE = Path(__file__).parents[2] / "parity" / "differences.toml"


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row of the table."""

    step: str
    at: str = "*"
    dockerd: str = ""
    boxshipd: str = ""

    def explains(self, difference: Difference) -> bool:
        return (
            fnmatchcase(f"{difference.scenario}: {difference.step.run}", self.step)
            and matches(difference.at, self.at)
            and re.search(self.dockerd, difference.dockerd, re.DOTALL) is not None
            and re.search(self.boxshipd, difference.boxshipd, re.DOTALL) is not None
        )

    def concerns(self, scenario: Scenario) -> bool:
        """Whether a step of it could be meant."""
        names = (f"{scenario.id}: {step.run}" for step in scenario.steps)
        return any(fnmatchcase(name, self.step) for name in names)


class _Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    text: str
    differences: list[Entry]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: list[_Reason]


class Reviewed:
    """The table, and which of its entries were needed."""

    def __init__(self, path: Path = TABLE) -> None:
        table = msgspec.convert(tomllib.loads(path.read_text()), _File)
        self.reasons = {row.name: row.text for row in table.reason}
        self._entries = [(row.name, entry) for row in table.reason for entry in row.differences]
        self._needed: set[Entry] = set()

    def reason(self, difference: Difference) -> str | None:
        """Why it is meant; None if nobody has said so."""
        for reason, entry in self._entries:
            if entry.explains(difference):
                self._needed.add(entry)
                return reason
        return None

    def idle(self, every: Iterable[Scenario], ran: Collection[str]) -> list[Entry]:
        """Entries that explained nothing, although all that they are for ran."""
        scenarios = list(every)
        return [
            entry
            for _, entry in self._entries
            if entry not in self._needed
            and all(scenario.id in ran for scenario in scenarios if entry.concerns(scenario))
        ]
