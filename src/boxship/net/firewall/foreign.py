"""Firewalls of others that forward nothing by default, and what is put into them for our bridges.

nf_tables asks every base chain, and one that drops is final. So where the FORWARD chain of another
table closes (dockerd sets its policy to drop; ufw, firewalld and administrators do likewise), it
gets a jump to a chain of ours::

    table ip filter                      chain BOXSHIP
      chain FORWARD                        iifname br-a      accept     out of our bridges
        …                                  oifname br-a      accept     into them: see below
        jump BOXSHIP

What goes into our bridges, and out of them into those of dockerd, is decided by our own table.
Whether the other one lets it through to there is a matter of ``mode``: *bypass* says always;
*respect* says no where ufw, firewalld or a last rule of somebody's refuses what is not allowed. A
bare policy is nobody's word about a port: Docker opens published ports in spite of it, and so do
we, but behind all rules that somebody did write. Ways out, and answers, are let through in either
mode. Pure but for ``read`` and
``legacy_tables``.
"""

import contextlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from boxship.net.netlink.codec import BE32, Message, parse, string
from boxship.net.netlink.sockets import NetlinkSocket
from boxship.net.nftables import expressions as x
from boxship.net.nftables import listing, numbers, objects
from boxship.net.nftables import phrases as p
from boxship.net.nftables.listing import ListedChain, ListedExpression, ListedRule
from boxship.net.nftables.numbers import Code, CtState, Family, Hook, MetaKey
from boxship.net.nftables.objects import Chain, Rule, Table

_FAMILIES = (Family.INET, Family.IPV4, Family.IPV6)
_IDLE = frozenset(("counter", "log", "immediate", "reject"))
"""Instructions that compare nothing: a rule of these alone applies to every packet."""
_CT_ACCEPT = ["ct", "bitwise", "cmp", "immediate"]
_DEPTH = 4
_PUBLISHED_BY_DOCKERD = "DOCKER"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A chain of somebody's that closes, and what became of it."""

    family: Family
    table: str
    chain: str
    owner: str
    """``ufw``, ``firewalld``, ``dockerd`` or "" for nobody known."""
    opened: bool
    """New connections to published ports are let through it by us."""
    passing: bool = False
    """They are let through it by a rule of its own, if they are translated."""
    jumped: bool = False
    """Our chain hangs in it already."""
    first: bool = False
    """Our chain has to be asked first, since rules and no policy close it."""

    def __str__(self) -> str:
        by = f" ({self.owner})" if self.owner else ""
        if self.inbound:
            return f"{self.place}{by}: closed by default, open for our bridges"
        return f"{self.place}{by}: decides about new connections to published ports; {self.advice}"

    @property
    def inbound(self) -> bool:
        """Whether new connections to published ports come through."""
        return self.opened or self.passing

    @property
    def place(self) -> str:
        """Family, table and chain, as nft names them."""
        family = {Family.IPV4: "ip", Family.IPV6: "ip6"}.get(self.family, "inet")
        return f"{family} {self.table} {self.chain}"

    @property
    def advice(self) -> str:
        """What to do if a published port is to be reached."""
        return _ADVICE.get(self.owner, "allow them there, or set firewall to bypass")


_ADVICE = {
    "ufw": "allow one with `ufw route allow proto tcp to ADDRESS port PORT` (the container's), "
    "or set firewall to bypass",
    "firewalld": "allow one with `firewall-cmd --add-forward-port` or a policy, "
    "or set firewall to bypass",
}


@dataclass(frozen=True, slots=True)
class Others:
    """What other tables have: all chains, and the rules of tables with a hook for forwarding."""

    chains: tuple[ListedChain, ...]
    rules: tuple[ListedRule, ...]


def legacy_tables() -> list[str]:
    """Return tables of the old iptables in the calling thread's namespace, if there are any.

    Their rules are asked as well, before or after ours, and can't be seen through nf_tables.
    """
    names = []
    for path in ("ip_tables_names", "ip6_tables_names"):
        with contextlib.suppress(OSError), open(f"/proc/thread-self/net/{path}") as listed:
            names += [f"{path.partition('_')[0]} {name}" for name in listed.read().split()]
    return names


