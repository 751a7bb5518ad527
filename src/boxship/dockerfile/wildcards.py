"""Matching of paths against wildcards, in a time that has a bound.

A pattern is a list of regular expressions for one character each, and of the three constants here.
Together they are one regular expression, which is fast, but of which a few more wildcards make
one that does not end. Such patterns are followed character by character instead, with all places
in the pattern that may have been reached.
"""

import re
from dataclasses import dataclass

STAR = "[^/]*"
DIRECTORIES = "(?:.*/)?"
REST = ".*"
_FEW = 2


@dataclass(frozen=True, slots=True)
class Wildcards:
    """A pattern for whole paths. ``together`` is missing if it could take too long."""

    pieces: tuple[re.Pattern[str] | str, ...]
    together: re.Pattern[str] | None

    def matches(self, path: str) -> bool:
        """Tell whether all of ``path`` matches."""
        if self.together is not None:
            return self.together.fullmatch(path) is not None
        places = self._skipping({(0, False)})
        for character in path:
            places = self._skipping(
                {after for place in places for after in self._after(place, character)}
            )
        return (len(self.pieces), False) in places

    def _skipping(self, places: set[tuple[int, bool]]) -> set[tuple[int, bool]]:
        """Add the places behind wildcards that may match nothing."""
        found: set[tuple[int, bool]] = set()
        open_ones = list(places)
        while open_ones:
            index, inside = place = open_ones.pop()
            if place in found:
                continue
            found.add(place)
            if not inside and index < len(self.pieces) and isinstance(self.pieces[index], str):
                open_ones.append((index + 1, False))
        return found

    def _after(self, place: tuple[int, bool], character: str) -> list[tuple[int, bool]]:
        """Return where ``character`` leads from ``place``; true is within directories' names."""
        index, _ = place
        if index == len(self.pieces):
            return []
        piece = self.pieces[index]
        if piece == DIRECTORIES:
            within = [(index, True)]
            return [*within, (index + 1, False)] if character == "/" else within
        if piece == STAR:
            return [] if character == "/" else [place]
        if piece == REST:
            return [place]
        assert isinstance(piece, re.Pattern)
        return [(index + 1, False)] if piece.fullmatch(character) else []


def wildcards(pieces: list[str]) -> Wildcards:
    """Make a pattern of its pieces; raise :class:`re.error` if one is malformed."""
    if _in_one(pieces):
        return Wildcards((), re.compile("".join(pieces), re.DOTALL))
    return Wildcards(
        tuple(
            one if one in (STAR, DIRECTORIES, REST) else re.compile(one, re.DOTALL)
            for one in pieces
        ),
        None,
    )


def _in_one(pieces: list[str]) -> bool:
    """Tell whether there are few wildcards: ``**`` in all, ``*`` between two ``/``."""
    stars = wide = 0
    for piece in pieces:
        wide += piece in (DIRECTORIES, REST)
        stars = 0 if piece == "/" else stars + (piece == STAR)
        if max(stars, wide) > _FEW:
            return False
    return True
