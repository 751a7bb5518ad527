"""What the resolver knows: the names of each network, and which networks a container sees.

All of it is immutable. A change makes a new snapshot, which shares all it can with the old one,
and is put in place by one assignment; the resolver's thread sees the old state or the new one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from boxship.net.dns import names

TTL = 5
"""Seconds that a client may keep an answer. Docker says 600, and a client that caches (a JVM,
nscd) then goes on speaking to an address that has long been somebody else's."""

_A_RECORD = b"\xc0\x0c\x00\x01\x00\x01" + TTL.to_bytes(4, "big") + b"\x00\x04"
_AAAA_RECORD = b"\xc0\x0c\x00\x1c\x00\x01" + TTL.to_bytes(4, "big") + b"\x00\x10"


@dataclass(frozen=True, slots=True)
class Member:
    """What has names in a network: all of them, the one that PTR gives first; its addresses.

    Addresses are text without a prefix length, of either family.
    """

    names: tuple[str, ...]
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """The answer to a name: resource records that point at the question's name (0xc00c)."""

    v4: tuple[bytes, ...] = ()
    v6: tuple[bytes, ...] = ()

    @staticmethod
    def of(addresses: Iterable[str]) -> "Entry":
        """Make records of addresses; ``OSError`` if one is none."""
        every = [names.packed(address) for address in addresses]
        return Entry(
            tuple(_A_RECORD + one for one in every if len(one) == 4),
            tuple(_AAAA_RECORD + one for one in every if len(one) == 16),
        )


@dataclass(frozen=True, slots=True)
class Zone:
    """The names of one network. ``owner`` is whatever tells members apart, a container's id.

    Every name is also known with the network's name behind it (``web.backend``), as in Docker.
    A name that several members have is all their addresses, and the answers go round.
    """

    network: str
    members: Mapping[str, Member] = field(default_factory=dict)
    owners: Mapping[bytes, tuple[str, ...]] = field(default_factory=dict, repr=False)
    entries: Mapping[bytes, Entry] = field(default_factory=dict, repr=False)
    pointers: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)

    @staticmethod
    def of(network: str, members: Mapping[str, Member]) -> "Zone":
        """Make the zone of ``network``; ``OSError`` for a member's address that is none."""
        return Zone(network)._changed("", members)

    def with_member(self, owner: str, member: Member) -> "Zone":
        """Return the zone in which ``owner`` is ``member``, whatever it was before."""
        return self._changed(owner, {owner: member})

    def without(self, owner: str) -> "Zone":
        """Return the zone without ``owner``."""
        return self._changed(owner, {}) if owner in self.members else self

    def _changed(self, gone: str, come: Mapping[str, Member]) -> "Zone":
        members, owners = dict(self.members), dict(self.owners)
        entries, pointers = dict(self.entries), dict(self.pointers)
        touched: set[bytes] = set()
        if (old := members.pop(gone, None)) is not None:
            for key in self._keys(old):
                owners[key] = tuple(one for one in owners[key] if one != gone)
                touched.add(key)
            for address in old.addresses:
                pointers.pop(names.reverse(names.packed(address)), None)
        for owner, member in come.items():
            members[owner] = member
            for key in self._keys(member):
                owners[key] = (*owners.get(key, ()), owner)
                touched.add(key)
            pointers.update(self._pointers(member))
        for key in touched:
            _settle(key, members, owners, entries)
        return Zone(self.network, members, owners, entries, pointers)

    def _keys(self, member: Member) -> set[bytes]:
        spelled = (form for name in member.names for form in (name, f"{name}.{self.network}"))
        return {wire for form in spelled if (wire := names.to_wire(form)) is not None}

    def _pointers(self, member: Member) -> dict[bytes, bytes]:
        target = names.to_wire(f"{member.names[0]}.{self.network}") if member.names else None
        if target is None:
            return {}
        return {names.reverse(names.packed(one)): target for one in member.addresses}


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server that is asked what no network of the container knows.

    ``inside``: ask from the container's own network namespace, because only from there is a way
    (macvlan and ipvlan: the host can't reach what hangs on its own interface's children).
    """

    address: str
    port: int = 53
    inside: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """What one container sees.

    ``networks`` are ids, looked through in this order; ``extra`` are names of its own (links).
    Without ``forward`` (all its networks are internal) an unknown name does not exist.
    ``forward_single_labels`` is off when its user asked for ``ndots``: names without a dot then
    stay here, and its own C library appends the search domains. ``watched``: its answers from
    outside go to the resolver's ``on_answer`` before they go to it; ``station`` names it there.
    """

    networks: tuple[str, ...] = ()
    upstream: tuple[Upstream, ...] = ()
    forward: bool = True
    forward_single_labels: bool = True
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    station: str = ""
    watched: bool = False


def _settle(
    key: bytes,
    members: Mapping[str, Member],
    owners: dict[bytes, tuple[str, ...]],
    entries: dict[bytes, Entry],
) -> None:
    """Make the entry of ``key`` from those who have the name now."""
    if not owners[key]:
        del owners[key], entries[key]
        return
    addresses = (address for owner in owners[key] for address in members[owner].addresses)
    entries[key] = Entry.of(dict.fromkeys(addresses))
