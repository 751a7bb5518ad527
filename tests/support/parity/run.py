"""The parity run: scenarios, what came of them, and what is to be said of that."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from support.parity.comparing import Difference, compare
from support.parity.pair import Pair
from support.parity.reviewed import Entry, Reviewed
from support.parity.scenarios import Scenario


@dataclass
class Tally:
    """How many steps there were, and how they came out."""

    steps: int = 0
    equal: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """Steps by the reasons of their differences; one may have several."""
    unexplained: int = 0

    def lines(self, texts: dict[str, str]) -> Iterator[str]:
        yield f"{self.steps} steps: {self.equal} equal, {self.unexplained} different without reason"
        for name, count in self.reasons.most_common():
            yield f"{count:5} differing: {name}: {texts[name]}"


class Run:
    """Runs scenarios on a pair, and counts."""

    def __init__(self, pair: Pair, reviewed: Reviewed) -> None:
        self.pair = pair
        self.reviewed = reviewed
        self.tally = Tally()
        self.ran: list[str] = []

    def scenario(self, scenario: Scenario) -> list[Difference]:
        """Run it; the differences that nobody has explained."""
        outcomes = self.pair.run(scenario)
        unexplained = []
        for _, differences in compare(scenario, outcomes):
            reasons = [self.reviewed.reason(difference) for difference in differences]
            self.tally.steps += 1
            self.tally.equal += not differences
            self.tally.reasons.update({reason for reason in reasons if reason is not None})
            self.tally.unexplained += None in reasons
            unexplained += [d for d, reason in zip(differences, reasons, strict=True) if not reason]
        self.ran.append(scenario.id)
        return unexplained

    def idle(self, every: list[Scenario]) -> list[Entry]:
        """Entries of the table for which there is no need any more."""
        return self.reviewed.idle(every, set(self.ran))
