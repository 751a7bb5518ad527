"""What a benchmark yields: a row with a figure per engine, and what it has to reach."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Engines(Enum):
    DOCKERD = "dockerd"
    BOXSHIP = "boxship"


@dataclass(frozen=True)
class Goal:
    """The most that Boxship may need: a share of dockerd's figure, or so many units."""

    limit: float
    of_dockerd: bool = True

    def __str__(self) -> str:
        return f"≤ {self.limit:.2f} of dockerd" if self.of_dockerd else f"≤ {self.limit:g}"


@dataclass(frozen=True)
class Row:
    what: str
    unit: str
    figures: Mapping[Engines, float]
    goal: Goal | None = None

    @property
    def ratio(self) -> float | None:
        """Boxship's figure as a share of dockerd's, if both were measured."""
        if len(self.figures) < len(Engines):
            return None
        return self.figures[Engines.BOXSHIP] / self.figures[Engines.DOCKERD]

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None if there is none, or nothing to compare with."""
        ours = self.figures.get(Engines.BOXSHIP)
        if self.goal is None or ours is None:
            return None
        if not self.goal.of_dockerd:
            return ours <= self.goal.limit
        return None if self.ratio is None else self.ratio <= self.goal.limit
