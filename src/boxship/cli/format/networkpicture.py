"""What ``network map`` draws: networks and who is on them, put together from two listings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from boxship.cli.format.naturalorder import natural
from boxship.cli.format.ports import display_ports

_SHORT_ID = 12
_LAST = ("host", "null")
_BRIDGE_OPTION = "com.docker.network.bridge."


@dataclass(frozen=True, slots=True)
class Station:
    """A container on a network."""

    id: str
    name: str
    image: str
    state: str
    addresses: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    """As ``ps`` writes them; on one of its networks only, the one that they lead to."""
    egress: tuple[str, ...] = ()
    sharing: tuple[str, ...] = ()
    """Names of those who share its network namespace."""
    also_on: tuple[str, ...] = ()
    """Its other networks."""


@dataclass(frozen=True, slots=True)
class DrawnNetwork:
    """A network. ``rules`` are sentences about what it forbids."""

    id: str
    name: str
    driver: str
    interface: str
    subnets: tuple[str, ...]
    gateways: tuple[str, ...]
    rules: tuple[str, ...]
    stations: tuple[Station, ...]


Json = Mapping[str, Any]


def picture(
    networks: Iterable[Json], containers: Iterable[Json], only: Iterable[str] = ()
) -> tuple[DrawnNetwork, ...]:
    """Put ``GET /networks`` and ``GET /containers/json?all=1`` together.

    ``only`` are names or ids (or beginnings of ids) of networks; none means all. The host's network
    and none come last.
    """
    everybody = sorted(containers, key=lambda one: natural(_name(one)))
    wanted = tuple(only)
    every = list(networks)
    internal = frozenset(one["Name"] for one in every if one.get("Internal"))
    drawn = [_network(one, everybody, internal) for one in every if _is_wanted(one, wanted)]
    return tuple(sorted(drawn, key=_order))


def _is_wanted(network: Json, wanted: tuple[str, ...]) -> bool:
    if not wanted:
        return True
    return any(network["Name"] == one or network["Id"].startswith(one) for one in wanted)


def _order(network: DrawnNetwork) -> tuple[bool, bool, list[tuple[int, int, int]]]:
    return network.driver in _LAST, network.name != "bridge", natural(network.name)


def _network(network: Json, everybody: list[Json], internal: frozenset[str]) -> DrawnNetwork:
    pools = (network.get("IPAM") or {}).get("Config") or ()
    options = network.get("Options") or {}
    name, identifier = network["Name"], network["Id"]
    driver = network.get("Driver", "")
    usual = f"br-{identifier[:_SHORT_ID]}" if driver == "bridge" else options.get("parent", "")
    return DrawnNetwork(
        id=identifier,
        name=name,
        driver=driver,
        interface=options.get(f"{_BRIDGE_OPTION}name", usual),
        subnets=tuple(pool["Subnet"] for pool in pools if pool.get("Subnet")),
        gateways=tuple(pool["Gateway"] for pool in pools if pool.get("Gateway")),
        rules=tuple(_rules(network, options)),
        stations=tuple(
            _station(one, name, everybody, internal) for one in everybody if name in _endpoints(one)
        ),
    )


def _rules(network: Json, options: Json) -> Iterable[str]:
    if network.get("Internal"):
        yield "internal: no way out or in"
    if options.get(f"{_BRIDGE_OPTION}enable_icc", "true") == "false":
        yield "containers cannot reach one another"
    if options.get(f"{_BRIDGE_OPTION}enable_ip_masquerade", "true") == "false":
        yield "not masqueraded"
    modes = [options.get(f"{_BRIDGE_OPTION}gateway_mode_ipv{version}") for version in (4, 6)]
    for version, mode in zip((4, 6), modes, strict=True):
        if mode and mode != "nat":
            yield f"IPv{version} {mode}"


def _station(
    container: Json, network: str, everybody: list[Json], internal: frozenset[str]
) -> Station:
    endpoints = _endpoints(container)
    endpoint = endpoints[network] or {}
    addresses = (endpoint.get("IPAddress"), endpoint.get("GlobalIPv6Address"))
    host = container.get("HostConfig") or {}
    names = (container["Id"], _name(container))
    return Station(
        id=container["Id"],
        name=_name(container),
        image=container.get("Image", ""),
        state=container.get("State", ""),
        addresses=tuple(filter(None, addresses)),
        aliases=tuple(endpoint.get("Aliases") or ()),
        ports=_published(container) if network == _outward(endpoints, internal) else (),
        egress=tuple(host.get("Egress") or ()),
        sharing=tuple(_name(one) for one in everybody if _shared(one) in names),
        also_on=tuple(sorted((one for one in endpoints if one != network), key=natural)),
    )


def _published(container: Json) -> tuple[str, ...]:
    ports = [port for port in container.get("Ports") or () if port.get("PublicPort")]
    return tuple(filter(None, display_ports(ports).split(", ")))


def _outward(endpoints: Json, internal: frozenset[str]) -> str:
    """The network that has the container's default route, and so its published ports."""

    def rank(name: str) -> tuple[bool, int, list[tuple[int, int, int]]]:
        endpoint = endpoints[name] or {}
        leads_out = bool(endpoint.get("Gateway")) and name not in internal
        return not leads_out, -(endpoint.get("GwPriority") or 0), natural(name)

    return min(endpoints, key=rank)


def _endpoints(container: Json) -> Json:
    networks: Json = (container.get("NetworkSettings") or {}).get("Networks") or {}
    return networks


def _shared(container: Json) -> str:
    mode: str = (container.get("HostConfig") or {}).get("NetworkMode") or ""
    return mode.removeprefix("container:") if mode.startswith("container:") else ""


def _name(container: Json) -> str:
    names = container.get("Names") or [container["Id"][:_SHORT_ID]]
    # "/web/db" is a link of /web.
    own = [name for name in names if name.count("/") == 1] or names
    return str(own[0]).removeprefix("/")
