"""The fixed part: tables, sets, chains and rules. Starting a container changes none of them.

::

    table inet                                   table bridge
      prerouting raw    loopback from a bridge     prerouting   station: who may speak
      prerouting nat    dnat, output nat  dnat     forward      quiet: between stations without icc
      forward           within, leaving, entering
      input             egress rules, for the host
      postrouting nat   hairpin, masquerade

Another table's verdict to drop is final, ours to accept is not: what the host's administrator
forbids stays forbidden, see ``foreign``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from boxship.net.netlink.codec import U32, Message
from boxship.net.nftables import expressions as x
from boxship.net.nftables import numbers, objects
from boxship.net.nftables import phrases as p
from boxship.net.nftables.numbers import CtState, Family, Hook, MetaKey, Register
from boxship.net.nftables.objects import Chain, Field, Rule, Set, Table

_FLOW4 = (Field.IPV4, Field.IPV4, Field.PROTOCOL, Field.PORT)
_FLOW6 = (Field.IPV6, Field.IPV6, Field.PROTOCOL, Field.PORT)
_ROUTER_SOLICITATION, _ROUTER_ADVERTISEMENT = 133, 134
_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT, _REDIRECT = 135, 136, 137
_LISTENER_REPORTS = (131, 132, 143)
_LOGGED_BYTES = 128
_KINDS_OF_OTHERS = ("bridge", "tun", "wireguard")
_SYN, _SYN_ACK = 0x02, 0x12

SPOOFED = "spoofed"
STRANGERS = "strangers"
"""The set of bridges of other engines."""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Names and numbers of one daemon's tables."""

    inet: Table
    bridge: Table
    log_group: int
    accepted: tuple[int, int] | None = None
    """A firewall mark, and which of its bits count, whose packets get into every bridge that is
    not internal; None: there is none."""

    @classmethod
    def named(cls, name: str, log_group: int, accepted: tuple[int, int] | None = None) -> "Ruleset":
        """Return the rules in ``table inet <name>`` and ``table bridge <name>``."""
        return cls(Table(Family.INET, name), Table(Family.BRIDGE, name), log_group, accepted)

    def create(self) -> list[Message]:
        """Return the messages that make everything anew, whatever was there."""
        tables = (self.inet, self.bridge)
        messages = self.remove() + [objects.add_table(table) for table in tables]
        messages += [objects.add_set(one, 1 + i) for i, one in enumerate(self.sets())]
        rules = list(self.rules())
        chains = dict.fromkeys(rule.chain for rule in rules)
        messages += [objects.add_chain(chain) for chain in chains]
        return messages + [objects.add_rule(rule) for rule in rules]

    def remove(self) -> list[Message]:
        """Return the messages that remove everything, also if there is nothing."""
        return [
            make(table)
            for table in (self.inet, self.bridge)
            for make in (objects.add_table, objects.delete_table)
        ]

    def sets(self) -> list[Set]:
        """Return the sets and maps of both tables."""
        return [*_inet_sets(self.inet), *_bridge_sets(self.bridge)]

    def rules(self) -> Iterator[Rule]:
        """Yield the rules in order; each chain is made by its first rule."""
        yield from _loopback(self.inet)
        yield from _translation(self.inet)
        yield from _masquerading(self.inet)
        yield from _egress(self.inet, self.log_group)
        yield from _forwarding(self.inet, self.accepted)
        yield from _stations(self.bridge)
        yield from _quiet(self.bridge)


