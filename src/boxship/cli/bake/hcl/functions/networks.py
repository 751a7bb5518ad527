"""Addresses of networks."""

import ipaddress

from boxship.cli.bake.hcl.conversion import to_number, to_string
from boxship.cli.bake.hcl.evaluation import FunctionError
from boxship.cli.bake.hcl.syntax import Value

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(prefix: Value) -> _Network:
    try:
        return ipaddress.ip_network(to_string(prefix), strict=False)
    except ValueError as error:
        raise FunctionError(f"invalid CIDR expression: {error}") from None


def cidrhost(prefix: Value, number: Value) -> Value:
    """Return the address of that number; negative ones count from the end."""
    network = _network(prefix)
    try:
        return str(network[int(to_number(number))])
    except IndexError:
        raise FunctionError("the network has no such address") from None


def cidrnetmask(prefix: Value) -> Value:
    """Return the mask of a network."""
    return str(_network(prefix).netmask)


def cidrsubnet(prefix: Value, bits: Value, number: Value) -> Value:
    """Return the part of that number, whose prefix is longer by ``bits``."""
    network, longer = _network(prefix), int(to_number(bits))
    length, at = network.prefixlen + longer, int(to_number(number))
    if longer < 0 or length > network.max_prefixlen or not 0 <= at < 1 << longer:
        raise FunctionError("the network has no such part")
    first = int(network.network_address) + (at << (network.max_prefixlen - length))
    return f"{type(network.network_address)(first)}/{length}"


def cidrsubnets(prefix: Value, *bits: Value) -> Value:
    """Return parts one after the other, each with a prefix longer by so many bits."""
    network = _network(prefix)
    at, result = int(network.network_address), []
    for one in bits:
        length = network.prefixlen + int(to_number(one))
        if not network.prefixlen <= length <= network.max_prefixlen:
            raise FunctionError("the network has no such part")
        size = 1 << (network.max_prefixlen - length)
        at = -(-at // size) * size
        if at + size - 1 > int(network.broadcast_address):
            raise FunctionError("the network is too small for all parts")
        result.append(f"{type(network.network_address)(at)}/{length}")
        at += size
    return tuple(result)
