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


class Programs(Enum):
    LIMIT = "limit in C"
    RUNC = "runc"
    CRUN = "crun"
    BOXSHIP = "boxship"


@dataclass(frozen=True)
class ProgramRow:
    """A figure for each program that was measured; ``limit`` is a multiple of ``base``'s."""

    what: str
    unit: str
    figures: Mapping[Programs, float]
    base: Programs
    limit: float | None = None

    @property
    def ratio(self) -> float | None:
        """Boxship's figure as a multiple of that of ``base``."""
        if self.base not in self.figures:
            return None
        return self.figures[Programs.BOXSHIP] / self.figures[self.base]

    @property
    def goal(self) -> str:
        return "" if self.limit is None else f"≤ {self.limit:g} of {self.base.value}"

    @property
    def reached(self) -> bool | None:
        """Whether the goal is met; None if there is none, or nothing to compare with."""
        return None if self.limit is None or self.ratio is None else self.ratio <= self.limit