def _inet_sets(table: Table) -> Iterator[Set]:
    name, pair = (Field.INTERFACE,), (Field.INTERFACE, Field.INTERFACE)
    for one in ("bridges", "internal", "quiet", "reachable", STRANGERS):
        yield Set(table, one, name)
    yield Set(table, "fence", (Field.FAMILY,))
    for one in ("same", "trusted"):
        yield Set(table, one, pair)
    yield Set(table, "guards", (Field.INTERFACE, Field.MAC), verdicts=True)
    for digit, flow, address in (("4", _FLOW4, Field.IPV4), ("6", _FLOW6, Field.IPV6)):
        for one in ("masq", "routed", "unprotected"):
            yield Set(table, one + digit, name)
        yield Set(table, "inside" + digit, (Field.INTERFACE, address), intervals=True)
        yield Set(table, "snat" + digit, name, data=(address,))
        # Most ports are in maps of hashes: taking an element out of a set of intervals takes time
        # in proportion to what is in it, 10 ms among a thousand.
        yield Set(table, "ports" + digit, flow[2:], data=(address, Field.PORT))
        yield Set(table, "doors" + digit, flow[1:], data=(address, Field.PORT))
        yield Set(table, "ranges" + digit, flow[1:], data=(address,), intervals=True)
        yield Set(table, "limited" + digit, flow[1:], intervals=True)
        for one in ("sources", "direct", "linked", "allowed", "denied"):
            yield Set(table, one + digit, flow, intervals=True)
        yield Set(table, "named" + digit, flow, intervals=True, timeouts=True)


def _bridge_sets(table: Table) -> Iterator[Set]:
    for one in ("stations", "quiet"):
        yield Set(table, one, (Field.INTERFACE,))
    yield Set(table, "macs", (Field.INTERFACE, Field.MAC))
    yield Set(table, "speak4", (Field.INTERFACE, Field.IPV4))
    yield Set(table, "speak6", (Field.INTERFACE, Field.IPV6))
    yield Set(table, "linked4", _FLOW4, intervals=True)
    yield Set(table, "linked6", _FLOW6, intervals=True)


def _loopback(table: Table) -> Iterator[Rule]:
    """Keep containers off what listens on the host's loopback, which bridges are let route to.

    ``route_localnet`` lets answers to local clients of published ports pass; at this hook they
    still bear the bridge's address.
    """
    chain = Chain(table, "loopback", Hook.PREROUTING, numbers.PRIORITY_RAW)
    for loopback in (p.loopback_destination(), p.loopback_source()):
        expressions = p.iif_in("bridges") + loopback + p.COUNT + p.DROP
        yield Rule(chain, expressions, "loopback")


def _translation(table: Table) -> Iterator[Rule]:
    before = Chain(table, "prerouting", Hook.PREROUTING, numbers.PRIORITY_DNAT, "nat")
    local = Chain(table, "output", Hook.OUTPUT, numbers.PRIORITY_DNAT, "nat")
    published = Chain(table, "published")
    # The kernel refuses such packets only when it routes them, and then they would be translated:
    # neighbours of the host would reach what is published on 127.0.0.1 alone.
    yield Rule(before, p.loopback_destination() + p.ACCEPT)
    # IPv6 has no route_localnet: answers to ::1 would be lost. Refused at once, a client of
    # "localhost" goes on to 127.0.0.1.
    yield Rule(local, p.loopback_destination6() + p.ACCEPT)
    for chain in (before, local):
        yield Rule(chain, p.destination_is_ours() + p.jump(published.name))
    for family, digit, words in ((Family.IPV4, "4", 1), (Family.IPV6, "6", 4)):
        here = p.family_is(family)
        move = x.destination_nat(family, Register.FIRST, Register.WORD0 + words)
        limited = p.door(family) + x.in_set("limited" + digit)
        unlisted = p.flow(family) + x.not_in_set("sources" + digit)
        yield Rule(published, here + limited + unlisted + p.RETURN)
        yield Rule(published, here + p.door(family) + x.mapped("doors" + digit) + move)
        yield Rule(published, here + p.port() + x.mapped("ports" + digit) + move)
        kept = x.mapped("ranges" + digit) + x.destination_nat(family)
        yield Rule(published, here + p.door(family) + kept)


