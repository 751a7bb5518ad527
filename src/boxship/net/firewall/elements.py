"""What facts put into the sets of ``ruleset``. Pure.

Most facts stand for themselves. Rules of egress and links are taken together per station, since
what they allow may overlap and the kernel's sets of intervals refuse that.
"""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)
from typing import assert_never

from boxship.net.firewall.boxes import Box, Interval, disjoint
from boxship.net.firewall.facts import (
    Address,
    Bridge,
    EgressPolicy,
    EgressRule,
    Fact,
    Fence,
    Linked,
    Network,
    Published,
    Station,
)
from boxship.net.firewall.ruleset import STRANGERS, Ruleset
from boxship.net.netlink.codec import BE16
from boxship.net.nftables.numbers import PROTOCOLS, Family
from boxship.net.nftables.objects import Element, joined
from boxship.net.nftables.phrases import name_bytes

_ALL_PORTS = (0, 65535)
_ALL_PROTOCOLS = (0, 255)


def unit_of(fact: Fact) -> Hashable:
    """Return what facts have in common whose elements can't be told apart."""
    match fact:
        case EgressRule():
            return fact.station, fact.verdict
        case Linked():
            return fact.client, fact.server
        case _:
            return fact


def elements_of(
    unit: Collection[Fact], bridges: Mapping[str, Bridge], ruleset: Ruleset
) -> list[Element]:
    """Return the elements of the facts of one unit; ``bridges`` are all there are, by name."""
    first = next(iter(unit), None)
    match first:
        case None:
            return []
        case Fence():
            families = {4: Family.IPV4, 6: Family.IPV6}
            keys = (bytes((families[version],)) for version in first.versions)
            return [Element(ruleset.inet, "fence", key) for key in keys]
        case Bridge():
            return list(_of_bridge(first, ruleset))
        case Station():
            return list(_of_station(first, bridges.get(first.bridge), ruleset))
        case Published():
            return list(_of_published(first, bridges, ruleset))
        case EgressPolicy():
            return [_of_policy(first, ruleset)]
        case EgressRule():
            rules = [fact for fact in unit if isinstance(fact, EgressRule)]
            return list(_of_egress(first, rules, ruleset))
        case Linked():
            links = [fact for fact in unit if isinstance(fact, Linked)]
            return list(_of_links(first, links, ruleset))
        case _:
            assert_never(first)


def stranger_elements(interfaces: Iterable[str], rules: Ruleset) -> list[Element]:
    """Return the elements for bridges of other engines."""
    return [Element(rules.inet, STRANGERS, name_bytes(name)) for name in sorted(interfaces)]


def bridge_of(address: Address, bridges: Mapping[str, Bridge]) -> Bridge | None:
    """Return the bridge in whose subnets an address is."""
    for bridge in bridges.values():
        if any(address in subnet for subnet in bridge.subnets):
            return bridge
    return None


def named_element(station: Address, box: Box, seconds: float, ruleset: Ruleset) -> Element:
    """Return an element that lets a station out for a while: address, protocol, port as a box."""
    flow = _Flow(station.version, _exactly(station), box)
    return flow.element(ruleset, "named", seconds=seconds)


def flow_of(element: Element) -> tuple[Address, Network, Box]:
    """Read what ``named_element`` made: the station, the one address, and the box."""
    length = (len(element.key) - 8) // 2
    cuts = (slice(0, length), slice(length, 2 * length), slice(-8, -7), slice(-4, -2))
    firsts, lasts = (
        [int.from_bytes(side[cut]) for cut in cuts] for side in (element.key, element.end)
    )
    station = ip_address(element.key[:length])
    destination = ip_network(element.key[length : 2 * length])
    return station, destination, tuple(zip(firsts[1:], lasts[1:], strict=True))


def box_of(rule: EgressRule) -> Box:
    """Return what a rule of egress covers: addresses, protocols, ports."""
    protocols = (PROTOCOLS[rule.protocol],) * 2 if rule.protocol else _ALL_PROTOCOLS
    has_ports = rule.protocol in ("tcp", "udp", "sctp", "")
    ports = (rule.first, rule.last) if has_ports else _ALL_PORTS
    return _interval(rule.destination), protocols, ports


def _of_bridge(bridge: Bridge, rules: Ruleset) -> Iterator[Element]:
    name = name_bytes(bridge.interface)
    yield Element(rules.inet, "bridges", name)
    yield Element(rules.inet, "same", name + name)
    if bridge.internal:
        yield Element(rules.inet, "internal", name)
    if not bridge.icc:
        yield Element(rules.inet, "quiet", name)
    if bridge.direct:
        yield Element(rules.inet, "reachable", name)
    for version in (4, 6):
        if version in bridge.unprotected:
            yield Element(rules.inet, f"unprotected{version}", name)
        if version in bridge.routed:
            yield Element(rules.inet, f"routed{version}", name)
        elif bridge.masquerade and not bridge.internal:
            yield Element(rules.inet, f"masq{version}", name)
    for address in bridge.snat_to:
        yield Element(rules.inet, f"snat{address.version}", name, data=address.packed)
    for subnet in bridge.subnets:
        first, last = subnet.network_address.packed, subnet.broadcast_address.packed
        yield Element(rules.inet, f"inside{subnet.version}", name + first, name + last)
    for trusted in bridge.trusted_interfaces:
        yield Element(rules.inet, "trusted", name_bytes(trusted) + name)


