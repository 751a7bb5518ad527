"""What is to be done: the difference of what shall be there and what is. Pure, and printable."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from boxship.base.errors import ConflictError
from boxship.installing.manifest import Manifest
from boxship.installing.pieces import File, Piece, mark


@dataclass(frozen=True)
class MakeGroup:
    name: str

    def __str__(self) -> str:
        return f"add group {self.name}"


@dataclass(frozen=True)
class RemoveGroup:
    name: str

    def __str__(self) -> str:
        return f"remove group {self.name}"


@dataclass(frozen=True)
class LeaveGroup:
    """Somebody has been added to it: made anew, it wouldn't have them."""

    name: str

    def __str__(self) -> str:
        return f"leave group {self.name}, which has members"


@dataclass(frozen=True)
class MakeDirectory:
    path: str

    def __str__(self) -> str:
        return f"make {self.path}"


@dataclass(frozen=True)
class Put:
    piece: Piece

    def __str__(self) -> str:
        if isinstance(self.piece, File):
            return f"write {self.piece.path}"
        return f"link {self.piece.path} to {self.piece.target}"


@dataclass(frozen=True)
class Remove:
    path: str

    def __str__(self) -> str:
        return f"remove {self.path}"


@dataclass(frozen=True)
class Leave:
    """Somebody has changed it: it is theirs now."""

    path: str

    def __str__(self) -> str:
        return f"leave {self.path}, which was changed since"


Step = MakeGroup | RemoveGroup | LeaveGroup | MakeDirectory | Put | Remove | Leave


@dataclass(frozen=True)
class Found:
    """What there is: marks by path (``pieces.mark_at``), directories, and whether the group is."""

    marks: Mapping[str, str]
    group: bool
    directories: frozenset[str]


def plan_installation(
    wanted: Sequence[Piece], directories: Sequence[str], group: str, found: Found, before: Manifest
) -> list[Step]:
    """Return the steps to what is wanted, none if it is there.

    ConflictError: files that an installation hasn't made are in the way; nothing is to be done.
    """
    steps: list[Step] = [] if found.group else [MakeGroup(group)]
    steps += [MakeDirectory(path) for path in directories if path not in found.directories]
    in_the_way = []
    for piece in wanted:
        there = found.marks.get(piece.path, "")
        if there == mark(piece):
            continue
        if there and (piece.path not in before.pieces or there == "other"):
            in_the_way.append(piece.path)
        steps.append(Put(piece))
    if in_the_way:
        raise ConflictError(
            f"in the way, and not of an installation of Boxship: {', '.join(in_the_way)} (move "
            "them aside, or install with another --prefix)"
        )
    kept = {piece.path for piece in wanted}
    dropped = {path: marks for path, marks in before.pieces.items() if path not in kept}
    return steps + plan_removal(dropped, found)


def plan_removal(pieces: Mapping[str, tuple[str, ...]], found: Found) -> list[Step]:
    """Return the steps that remove what is there of ``pieces``, and is as it was put there."""
    steps: list[Step] = []
    for path in sorted(pieces):
        there = found.marks.get(path, "")
        if there:
            steps.append(Remove(path) if there in pieces[path] else Leave(path))
    return steps


def announced(wanted: Sequence[Piece], before: Manifest) -> dict[str, tuple[str, ...]]:
    """Return the pieces to write down before the first step is done: those of before and after."""
    pieces = dict(before.pieces)
    for piece in wanted:
        pieces[piece.path] = tuple(dict.fromkeys((*pieces.get(piece.path, ()), mark(piece))))
    return pieces