def _masquerading(table: Table) -> Iterator[Rule]:
    chain = Chain(table, "postrouting", Hook.POSTROUTING, numbers.PRIORITY_SNAT, "nat")
    for family, digit in ((Family.IPV4, "4"), (Family.IPV6, "6")):
        # A neighbour on the same bridge would answer directly, and not from the address that was
        # asked. By source, since bridged packets that br_netfilter shows here have no iifname.
        neighbour = p.family_is(family) + p.oif_and_source(family) + x.in_set("inside" + digit)
        yield Rule(chain, neighbour + p.translated() + p.MASQUERADE, "hairpin")
    yield Rule(chain, p.iif_oif_in("same") + p.ACCEPT)
    local = p.oif_in("bridges") + p.loopback_source()
    yield Rule(chain, local + p.MASQUERADE, "local clients")
    for family, digit in ((Family.IPV4, "4"), (Family.IPV6, "6")):
        ours = p.family_is(family) + x.meta(MetaKey.IIFNAME)
        yield Rule(chain, ours + x.mapped("snat" + digit) + x.source_nat(family))
        yield Rule(chain, ours + x.in_set("masq" + digit) + p.MASQUERADE)


def _forwarding(table: Table, accepted: tuple[int, int] | None) -> Iterator[Rule]:
    chain = Chain(table, "forward", Hook.FORWARD, numbers.PRIORITY_FILTER)
    within, leaving, entering = (Chain(table, n) for n in ("within", "leaving", "entering"))
    yield from _within(within)
    yield from _leaving(leaving, accepted)
    yield from _entering(entering, accepted)
    yield Rule(chain, p.state_is(CtState.ESTABLISHED, CtState.RELATED) + p.ACCEPT)
    yield Rule(chain, p.iif_oif_in("same") + p.goto(within.name))
    for edge in (p.iif_in("bridges"), p.oif_in("bridges")):
        # Untranslated rests of connections would show inner addresses outside.
        yield Rule(chain, edge + p.state_is(CtState.INVALID) + p.COUNT + p.DROP, "invalid")
    yield Rule(chain, p.iif_in("bridges") + p.goto(leaving.name))
    yield Rule(chain, p.oif_in("bridges") + p.goto(entering.name))
    fenced = Chain(table, "fenced")
    yield from _fenced(fenced)
    yield Rule(chain, x.meta(MetaKey.NFPROTO) + x.in_set("fence") + p.goto(fenced.name))


def _fenced(chain: Chain) -> Iterator[Rule]:
    """Neither from nor to a bridge of ours, on a host that was no router before we came."""
    for kind in _KINDS_OF_OTHERS:
        for key in (MetaKey.IIFKIND, MetaKey.OIFKIND):
            yield Rule(chain, x.meta(key) + x.equal(p.name_bytes(kind)) + p.ACCEPT)
    yield Rule(chain, p.COUNT + p.DROP, "fence")


def _within(chain: Chain) -> Iterator[Rule]:
    """Stations of one bridge, by way of the host, or bridged where br_netfilter shows it here."""
    yield Rule(chain, p.translated() + p.ACCEPT)
    yield Rule(chain, p.iif_not_in("quiet") + p.ACCEPT)
    for kind in (_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT):
        yield Rule(chain, _icmpv6_is(kind) + p.ACCEPT)
    yield from _if_flow_in(chain, "linked", p.ACCEPT)
    yield Rule(chain, p.COUNT + p.DROP, "icc")


def _marked(chain: Chain, accepted: tuple[int, int] | None) -> Iterator[Rule]:
    """What somebody else's rules have marked gets into bridges."""
    if accepted is not None:
        mark, mask = accepted
        wanted = x.meta(MetaKey.MARK) + x.masked(U32.pack(mask)) + x.equal(U32.pack(mark & mask))
        yield Rule(chain, p.oif_in("bridges") + wanted + p.ACCEPT, "marked")


def _leaving(chain: Chain, accepted: tuple[int, int] | None) -> Iterator[Rule]:
    for closed in (p.iif_in("internal"), p.oif_in("internal")):
        yield Rule(chain, closed + p.COUNT + p.DROP, "internal")
    yield from _marked(chain, accepted)
    # What another network publishes is open to all who reach the host, its containers too.
    for other in (p.oif_in("bridges"), p.oif_in(STRANGERS)):
        yield Rule(chain, other + p.untranslated() + p.COUNT + p.DROP, "isolation")
    yield Rule(chain, p.iif_and_link_source() + x.mapped("guards", into=Register.VERDICT))
    yield Rule(chain, p.ACCEPT)


