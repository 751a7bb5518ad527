"""Which facts hold and which elements of sets that makes, with the difference of each change. Pure.

Two facts may need the same element, hence they are counted.
"""

from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field

from boxship.net.firewall.elements import elements_of, unit_of
from boxship.net.firewall.facts import Bridge, Fact
from boxship.net.firewall.ruleset import Ruleset
from boxship.net.nftables.objects import Element


@dataclass(slots=True)
class Difference:
    """A change before it is made: what the kernel is told, and what holds afterwards."""

    added: list[Element]
    removed: list[Element]
    units: dict[Hashable, tuple[tuple[Fact, ...], list[Element]]]
    counts: dict[Element, int]
    bridges: dict[str, Bridge]


@dataclass(slots=True)
class State:
    """The facts that hold."""

    ruleset: Ruleset
    units: dict[Hashable, tuple[tuple[Fact, ...], list[Element]]] = field(default_factory=dict)
    counts: dict[Element, int] = field(default_factory=dict)
    bridges: dict[str, Bridge] = field(default_factory=dict)

    def facts(self) -> list[Fact]:
        """Return all facts, bridges first."""
        facts = [fact for members, _ in self.units.values() for fact in members]
        return sorted(facts, key=lambda fact: not isinstance(fact, Bridge))

    def elements(self) -> list[Element]:
        """Return all elements."""
        return list(self.counts)

    def difference(self, add: Collection[Fact], remove: Collection[Fact]) -> Difference:
        """Return what changes when ``remove`` hold no longer and ``add`` do.

        Facts that hold already and facts to be removed that don't are passed over; a fact in both
        holds afterwards.
        """
        bridges = _changed_bridges(self.bridges, add, remove)
        touched: dict[Hashable, list[Fact]] = {unit_of(fact): [] for fact in remove}
        for fact in add:
            touched.setdefault(unit_of(fact), []).append(fact)
        units: dict[Hashable, tuple[tuple[Fact, ...], list[Element]]] = {}
        changes: dict[Element, int] = {}
        gone = frozenset(remove)
        for unit, new in touched.items():
            old_facts, old_elements = self.units.get(unit, ((), []))
            kept = [fact for fact in old_facts if fact not in gone]
            facts = tuple(dict.fromkeys((*kept, *new)))
            if facts == old_facts:
                continue
            elements = elements_of(facts, bridges, self.ruleset)
            units[unit] = facts, elements
            for element in old_elements:
                changes[element] = changes.get(element, 0) - 1
            for element in elements:
                changes[element] = changes.get(element, 0) + 1
        return self._counted(changes, units, bridges)

    def apply(self, difference: Difference) -> None:
        """Have the difference hold."""
        for unit, entry in difference.units.items():
            if entry[0]:
                self.units[unit] = entry
            else:
                self.units.pop(unit, None)
        for element, count in difference.counts.items():
            if count:
                self.counts[element] = count
            else:
                self.counts.pop(element, None)
        self.bridges = difference.bridges

    def _counted(
        self,
        changes: dict[Element, int],
        units: dict[Hashable, tuple[tuple[Fact, ...], list[Element]]],
        bridges: dict[str, Bridge],
    ) -> Difference:
        difference = Difference([], [], units, {}, bridges)
        for element, change in changes.items():
            if not change:
                continue
            before = self.counts.get(element, 0)
            difference.counts[element] = before + change
            if not before:
                difference.added.append(element)
            elif not before + change:
                difference.removed.append(element)
        return difference


def state_of(facts: Iterable[Fact], ruleset: Ruleset) -> State:
    """Return a state in which exactly these facts hold."""
    state = State(ruleset)
    state.apply(state.difference(tuple(facts), ()))
    return state


def _changed_bridges(
    old: dict[str, Bridge], add: Collection[Fact], remove: Collection[Fact]
) -> dict[str, Bridge]:
    bridges = dict(old)
    for fact in remove:
        if isinstance(fact, Bridge):
            bridges.pop(fact.interface, None)
    for fact in add:
        if isinstance(fact, Bridge):
            bridges[fact.interface] = fact
    return bridges