def read(socket: NetlinkSocket, own_table: str) -> Others:
    """Read the tables of others."""
    chains = tuple(
        chain
        for chain in listing.chains(socket)
        if chain.family in _FAMILIES and not _ours(chain, own_table)
    )
    tables = {(c.family, c.table): None for c in chains if c.hook == Hook.FORWARD}
    rules = (rule for table in tables for rule in listing.rules(socket, *table))
    return Others(chains, tuple(rules))


def obstacles(others: Others, mode: str, own_chain: str) -> list[Obstacle]:
    """Return the chains that close, for all families."""
    found = []
    for chain in others.chains:
        if chain.hook == Hook.FORWARD and chain.type == "filter":
            table = _Table(others, chain)
            if table.closes(own_chain):
                found.append(table.obstacle(mode, own_chain))
    return found


def strangers(others: Others, bridges: Collection[str]) -> frozenset[str]:
    """Return the bridges of dockerd: those for which it asks its chain of published ports."""
    found = (name for rule in others.rules if _leads_to(rule, _PUBLISHED_BY_DOCKERD)
             for name in _interfaces_out(rule))  # fmt: skip
    return frozenset(found) - frozenset(bridges)


def changes(
    others: Others, wanted: Iterable[Obstacle], bridges: Iterable[str], own_chain: str
) -> list[Message]:
    """Return what opens the obstacles for bridges, and takes away what is needed no longer."""
    messages: list[Message] = []
    ours = tuple(bridges)
    open_for = {(one.family, one.table): one for one in wanted} if ours else {}
    for chain in others.chains:
        if chain.name == own_chain and (Family(chain.family), chain.table) not in open_for:
            messages += _removal(others, chain, own_chain)
    for obstacle in open_for.values():
        messages += _opening(others, obstacle, ours, own_chain)
    return messages


def _opening(
    others: Others, obstacle: Obstacle, bridges: tuple[str, ...], own_chain: str
) -> Iterator[Message]:
    table = Table(obstacle.family, obstacle.table)
    chain, base = Chain(table, own_chain), Chain(table, obstacle.chain)
    rules = list(_rules(chain, obstacle, bridges))
    present = [rule.comment for rule in _rules_in(others, table, own_chain)]
    if present != [rule.comment for rule in rules]:
        yield objects.add_chain(chain)
        yield objects.flush_chain(chain)
        yield from map(objects.add_rule, rules)
    if not obstacle.jumped:
        jump = Rule(base, p.COUNT + p.jump(own_chain))
        yield objects.insert_rule(jump) if obstacle.first else objects.add_rule(jump)


def _rules(chain: Chain, obstacle: Obstacle, bridges: tuple[str, ...]) -> Iterator[Rule]:
    """Rules that iptables can read as well, where the table is one of its own."""
    for bridge in bridges:
        yield Rule(chain, p.iif_is(bridge) + p.COUNT + p.ACCEPT, f"from {bridge}")
        if obstacle.opened:
            yield Rule(chain, p.oif_is(bridge) + p.COUNT + p.ACCEPT, f"into {bridge}")
        else:
            answers = p.oif_is(bridge) + _established(obstacle)
            yield Rule(chain, answers + p.COUNT + p.ACCEPT, f"answers into {bridge}")


def _established(obstacle: Obstacle) -> bytes:
    if obstacle.family is not Family.INET and obstacle.table == "filter":
        return x.xtables_state(CtState.ESTABLISHED | CtState.RELATED)
    return p.state_is(CtState.ESTABLISHED, CtState.RELATED)


def _removal(others: Others, chain: ListedChain, own_chain: str) -> Iterator[Message]:
    table = Table(Family(chain.family), chain.table)
    for rule in others.rules:
        if (rule.family, rule.table) == (chain.family, chain.table) and _leads_to(rule, own_chain):
            yield objects.delete_rule(Chain(table, rule.chain), rule.handle)
    yield objects.flush_chain(Chain(table, own_chain))
    yield objects.delete_chain(Chain(table, own_chain))