def _entering(chain: Chain, accepted: tuple[int, int] | None) -> Iterator[Rule]:
    yield Rule(chain, p.oif_in("internal") + p.COUNT + p.DROP, "internal")
    yield from _marked(chain, accepted)
    yield Rule(chain, p.translated() + p.ACCEPT)
    for family, digit, ping in ((Family.IPV4, "4", "icmp"), (Family.IPV6, "6", "icmpv6")):
        here = p.family_is(family)
        routed = here + p.oif_in("routed" + digit)
        direct = p.flow(family) + x.in_set("direct" + digit)
        yield Rule(chain, here + p.oif_in("unprotected" + digit) + p.ACCEPT)
        yield Rule(chain, routed + p.protocol_is(ping) + p.ACCEPT)
        yield Rule(chain, routed + direct + p.ACCEPT)
        yield Rule(chain, here + p.oif_in("reachable") + direct + p.ACCEPT)
        yield Rule(chain, here + p.iif_oif_in("trusted") + direct + p.ACCEPT)
    yield Rule(chain, p.COUNT + p.DROP, "unpublished")


def _egress(table: Table, group: int) -> Iterator[Rule]:
    """Two chains for the two defaults; ``leaving`` and ``input`` lead to them by map."""
    closed, opened, passed, refused = (
        Chain(table, name) for name in ("egress_deny", "egress_allow", "passed", "refused")
    )
    yield Rule(passed, x.log_to_group(group, "allow", _LOGGED_BYTES) + p.ACCEPT)
    yield Rule(refused, x.log_to_group(group, "deny", _LOGGED_BYTES) + p.COUNT, "egress")
    # ICMP errors are limited to one a second and peer; a reset always comes at once. But of a
    # translated connection the kernel sends it with the address that was translated to.
    yield Rule(refused, p.protocol_is("tcp") + p.untranslated() + p.RESET)
    yield Rule(refused, p.REJECT)
    yield from _if_flow_in(closed, "allowed", p.goto(passed.name))
    # Who answers for a name might say it is the host, and what listens there is not his to open.
    yield Rule(closed, p.destination_is_ours() + p.goto(refused.name))
    yield from _if_flow_in(closed, "named", p.goto(passed.name))
    yield Rule(closed, p.goto(refused.name))
    yield from _if_flow_in(opened, "denied", p.goto(refused.name))
    yield Rule(opened, p.goto(passed.name))
    host = Chain(table, "input", Hook.INPUT, numbers.PRIORITY_FILTER)
    guard = p.iif_and_link_source() + x.mapped("guards", into=Register.VERDICT)
    yield Rule(host, p.iif_not_in("bridges") + p.ACCEPT)
    yield Rule(host, p.state_is(CtState.ESTABLISHED, CtState.RELATED) + p.ACCEPT)
    for kind in (_ROUTER_SOLICITATION, _NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT):
        yield Rule(host, _icmpv6_is(kind) + p.ACCEPT)
    yield Rule(host, guard)


def _if_flow_in(chain: Chain, name: str, verdict: bytes) -> Iterator[Rule]:
    for family, digit in ((Family.IPV4, "4"), (Family.IPV6, "6")):
        here = p.family_is(family) + p.flow(family)
        yield Rule(chain, here + x.in_set(name + digit) + verdict)


