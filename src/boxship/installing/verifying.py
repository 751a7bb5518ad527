"""Is everything still as this version installs it? What isn't is found again, and put there."""

from dataclasses import dataclass

from boxship.base.errors import BoxshipError
from boxship.installing.installation import Planned, install
from boxship.installing.pieces import mark_at
from boxship.installing.planning import (
    Leave,
    LeaveGroup,
    MakeDirectory,
    MakeGroup,
    Put,
    Remove,
    RemoveGroup,
    Step,
)


@dataclass(frozen=True)
class Flaw:
    """``place`` is a path, or the name of a group; ``problem`` goes on: "is missing"."""

    place: str
    problem: str
    repaired: bool
    remedy: str = ""


def verify(planned: Planned, *, repair: bool) -> list[Flaw]:
    """Return what is wrong, repaired if asked for."""
    found = [(step, _flaw(planned, step)) for step in planned.steps if not isinstance(step, Leave)]
    remedy = "boxship system install"
    if repair and found:
        try:
            install(planned, lambda step: None)
        except BoxshipError as error:
            remedy = f"boxship system install: {error}"
        else:
            return [Flaw(place, problem, repaired=True) for _, (place, problem) in found]
    return [Flaw(place, problem, repaired=False, remedy=remedy) for _, (place, problem) in found]


def _flaw(planned: Planned, step: Step) -> tuple[str, str]:
    match step:
        case MakeGroup(name):
            return f"group {name}", "is missing"
        case MakeDirectory(path):
            return path, "is missing"
        case Put(piece):
            there = mark_at(planned.wish.layout.outside(piece.path))
            return piece.path, "is not as it was installed" if there else "is missing"
        case Remove(path) | Leave(path):
            return path, "is of another version"
        case RemoveGroup(name) | LeaveGroup(name):
            return f"group {name}", "is not wanted"
