"""What a request asks of a container's place in a network, as the engine takes it."""

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.wire.networks import EndpointIpam, EndpointWish

_NOTHING = EndpointWish()


def wish_of(network: str, wish: EndpointWish | None) -> EndpointRecord:
    """Return the wish for an endpoint; ``network`` is a name or an id, as the client gave it."""
    wish = wish or _NOTHING
    ipam = wish.ipam_config or EndpointIpam()
    return EndpointRecord(
        network_id="",
        network=network,
        aliases=wish.aliases or (),
        links=wish.links or (),
        driver_opts=wish.driver_opts or None,
        mac_asked=wish.mac_address,
        ipv4_asked=ipam.ipv4_address,
        ipv6_asked=ipam.ipv6_address,
        link_local=ipam.link_local_ips or (),
        gw_priority=wish.gw_priority,
    )