def _stations(table: Table) -> Iterator[Rule]:
    chain = Chain(table, "prerouting", Hook.PREROUTING, numbers.PRIORITY_RAW)
    ipv4, arp, ipv6 = (Chain(table, name) for name in ("ipv4", "arp", "ipv6"))
    spoofed = p.COUNT + p.DROP
    in_speak4, in_speak6 = x.in_set("speak4"), x.in_set("speak6")
    yield Rule(ipv4, p.iif_and_bytes(12, 4) + in_speak4 + p.ACCEPT)
    yield Rule(ipv4, spoofed, SPOOFED)
    yield Rule(arp, p.iif_and_bytes(8, 6) + x.not_in_set("macs") + spoofed, SPOOFED)
    yield Rule(arp, p.iif_and_bytes(14, 4) + in_speak4 + p.ACCEPT)
    # A probe for duplicates claims nothing yet (RFC 5227).
    yield Rule(arp, x.network_header(14, 4) + x.equal(bytes(4)) + p.ACCEPT)
    yield Rule(arp, spoofed, SPOOFED)
    yield from _stations6(ipv6, in_speak6, spoofed)
    yield Rule(chain, p.iif_not_in("stations") + p.ACCEPT)
    yield Rule(chain, p.iif_and_link_source() + x.not_in_set("macs") + spoofed, SPOOFED)
    for number, target in (
        (numbers.ETHERTYPE_IPV4, ipv4),
        (numbers.ETHERTYPE_ARP, arp),
        (numbers.ETHERTYPE_IPV6, ipv6),
    ):
        yield Rule(chain, p.ethertype_is(number) + p.goto(target.name))
    yield Rule(chain, spoofed, SPOOFED)


def _stations6(chain: Chain, in_speak6: bytes, spoofed: bytes) -> Iterator[Rule]:
    # A station that plays router could take over its neighbours' traffic (CVE-2020-13401).
    for kind in (_ROUTER_ADVERTISEMENT, _REDIRECT):
        yield Rule(chain, _icmpv6_is(kind) + spoofed, SPOOFED)
    claimed = x.meta(MetaKey.IIFNAME) + x.transport_header(8, 16, Register.SECOND)
    advertisement = _icmpv6_is(_NEIGHBOUR_ADVERTISEMENT) + claimed
    yield Rule(chain, advertisement + x.not_in_set("speak6") + spoofed, SPOOFED)
    yield Rule(chain, p.iif_and_bytes(8, 16) + in_speak6 + p.ACCEPT)
    nobody = x.network_header(8, 16) + x.equal(bytes(16))
    for kind in (_NEIGHBOUR_SOLICITATION, _ROUTER_SOLICITATION, *_LISTENER_REPORTS):
        yield Rule(chain, nobody + _icmpv6_is(kind) + p.ACCEPT)
    yield Rule(chain, spoofed, SPOOFED)


def _quiet(table: Table) -> Iterator[Rule]:
    """Stations without icc: nothing but what links allow, and its answers.

    Connection tracking of bridged packets is no choice: it needs a module that kernels may lack,
    and would track every bridge of the host.
    """
    chain = Chain(table, "forward", Hook.FORWARD, numbers.PRIORITY_FILTER)
    quiet = Chain(table, "between")
    both = p.iif_in("quiet") + p.oif_in("quiet")
    yield Rule(quiet, p.ethertype_is(numbers.ETHERTYPE_ARP) + p.ACCEPT)
    for kind in (_NEIGHBOUR_SOLICITATION, _NEIGHBOUR_ADVERTISEMENT):
        yield Rule(quiet, p.ethertype_is(numbers.ETHERTYPE_IPV6) + _icmpv6_is(kind) + p.ACCEPT)
    for number, family, name in (
        (numbers.ETHERTYPE_IPV4, Family.IPV4, "linked4"),
        (numbers.ETHERTYPE_IPV6, Family.IPV6, "linked6"),
    ):
        here = p.ethertype_is(number)
        answer = p.flow_backwards(family) + x.in_set(name)
        # A server doesn't open connections to its client.
        opening = x.transport_header(13, 1) + x.masked(bytes((_SYN_ACK,))) + x.equal(bytes((_SYN,)))
        yield Rule(quiet, here + p.flow(family) + x.in_set(name) + p.ACCEPT)
        yield Rule(quiet, here + p.protocol_is("tcp") + opening + p.COUNT + p.DROP, "icc")
        yield Rule(quiet, here + answer + p.ACCEPT)
    yield Rule(quiet, p.COUNT + p.DROP, "icc")
    yield Rule(chain, both + p.goto(quiet.name))


def _icmpv6_is(kind: int) -> bytes:
    """``icmpv6 type …``."""
    return p.protocol_is("icmpv6") + x.transport_header(0, 1) + x.equal(bytes((kind,)))