def _of_station(station: Station, bridge: Bridge | None, rules: Ruleset) -> Iterator[Element]:
    port, mac = name_bytes(station.interface), bytes.fromhex(station.mac.replace(":", ""))
    yield Element(rules.bridge, "stations", port)
    yield Element(rules.bridge, "macs", port + joined(mac))
    for address in (*station.addresses, _link_local(mac)):
        yield Element(rules.bridge, f"speak{address.version}", port + address.packed)
    if bridge is not None and not bridge.icc:
        yield Element(rules.bridge, "quiet", port)


def _link_local(mac: bytes) -> IPv6Address:
    """Return the address that the kernel derives from a MAC (RFC 4291, appendix A)."""
    halves = bytes((mac[0] ^ 2,)) + mac[1:3] + b"\xff\xfe" + mac[3:]
    return IPv6Address(b"\xfe\x80" + bytes(6) + halves)


def _of_published(
    port: Published, bridges: Mapping[str, Bridge], rules: Ruleset
) -> Iterator[Element]:
    version, bridge = port.target.version, bridge_of(port.target, bridges)
    last = port.target_first + port.last - port.first
    protocol = (PROTOCOLS[port.protocol],) * 2
    if bridge is not None and _is_open_inside(bridge, version):
        inside = (_exactly(port.target), protocol, (port.target_first, last))
        for source in _sources(port):
            yield _Flow(version, source, inside).element(rules, "direct")
    if bridge is not None and version in bridge.routed:
        return
    host = _everything(version) if port.host_address is None else _exactly(port.host_address)
    door = (host, protocol, (port.first, port.last))
    if port.sources:
        yield _Flow(version, None, door).element(rules, "limited")
        for source in _sources(port):
            yield _Flow(version, source, door).element(rules, "sources")
    if port.first == port.target_first and port.first != port.last:
        yield _Flow(version, None, door).element(rules, "ranges", port.target.packed)
    else:
        # nft can't add an offset to a port, so these are one by one.
        yield from _one_by_one(port, rules)


def _is_open_inside(bridge: Bridge, version: int) -> bool:
    return version in bridge.routed or bridge.direct or bool(bridge.trusted_interfaces)


def _one_by_one(port: Published, rules: Ruleset) -> Iterator[Element]:
    name = "ports" if port.host_address is None else "doors"
    host = b"" if port.host_address is None else port.host_address.packed
    protocol = bytes((PROTOCOLS[port.protocol],))
    for number in range(port.last - port.first + 1):
        key = joined(host, protocol, BE16.pack(port.first + number))
        data = joined(port.target.packed, BE16.pack(port.target_first + number))
        yield Element(rules.inet, f"{name}{port.target.version}", key, data=data)


def _sources(port: Published) -> list[Interval]:
    version = port.target.version
    if not port.sources:
        return [_everything(version)]
    if version == 4:
        own4 = (source for source in port.sources if isinstance(source, IPv4Network))
        return [_interval(source) for source in collapse_addresses(own4)]
    own6 = (source for source in port.sources if isinstance(source, IPv6Network))
    return [_interval(source) for source in collapse_addresses(own6)]


def _of_policy(policy: EgressPolicy, rules: Ruleset) -> Element:
    mac = joined(bytes.fromhex(policy.mac.replace(":", "")))
    chain = f"egress_{policy.default}".encode()
    key = name_bytes(policy.bridge) + mac
    return Element(rules.inet, "guards", key, data=chain, verdict=True)


def _of_egress(first: EgressRule, unit: list[EgressRule], rules: Ruleset) -> Iterator[Element]:
    boxes = [box_of(rule) for rule in unit if rule.destination.version == first.station.version]
    name = "allowed" if first.verdict == "allow" else "denied"
    for box in disjoint(boxes):
        yield _Flow(first.station.version, _exactly(first.station), box).element(rules, name)


def _of_links(first: Linked, unit: list[Linked], rules: Ruleset) -> Iterator[Element]:
    server = _exactly(first.server)
    boxes: list[Box] = [
        (server, (PROTOCOLS[link.protocol],) * 2, (link.first, link.last)) for link in unit
    ]
    for box in disjoint(boxes):
        one = _Flow(first.client.version, _exactly(first.client), box).element(rules, "linked")
        yield one
        yield Element(rules.bridge, one.set, one.key, one.end)


@dataclass(frozen=True, slots=True)
class _Flow:
    """``source . destination . protocol . port``, each an interval; None is left out."""

    version: int
    source: Interval | None
    box: Box

    def element(
        self, rules: Ruleset, name: str, data: bytes = b"", seconds: float = 0.0
    ) -> Element:
        """Return it as an element of the set ``name``, of which there is one per version."""
        key, end = (self._end(i) for i in (0, 1))
        return Element(rules.inet, f"{name}{self.version}", key, end, data, seconds=seconds)

    def _end(self, which: int) -> bytes:
        length = 4 if self.version == 4 else 16
        destination, protocol, port = (interval[which] for interval in self.box)
        source = () if self.source is None else (self.source[which],)
        addresses = (*source, destination)
        return joined(
            *(address.to_bytes(length) for address in addresses),
            bytes((protocol,)),
            BE16.pack(port),
        )


def _exactly(address: Address) -> Interval:
    return int(address), int(address)


def _interval(network: Network) -> Interval:
    return int(network.network_address), int(network.broadcast_address)


def _everything(version: int) -> Interval:
    return 0, (1 << (32 if version == 4 else 128)) - 1
