"""What a container may ask of a network, looked at before anything is made; pure."""

import re
from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_network

import msgspec

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.engine.networks.addresses import Address
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.options import PREFIX
from boxship.engine.networks.problems import listed
from boxship.engine.networks.record import NetworkRecord

SYSCTLS = PREFIX + "endpoint.sysctls"
IFNAME = PREFIX + "endpoint.ifname"

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_SYSCTL = re.compile(r"net\.(?:ipv4|ipv6|mpls)\.[a-z]+\.IFNAME\.[a-z0-9_.]+=.+")
_IFNAME = re.compile(r"(?:(?![/:%])[!-~]){1,15}")  # the kernel counts bytes: ASCII alone


def checked(network: NetworkRecord, wish: EndpointRecord) -> EndpointRecord:
    """Return the wish in canonical form, with the network's id and name.

    InvalidArgumentError lists, a line each, what does not fit; ForbiddenError: nobody can be on
    this network at all, or an address is never given to anybody.
    """
    if network.config_only:
        raise ForbiddenError(
            f"network {network.name} is a configuration network: no container can be on it"
        )
    mac = canonical_mac(wish.mac_asked)
    problems = [*_address_problems(network, wish), *_name_problems(network, wish)]
    problems += _option_problems(wish.driver_opts or {})
    if mac is None:
        problems.append(f"invalid MAC address: {wish.mac_asked}")
    if problems:
        raise InvalidArgumentError("invalid endpoint settings:\n" + listed(problems))
    canonical = msgspec.structs.replace(
        wish,
        network_id=network.id,
        network=network.name,
        mac_asked=mac or "",
        ipv4_asked=str(ip_address(wish.ipv4_asked)) if wish.ipv4_asked else "",
        ipv6_asked=str(ip_address(wish.ipv6_asked)) if wish.ipv6_asked else "",
    )
    _refuse_reserved(network, canonical.ipv4_asked)
    _refuse_reserved(network, canonical.ipv6_asked)
    return canonical


def canonical_mac(text: str) -> str | None:
    """Return a MAC address as ``02:42:ac:11:00:02``; None if no interface can have it."""
    if not text:
        return ""
    plain = text.strip().lower().replace("-", ":")
    if "." in plain:  # 0242.ac11.0002
        digits = plain.replace(".", "")
        plain = ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    if not _MAC.fullmatch(plain) or plain == "00:00:00:00:00:00":
        return None
    return None if int(plain[:2], 16) & 1 else plain  # a group's address


def _address_problems(network: NetworkRecord, wish: EndpointRecord) -> Iterable[str]:
    asked = [(text, v) for text, v in ((wish.ipv4_asked, 4), (wish.ipv6_asked, 6)) if text]
    for text, version in asked:
        address = _read(text)
        if address is None or address.version != version:
            yield f"invalid IPv{version} address: {text}"
    for text in wish.link_local:
        address = _read(text)
        if address is None or not address.is_link_local:
            yield f"invalid link-local IP address: {text}"
    if asked and not network.user_defined:
        yield "user specified IP address is supported on user defined networks only"
    for text, version in asked:
        yield from _subnet_problems(network, text, version)


def _subnet_problems(network: NetworkRecord, text: str, version: int) -> Iterable[str]:
    family = [pool for pool in network.ipam if pool.is_ipv6 is (version == 6)]
    address = _read(text)
    if not network.user_defined or any(pool.chosen for pool in family):
        yield (
            "user specified IP address is supported only when connecting to networks with user "
            "configured subnets"
        )
    elif address is None or not any(address in ip_network(pool.subnet) for pool in family):
        yield f"no configured subnet or ip-range contain the IP address {text}"


def _refuse_reserved(network: NetworkRecord, address: str) -> None:
    """Raise ForbiddenError, as Docker does at the start, for what no container ever gets."""
    for pool in network.ipam if address else ():
        subnet = ip_network(pool.subnet)
        reserved = {pool.gateway: f"is the gateway of network {network.name}"}
        reserved |= {text: f"is kept for {name}" for name, text in pool.aux.items()}
        if subnet.num_addresses > 2:
            whole = f"stands for the whole subnet {subnet}"
            reserved[str(subnet.network_address)] = whole
            if not pool.is_ipv6:
                reserved[str(subnet.broadcast_address)] = whole
        if address in reserved:
            raise ForbiddenError(f"Address already in use: {address} {reserved[address]}")


def _read(text: str) -> Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _name_problems(network: NetworkRecord, wish: EndpointRecord) -> Iterable[str]:
    if wish.aliases and not network.user_defined:
        yield "network-scoped alias is supported only for containers in user defined networks"
    for alias in wish.aliases:
        if not alias or alias.strip() != alias or any(c.isspace() for c in alias):
            yield f"invalid network-scoped alias: {alias!r}"
    for link in wish.links:
        name, _, alias = link.partition(":")
        if not name or ":" in alias:
            yield f"invalid link {link!r}: it is container or container:alias"


def _option_problems(given: Mapping[str, str]) -> Iterable[str]:
    for name, text in given.items():
        if name == SYSCTLS:
            yield from (
                f"invalid {SYSCTLS}: {word!r} is not net.X.Y.IFNAME.Z=value"
                for word in text.split(",")
                if not _SYSCTL.fullmatch(word)
            )
        elif name == IFNAME:
            if not _IFNAME.fullmatch(text) or text in (".", "..", "lo"):
                yield f"invalid {IFNAME}: {text!r} is no name for an interface"
        elif name.startswith(PREFIX):
            yield f"invalid driver option {name}: endpoints have {IFNAME} and {SYSCTLS}"
