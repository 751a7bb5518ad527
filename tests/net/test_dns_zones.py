"""Zones: names to addresses and back, as snapshots that share what did not change."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boxship.net.dns.names import packed, reverse, to_text, to_wire
from boxship.net.dns.zones import Entry, Member, Zone

WEB = Member(("web", "0123456789ab", "shared"), ("10.0.0.2", "fd00::2"))
DB = Member(("db", "shared"), ("10.0.0.3",))


def _addresses(zone: Zone, name: str) -> set[str]:
    wire = to_wire(name)
    assert wire is not None
    entry = zone.entries.get(wire)
    found = entry.v4 + entry.v6 if entry else ()
    return {_text(record) for record in found}


def _text(record: bytes) -> str:
    return str(ipaddress.ip_address(record[12:]))


def test_a_name_is_found_in_any_case_and_with_its_networks_name_behind_it() -> None:
    zone = Zone.of("backend", {"c1": Member(("Web",), ("10.0.0.2",))})

    assert _addresses(zone, "wEB") == _addresses(zone, "web.Backend.") == {"10.0.0.2"}
    assert _addresses(zone, "backend") == _addresses(zone, "web.frontend") == set()


def test_a_name_of_several_is_all_their_addresses() -> None:
    zone = Zone.of("n", {"c1": WEB, "c2": DB})

    assert _addresses(zone, "shared") == {"10.0.0.2", "10.0.0.3", "fd00::2"}
    assert _addresses(zone, "db") == {"10.0.0.3"}


def test_who_leaves_takes_away_its_own_only() -> None:
    zone = Zone.of("n", {"c1": WEB, "c2": DB}).without("c1")

    assert _addresses(zone, "web") == _addresses(zone, "0123456789ab") == set()
    assert _addresses(zone, "shared") == {"10.0.0.3"}
    assert list(zone.pointers) == [reverse(packed("10.0.0.3"))]


def test_a_new_name_replaces_the_old_one() -> None:
    old = Zone.of("n", {"c1": WEB})
    new = old.with_member("c1", Member(("shop",), ("10.0.0.2",)))

    assert _addresses(new, "web") == set()
    assert to_text(new.pointers[reverse(packed("10.0.0.2"))]) == "shop.n"
    assert _addresses(old, "web") == {"10.0.0.2", "fd00::2"}, "a snapshot does not change"


def test_reverse_names() -> None:
    assert to_text(reverse(packed("10.1.2.3"))) == "3.2.1.10.in-addr.arpa"
    assert to_text(reverse(packed("fd00::a"))).startswith("a.0.0.0.") is True
    assert to_text(reverse(packed("fd00::a"))).endswith(".0.0.d.f.ip6.arpa")


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, ".".join(["y" * 63] * 4)])
def test_what_is_no_domain_name_is_left_out(name: str) -> None:
    assert to_wire(name) is None
    assert _addresses(Zone.of("n", {"c": Member((name, "good"), ("10.0.0.9",))}), "good")


def test_an_address_that_is_none_is_an_error() -> None:
    with pytest.raises(OSError, match="illegal"):
        Entry.of(["10.0.0.300"])


_names = st.sampled_from(["a", "b", "c"])
_members = st.builds(
    Member,
    st.lists(_names, min_size=1, max_size=3, unique=True).map(tuple),
    st.lists(st.integers(1, 9).map("10.0.0.{}".format), max_size=2, unique=True).map(tuple),
)


@given(st.lists(st.tuples(st.sampled_from(["1", "2", "3"]), st.none() | _members), max_size=12))
def test_changes_one_by_one_come_to_what_is_made_at_once(
    steps: list[tuple[str, Member | None]],
) -> None:
    zone, model = Zone("n"), dict[str, Member]()
    for owner, member in steps:
        model.pop(owner, None)
        if member is None:
            zone = zone.without(owner)
        else:
            zone = zone.with_member(owner, member)
            model[owner] = member

    made = Zone.of("n", model)
    assert zone.members == made.members
    assert zone.entries.keys() == made.entries.keys()
    for name in made.entries:
        assert set(zone.entries[name].v4) == set(made.entries[name].v4)
