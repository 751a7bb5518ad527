"""Port 53 of 127.0.0.11 in a container's network namespace leads to where the resolver listens.

The resolver does not bind port 53 there: a program of the container that wants the port on all
addresses (a name server, of all things) could not have it. Docker leads it elsewhere by NAT. NAT
needs connection tracking, which would then look at all traffic of the container and remember each
lookup for half a minute; at some thousand lookups a second its table is full, and connections fail
that have nothing to do with names. Here the ports are rewritten packet by packet instead:

::

    table ip boxship_dns_PORT {
        chain there { type filter hook output priority -300
            ip daddr 127.0.0.11 udp dport 53 udp dport set PORT      (and the same for tcp) }
        chain back { type filter hook input priority 300
            ip saddr 127.0.0.11 udp sport PORT udp sport set 53      (and the same for tcp) }
    }

The way there is rewritten before connection tracking sees it and the way back after, so that a
container that does track its connections sees one flow between the same two ports.
"""

import socket

from boxship.net.netlink.codec import BE16, Message
from boxship.net.nftables import expressions as x
from boxship.net.nftables import listing, objects, phrases, transaction
from boxship.net.nftables.numbers import PRIORITY_RAW, Family, Hook
from boxship.net.nftables.objects import Chain, Rule, Table

ADDRESS = "127.0.0.11"
PORT = 53
TABLE = "boxship_dns_"
"""The port comes behind it. So a table of the right name has the right rules, and stays."""

_SOURCE_AT, _DESTINATION_AT = 12, 16
_SOURCE_PORT_AT, _DESTINATION_PORT_AT = 0, 2
_CHECKSUM_AT = {"udp": 6, "tcp": 16}


def install(port: int) -> None:
    """Lead 127.0.0.11:53 of the network namespace we are in to ``port``.

    There must be no redirect yet. ``OSError`` if the kernel has no nf_tables.
    """
    with transaction.open_socket() as nftables:
        transaction.commit(nftables, messages(port))


def replace(port: int) -> None:
    """The same if an earlier resolver may have left a redirect; by one transaction.

    The one that is right stays: to close a netlink socket after removing a table takes 12 ms,
    since the kernel waits until nobody can be looking at it any more, and this is done for each
    container that outlived a daemon.
    """
    with transaction.open_socket() as nftables:
        found = {
            name
            for family, name in listing.tables(nftables)
            if family == Family.IPV4 and name.startswith(TABLE)
        }
        wanted = _table(port)
        stale = sorted(found - {wanted.name})
        changes = [objects.delete_table(Table(Family.IPV4, name)) for name in stale]
        transaction.commit(nftables, changes + ([] if wanted.name in found else messages(port)))


def messages(port: int) -> list[Message]:
    """Return the batch that ``install`` sends."""
    table = _table(port)
    way = Chain(table, "there", Hook.OUTPUT, PRIORITY_RAW)
    way_back = Chain(table, "back", Hook.INPUT, -PRIORITY_RAW)
    made = [objects.add_table(table), objects.add_chain(way), objects.add_chain(way_back)]
    for protocol in _CHECKSUM_AT:
        there = _rewriting(protocol, _DESTINATION_AT, _DESTINATION_PORT_AT, PORT, port)
        back = _rewriting(protocol, _SOURCE_AT, _SOURCE_PORT_AT, port, PORT)
        made += [objects.add_rule(Rule(way, there)), objects.add_rule(Rule(way_back, back))]
    return made


def _table(port: int) -> Table:
    return Table(Family.IPV4, f"{TABLE}{port}")


def _rewriting(protocol: str, address_at: int, port_at: int, old: int, new: int) -> bytes:
    """Return a rule: if address, protocol and port are so, write another port."""
    return b"".join((
        x.network_header(address_at, 4), x.equal(socket.inet_aton(ADDRESS)),
        phrases.protocol_is(protocol), x.transport_header(port_at, 2), x.equal(BE16.pack(old)),
        x.loaded(BE16.pack(new)),
        x.write_transport_header(port_at, 2, checksum_at=_CHECKSUM_AT[protocol]),
    ))  # fmt: skip
