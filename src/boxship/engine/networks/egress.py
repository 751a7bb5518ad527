"""Where a container may connect to: ``--egress`` as words, and what they mean. Pure.

::

    deny                      nowhere, but for what is allowed
    allow                     anywhere, but for what is denied
    allow=TARGET deny=TARGET  one exception; an ``allow=`` by itself says ``deny`` for the rest
    TARGET                    NETWORK[:PORT[-PORT]][/PROTOCOL]    10.0.0.0/8:443  [fd00::/8]:53/udp
                              NAME[:PORT[-PORT]][/PROTOCOL]       example.org  *.example.org:443

A name stands for the addresses that the container's own resolver was told for it, as long as the
answer says they are good; ``*.`` for every name below, but not for the name itself. Names can be
allowed and not denied: whoever knows the address needs no name.
"""

import ipaddress
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from msgspec import UNSET

from boxship.base.errors import InvalidArgumentError
from boxship.model.container import HostConfig
from boxship.model.ports import LAST_PORT, parse_interval, quoted
from boxship.net.firewall.facts import Address, EgressPolicy, EgressRule, Network

ALLOW, DENY = "allow", "deny"
_PROTOCOLS = ("tcp", "udp", "sctp", "icmp", "icmpv6")
_WITH_PORTS = ("tcp", "udp", "sctp")
_NAME = re.compile(
    r"(\*\.)?(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?", re.IGNORECASE
)  # fmt: skip
_WILDCARD = "*."


@dataclass(frozen=True)
class Reach:
    """What is reached at a target; without a protocol everything, with ports tcp and udp."""

    protocol: str = ""
    first: int = 0
    last: int = LAST_PORT

    @property
    def protocols(self) -> tuple[str, ...]:
        """Return the protocols by name; empty text is all."""
        if self.protocol or (self.first, self.last) == (0, LAST_PORT):
            return (self.protocol,)
        return "tcp", "udp"


@dataclass(frozen=True)
class NamedTarget:
    """A name that may be connected to, in lower case without the last dot."""

    name: str
    reach: Reach

    def covers(self, name: str) -> bool:
        """Tell whether a name that was asked for is meant."""
        asked = name.lower().removesuffix(".")
        if self.name.startswith(_WILDCARD):
            return asked.endswith(self.name[1:]) and len(asked) > len(self.name) - 1
        return asked == self.name


@dataclass(frozen=True)
class NetworkTarget:
    """Addresses that may, or may not, be connected to."""

    network: Network
    reach: Reach


@dataclass(frozen=True)
class Egress:
    """All of a container's words together. ``networks`` are exceptions from ``default``."""

    default: str = ALLOW
    networks: tuple[NetworkTarget, ...] = ()
    names: tuple[NamedTarget, ...] = ()


def words_of(host: HostConfig) -> tuple[str, ...]:
    """Return what a container's configuration says; nothing is nothing."""
    return () if host.egress is UNSET else tuple(host.egress or ())


def parse(words: Iterable[str]) -> Egress | None:
    """Read what was asked for; None: nothing was. InvalidArgumentError names the bad word."""
    pairs = [_verdict(word.strip()) for word in words]
    if not pairs:
        return None
    defaults = {verdict for verdict, target, _ in pairs if not target}
    if len(defaults) > 1:
        raise InvalidArgumentError("egress: allow and deny of everything exclude each other")
    exceptions = [(verdict, target, word) for verdict, target, word in pairs if target]
    asked = {verdict for verdict, _, _ in exceptions}
    if not defaults and len(asked) > 1:
        raise InvalidArgumentError(
            "egress: say deny or allow by itself, too: it is not clear what holds for the rest"
        )
    default = defaults.pop() if defaults else DENY if ALLOW in asked else ALLOW
    for verdict, _, word in exceptions:
        if verdict == default:
            raise InvalidArgumentError(
                f"egress rule {quoted(word)} changes nothing: everything else is "
                f"{'allowed' if default == ALLOW else 'denied'} already"
            )
    targets = [_target(verdict, target, word) for verdict, target, word in exceptions]
    return Egress(
        default,
        tuple(target for target in targets if isinstance(target, NetworkTarget)),
        tuple(target for target in targets if isinstance(target, NamedTarget)),
    )


def facts_of_station(
    egress: Egress, bridge: str, mac: str, addresses: Sequence[Address]
) -> Iterator[EgressPolicy | EgressRule]:
    """Give what the firewall has to know of one endpoint, but for what names lead to."""
    yield EgressPolicy(bridge, mac, egress.default)
    verdict = DENY if egress.default == ALLOW else ALLOW
    for target in egress.networks:
        for address in addresses:
            if address.version != target.network.version:
                continue
            for protocol in target.reach.protocols:
                yield EgressRule(
                    address, verdict, target.network, protocol,
                    target.reach.first, target.reach.last,
                )  # fmt: skip


def _verdict(word: str) -> tuple[str, str, str]:
    verdict, separator, target = word.partition("=")
    if verdict.lower() not in (ALLOW, DENY) or (separator and not target):
        raise InvalidArgumentError(
            f"invalid egress rule {quoted(word)}: expected deny, allow, deny=TARGET or allow=TARGET"
        )
    return verdict.lower(), target, word


def _target(verdict: str, text: str, word: str) -> NetworkTarget | NamedTarget:
    where, reach = _reach(text, word)
    try:
        return NetworkTarget(ipaddress.ip_network(where, strict=False), reach)
    except ValueError:
        pass
    if _NAME.fullmatch(where) is None or where.rpartition(".")[2].isdigit() or "/" in where:
        raise _invalid(word, f"{quoted(where)} is no address, network or name")
    if verdict == DENY:
        raise _invalid(word, "a name cannot be denied, only its addresses")
    return NamedTarget(where.lower().removesuffix("."), reach)


def _reach(text: str, word: str) -> tuple[str, Reach]:
    """Split a target into where and what."""
    head, slash, tail = text.rpartition("/")
    protocol = ""
    if slash and tail.lower() in _PROTOCOLS:
        text, protocol = head, tail.lower()
    where, ports = _ports(text)
    if not ports:
        return where, Reach(protocol)
    if protocol and protocol not in _WITH_PORTS:
        raise _invalid(word, f"{protocol} has no ports")
    try:
        first, last = parse_interval(ports)
    except ValueError as error:
        raise _invalid(word, str(error)) from None
    return where, Reach(protocol, first, last)


def _ports(text: str) -> tuple[str, str]:
    if text.startswith("["):
        where, _, rest = text[1:].partition("]")
        return where, rest.removeprefix(":")
    if text.count(":") > 1:  # IPv6 without brackets has no port
        return text, ""
    where, _, ports = text.partition(":")
    return where, ports


def _invalid(word: str, why: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"invalid egress rule {quoted(word)}: {why}")
