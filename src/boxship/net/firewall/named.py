"""Where stations may go because a name that they may ask for was answered with it. Pure.

Answers come again and again and overlap, the kernel's set of intervals refuses overlaps, and what
is in it can't be made to live longer. So per station and destination the elements are computed
anew, disjoint, each piece with the longest life that any answer gave it.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from boxship.net.firewall.boxes import Box, cut_apart
from boxship.net.firewall.elements import box_of, flow_of, named_element
from boxship.net.firewall.facts import Address, EgressRule, Network
from boxship.net.firewall.ruleset import Ruleset
from boxship.net.nftables.objects import Element

_GRACE = 60.0
"""Seconds beyond what an answer said: clients connect late, and the kernel need not be told as
often."""
_LOOK_EVERY = 1.0
"""Seconds between two looks for what has ended, when too much is open."""
MOST = 4096
"""Destinations open to one station; a wildcard's names can have any number of addresses."""
_Pair = tuple[Address, Network]


@dataclass(slots=True)
class Named:
    """What is open for a while, in seconds of a clock that the caller reads."""

    ruleset: Ruleset
    _asked: dict[_Pair, dict[Box, float]] = field(default_factory=dict)
    _stations: Counter[Address] = field(default_factory=Counter)
    """How many pairs each has in ``_asked``."""
    _looked: float = 0.0

    def allow(
        self, rule: EgressRule, now: float, seconds: float
    ) -> tuple[list[Element], list[Element]] | None:
        """Note that it is open; return elements to remove and to add, None if none change: it is
        open already, or too much is open to the station.

        What has ended meanwhile may be among those to remove: then see ``elements``.
        """
        pair, box = (rule.station, rule.destination), box_of(rule)
        if pair not in self._asked and self._is_full(rule.station, now):
            return None
        boxes = {one: end for one, end in self._asked.get(pair, {}).items() if end > now}
        if boxes.get(box, 0.0) >= now + seconds:
            return None
        removed = _elements(pair, boxes, now, self.ruleset)
        boxes[box] = now + seconds + _GRACE
        self._at(pair).clear()
        self._at(pair).update(boxes)
        return removed, _elements(pair, boxes, now, self.ruleset)

    def _is_full(self, station: Address, now: float) -> bool:
        if self._stations[station] >= MOST and now >= self._looked + _LOOK_EVERY:
            self._forget_ended(now)
            self._looked = now
        return self._stations[station] >= MOST

    def _at(self, pair: _Pair) -> dict[Box, float]:
        if pair not in self._asked:
            self._asked[pair] = {}
            self._stations[pair[0]] += 1
        return self._asked[pair]

    def _drop(self, pair: _Pair) -> None:
        del self._asked[pair]
        self._stations[pair[0]] -= 1
        if not self._stations[pair[0]]:
            del self._stations[pair[0]]

    def _forget_ended(self, now: float) -> None:
        for pair, boxes in list(self._asked.items()):
            self._asked[pair] = {box: end for box, end in boxes.items() if end > now}
            if not self._asked[pair]:
                self._drop(pair)

    def recall(self, elements: Iterable[Element], now: float) -> None:
        """Take over what the kernel has open, as a daemon before us left it."""
        for element in elements:
            station, destination, box = flow_of(element)
            self._at((station, destination))[box] = now + element.seconds

    def close(self, stations: Iterable[Address]) -> bool:
        """Forget stations; tell whether there was anything to forget."""
        gone = frozenset(stations)
        pairs = [pair for pair in self._asked if pair[0] in gone]
        for pair in pairs:
            self._drop(pair)
        return bool(pairs)

    def elements(self, now: float) -> list[Element]:
        """Return everything that is open."""
        self._forget_ended(now)
        return [
            element
            for pair, boxes in self._asked.items()
            for element in _elements(pair, boxes, now, self.ruleset)
        ]


def _elements(pair: _Pair, boxes: dict[Box, float], now: float, ruleset: Ruleset) -> list[Element]:
    longest_first = sorted(boxes, key=lambda box: boxes[box], reverse=True)
    return [
        named_element(pair[0], piece, boxes[box] - now, ruleset)
        for box, piece in cut_apart(longest_first)
    ]
