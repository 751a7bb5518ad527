"""What networks there have to be when the engine is opened: decided from settings and records."""

from collections.abc import Collection, Iterator, Mapping
from ipaddress import IPv6Network, ip_network

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.engine.networks.addresses import AddressPool, Taken, private_range
from boxship.engine.networks.defaultbridge import BridgeSite, check_settings, design
from boxship.engine.networks.fabric import HostView
from boxship.engine.networks.interfaces import default_bridge_name
from boxship.engine.networks.making import Surroundings
from boxship.engine.networks.pools import refuse_taken
from boxship.engine.networks.record import BRIDGE, HOST, NONE, NetworkRecord, predefined_id
from boxship.engine.settings import NetworkSettings

_DRIVERS = {HOST: "host", NONE: "null"}


class Site:
    """What stays the same as long as the engine is open: settings, read into types."""

    def __init__(self, settings: NetworkSettings, exec_root: str, identity: bytes) -> None:
        check_settings(settings)
        self.settings = settings
        self.bridge_name = settings.bridge or default_bridge_name(exec_root)
        self.pools = tuple(
            AddressPool(ip_network(pool.base), pool.size) for pool in settings.address_pools
        )
        self.private_range: IPv6Network = private_range(identity)

    def surroundings(self, networks: Collection[NetworkRecord], view: HostView) -> Surroundings:
        """Return what a new network has to fit into."""
        return Surroundings(
            networks=networks,
            host=view.taken,
            kinds=view.kinds,
            ours=view.ours,
            pools=self.pools,
            private_range=self.private_range,
            default_options=self.settings.default_options,
            firewall=self.settings.iptables,
        )


def predefined(
    site: Site, earlier: Mapping[str, NetworkRecord], view: HostView, now_ns: int
) -> Iterator[NetworkRecord]:
    """Yield the networks that are always there, as they are to be now."""
    for name, driver in _DRIVERS.items():
        yield earlier.get(name) or NetworkRecord(
            predefined_id(name), name, driver, now_ns, enable_ipv4=False
        )
    if site.settings.bridge == "none":
        return
    others = [
        Taken(ip_network(pool.subnet), f"network {network.name}")
        for network in earlier.values()
        if network.name != BRIDGE and not network.config_only
        for pool in network.ipam
    ]
    if site.settings.bridge and site.bridge_name not in view.kinds:
        raise InvalidArgumentError(
            f"there is no bridge {site.bridge_name} on this host: one that --bridge names must be "
            "made beforehand"
        )
    where = BridgeSite(
        site.bridge_name,
        owned=not site.settings.bridge,
        addresses=view.addresses.get(site.bridge_name, ()),
        taken=(*others, *view.taken),
        pools=site.pools,
        private_range=site.private_range,
    )
    made = design(site.settings, where, earlier.get(BRIDGE), now_ns)
    try:
        refuse_taken(made.ipam, others)
    except ForbiddenError as error:
        raise InvalidArgumentError(f"the default bridge: {error}") from None
    yield made