@dataclass(frozen=True, slots=True)
class _Table:
    """Somebody's table, looked at from one of its base chains."""

    others: Others
    base: ListedChain

    def closes(self, own_chain: str) -> bool:
        return self.base.policy == Code.DROP or self._ends(self.base.name, own_chain, _DEPTH)

    def obstacle(self, mode: str, own_chain: str) -> Obstacle:
        owner = self._owner()
        base = self.base
        ours = [rule for rule in self._chain(base.name) if _leads_to(rule, own_chain)]
        by_rules = self._ends(base.name, own_chain, _DEPTH)
        return Obstacle(
            Family(base.family), base.table, base.name, owner,
            opened=mode == "bypass" or not (by_rules or owner in ("ufw", "firewalld")),
            passing=self._passes_translated(),
            jumped=bool(ours),
            first=by_rules or mode == "bypass",
        )  # fmt: skip

    def _ends(self, chain: str, own_chain: str, depth: int) -> bool:
        """Whether a chain has a rule that refuses whatever comes to it."""
        for rule in self._chain(chain):
            if not all(map(_applies_to_all, rule.expressions)):
                continue
            if any(_is_reject(one) for one in rule.expressions):
                return True
            code, target = rule.verdict() or (Code.ACCEPT, "")
            if code == Code.DROP:
                return True
            if (
                target
                and target != own_chain
                and depth
                and self._ends(target, own_chain, depth - 1)
            ):
                return True
        return False

    def _passes_translated(self) -> bool:
        """Whether it has ``ct status dnat accept``, as firewalld has unless told otherwise."""
        return any(
            [one.name for one in rule.expressions if one.name != "counter"] == _CT_ACCEPT
            and rule.expressions[0].attributes.get(2) == BE32.pack(numbers.CT_STATUS)
            and rule.verdict() == (Code.ACCEPT, "")
            for rule in self._chain(self.base.name)
        )

    def _owner(self) -> str:
        if self.base.table == "firewalld":
            return "firewalld"
        names = [c.name for c in self.others.chains if self._here(c)]
        if any(name.startswith(("ufw-", "ufw6-")) for name in names):
            return "ufw"
        return "dockerd" if any(name.startswith("DOCKER") for name in names) else ""

    def _here(self, one: ListedChain | ListedRule) -> bool:
        return (one.family, one.table) == (self.base.family, self.base.table)

    def _chain(self, name: str) -> list[ListedRule]:
        return [rule for rule in self.others.rules if self._here(rule) and rule.chain == name]


def _interfaces_out(rule: ListedRule) -> Iterator[str]:
    """Yield X of ``oifname X``."""
    loaded = 0
    for one in rule.expressions:
        if one.name == "meta" and 2 in one.attributes:
            (loaded,) = BE32.unpack(one.attributes[2])
        elif one.name == "cmp" and loaded == MetaKey.OIFNAME:
            (operation,) = BE32.unpack(one.attributes[2])
            name = parse(one.attributes[3]).get(1, b"")
            if operation == 0 and name.endswith(b"\0"):
                yield string(name)


def _applies_to_all(one: ListedExpression) -> bool:
    comment = one.name == "match" and string(one.attributes.get(1, b"")) == "comment"
    return one.name in _IDLE or comment or _is_reject(one)


def _is_reject(one: ListedExpression) -> bool:
    return one.name == "reject" or (
        one.name == "target" and string(one.attributes.get(1, b"")) == "REJECT"
    )


def _leads_to(rule: ListedRule, chain: str) -> bool:
    return (rule.verdict() or (0, ""))[1] == chain


def _rules_in(others: Others, table: Table, chain: str) -> list[ListedRule]:
    key = (table.family, table.name, chain)
    return [rule for rule in others.rules if (rule.family, rule.table, rule.chain) == key]


def _ours(chain: ListedChain, own_table: str) -> bool:
    return chain.table == own_table
