"""What the firewall has to know of networks as a whole, and how it hears of them."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from ipaddress import ip_address, ip_network

from boxship.engine.networks.firewallqueue import FirewallQueue
from boxship.engine.networks.options import GatewayMode, bridge_options
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.settings import NetworkSettings
from boxship.net.firewall.facts import Bridge, Fact, Fence


def bridge_fact(network: NetworkRecord) -> Bridge | None:
    """Return what a bridge network is to the firewall; None: the network is of another kind."""
    if network.driver != "bridge" or network.config_only:
        return None
    options = bridge_options(network.options)
    modes = {version: options.mode(version) for version in (4, 6)}
    own = (options.host_ipv4, options.host_ipv6)
    return Bridge(
        interface=network.interface,
        subnets=tuple(ip_network(pool.subnet) for pool in network.ipam),
        internal=network.internal,
        icc=options.icc,
        masquerade=options.masquerade,
        snat_to=tuple(ip_address(address) for address in own if address),
        routed=tuple(v for v, mode in modes.items() if mode is GatewayMode.ROUTED),
        unprotected=tuple(v for v, mode in modes.items() if mode is GatewayMode.NAT_UNPROTECTED),
        trusted_interfaces=options.trusted_interfaces,
    )


def standing_facts(networks: Iterable[NetworkRecord], fenced: Iterable[int]) -> tuple[Fact, ...]:
    """Return what the firewall has to know whoever runs: the bridges, and whom not to forward for.

    ``fenced`` are versions of IP; each is a fact of its own, since they come one after the other.
    """
    return (*filter(None, map(bridge_fact, networks)), *(Fence((version,)) for version in fenced))


def as_configured(fact: Fact, settings: NetworkSettings) -> Fact | None:
    """Return a fact as the daemon's options have it for all networks; None: they know no such."""
    bare = () if settings.ip6tables else (6,)
    match fact:
        case Bridge():
            return replace(
                fact,
                routed=tuple(dict.fromkeys((*fact.routed, *bare))),
                unprotected=tuple(dict.fromkeys((*fact.unprotected, *bare))),
                direct=settings.allow_direct_routing,
            )
        case Fence():
            versions = tuple(version for version in fact.versions if version not in bare)
            return Fence(versions) if versions else None
        case _:
            return fact


class FirewallWalls:
    """Tells the firewall's queue of networks that come and go."""

    def __init__(self, queue: FirewallQueue, fenced: Callable[[], Iterable[int]]) -> None:
        """``fenced`` tells, each time, for which versions of IP the host is no router."""
        self._queue = queue
        self._fenced = fenced

    async def add(self, network: NetworkRecord) -> None:
        """Isolate a network that came about. UnavailableError: the firewall does not work."""
        if bridge_fact(network) is not None:
            await self._queue.change(add=standing_facts([network], self._fenced()))

    async def remove(self, network: NetworkRecord) -> None:
        """Forget a network; one that is not known does not matter."""
        if (fact := bridge_fact(network)) is not None:
            await self._queue.change(remove=(fact,))
