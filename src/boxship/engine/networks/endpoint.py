"""A container's place in a network, as its record keeps it: ``EndpointRecord``, frozen."""

import msgspec
from msgspec import Struct


class JoinedRoute(Struct, frozen=True):
    """A route that a network plugin wants; without ``via`` what is there is reached directly."""

    destination: str
    via: str = ""


class JoinedInterface(Struct, frozen=True):
    """What a network plugin has made for an endpoint.

    ``source`` is an interface of the host that goes into the container (empty: none), ``prefix``
    what its name in there begins with.
    """

    source: str = ""
    prefix: str = ""
    routes: tuple[JoinedRoute, ...] = ()


class EndpointRecord(Struct, frozen=True):
    """What was asked of an endpoint and, while the container runs, what it has.

    Addresses that were asked for are plain (``172.18.0.9``); those it has carry the prefix of the
    subnet (``172.18.0.9/16``). Gateways are plain. All of the second half is empty while the
    container does not run.
    """

    network_id: str
    network: str
    """The network's name when the endpoint was made."""
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """``container:alias``, of this network alone."""
    driver_opts: dict[str, str] | None = None
    mac_asked: str = ""
    ipv4_asked: str = ""
    ipv6_asked: str = ""
    link_local: tuple[str, ...] = ()
    gw_priority: int = 0

    endpoint_id: str = ""
    interface: str = ""
    """Inside: ``eth0``."""
    host_interface: str = ""
    mac: str = ""
    ipv4: str = ""
    gateway: str = ""
    ipv6: str = ""
    ipv6_gateway: str = ""
    joined: JoinedInterface | None = None

    @property
    def plugged(self) -> bool:
        """Tell whether it has (or is being given) its part of the network."""
        return bool(self.endpoint_id)

    def unplugged(self) -> "EndpointRecord":
        """Return what was asked alone."""
        return msgspec.structs.replace(
            self,
            endpoint_id="",
            interface="",
            host_interface="",
            mac="",
            ipv4="",
            gateway="",
            ipv6="",
            ipv6_gateway="",
            joined=None,
        )


def host_name(endpoint_id: str) -> str:
    """Return what the outer end of an endpoint's veth pair is called."""
    return f"veth{endpoint_id[:7]}"
