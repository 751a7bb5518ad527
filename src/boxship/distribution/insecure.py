"""Registries that may be spoken to without a certificate that proves them."""

import ipaddress
import socket
from collections.abc import Iterable

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class InsecureRegistries:
    """``host``, ``host:port`` and CIDR blocks; the machine itself always belongs to them."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._names: set[str] = set()
        networks: list[Network] = list(_LOOPBACK)
        for entry in entries:
            name = entry.partition("://")[2] or entry
            network = _network(name)
            if network is None:
                self._names.add(name.rstrip("/").lower())
            else:
                networks.append(network)
        self._networks = tuple(networks)

    def contains(self, host: str) -> bool:
        """Whether ``host[:port]`` is one, by its name or by an address the name has."""
        if host.lower() in self._names:
            return True
        name = _without_port(host)
        return any(address in network for address in _addresses(name) for network in self._networks)


def _network(text: str) -> Network | None:
    if "/" not in text:
        return None
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        host = name
    return host.strip("[]")


def _addresses(name: str) -> list[Address]:
    try:
        return [ipaddress.ip_address(name)]
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []  # a name that doesn't resolve is no reason to trust it; dialling will tell
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
