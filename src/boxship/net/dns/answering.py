"""Decides, without I/O, what a container is told: from the networks it is on, or by others."""

from collections.abc import Mapping
from enum import Enum

from boxship.net.dns import message
from boxship.net.dns.message import Query
from boxship.net.dns.names import is_address, to_wire
from boxship.net.dns.zones import TTL, Entry, View, Zone


class Elsewhere(Enum):
    """The answer is not ours to give."""

    FORWARD = "forward"


class Sight:
    """A view with what can be worked out once for all its questions.

    A server that is no address is left out: to connect to a name would be to look it up, and all
    wait meanwhile.
    """

    __slots__ = ("extra", "servers", "view")

    def __init__(self, view: View) -> None:
        self.view = view
        self.servers = tuple(one for one in view.upstream if is_address(one.address))
        self.extra = {
            wire: Entry.of(addresses)
            for name, addresses in view.extra.items()
            if (wire := to_wire(name)) is not None
        }


def decide(
    query: Query, sight: Sight, zones: Mapping[str, Zone], *, turn: int, ceiling: int
) -> bytes | Elsewhere:
    """Return the answer, or that it is to be forwarded.

    ``turn`` says which of several addresses comes first; ``ceiling`` how long the answer may be.
    A name of ours exists with all types: AAAA of one that has IPv4 only is an empty answer and
    no question for a server outside, which would deny the name and with it the address.
    """
    if query.version:
        return message.reply(query, message.BADVERS, ceiling=ceiling)
    if query.kind_class not in (message.IN, message.ANY_CLASS):
        return message.reply(query, message.REFUSED, ceiling=ceiling)
    if query.kind in (message.AXFR, message.IXFR):
        return message.reply(query, message.REFUSED, ceiling=ceiling)
    name = query.name
    entries = [sight.extra[name]] if name in sight.extra else []
    for network in sight.view.networks:
        zone = zones.get(network)
        if zone is None:
            continue
        if (entry := zone.entries.get(name)) is not None:
            entries.append(entry)
        elif (target := zone.pointers.get(name)) is not None:
            return _pointer(query, target, ceiling)
    if entries:
        return message.reply(
            query, message.NOERROR, _records(query, entries, turn), ceiling=ceiling
        )
    return _unknown(query, sight, ceiling)


def _records(query: Query, entries: list[Entry], turn: int) -> tuple[bytes, ...]:
    """Return the records of the first network that has any of the kind, turned round."""
    for entry in entries:
        if query.kind == message.A:
            records = entry.v4
        elif query.kind == message.AAAA:
            records = entry.v6
        else:
            records = entry.v4 + entry.v6 if query.kind == message.ANY else ()
        if records:
            first = turn % len(records)
            return records[first:] + records[:first] if first else records
    return ()


def _pointer(query: Query, target: bytes, ceiling: int) -> bytes:
    wanted = query.kind in (message.PTR, message.ANY)
    records = (message.record(message.PTR, TTL, target),) if wanted else ()
    return message.reply(query, message.NOERROR, records, ceiling=ceiling)


def _unknown(query: Query, sight: Sight, ceiling: int) -> bytes | Elsewhere:
    view = sight.view
    if not view.forward:
        return message.reply(query, message.NXDOMAIN, ceiling=ceiling)
    single = query.name[0] and query.name[1 + query.name[0]] == 0
    addresses = query.kind in (message.A, message.AAAA)
    if single and addresses and not view.forward_single_labels:
        return message.reply(query, message.NXDOMAIN, ceiling=ceiling)
    if not sight.servers:
        return message.reply(query, message.SERVFAIL, ceiling=ceiling)
    return Elsewhere.FORWARD
