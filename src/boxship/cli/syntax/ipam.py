"""``--subnet``, ``--ip-range``, ``--gateway`` and ``--aux-address``: which goes with which."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from boxship.base.errors import InvalidArgumentError


def pools(
    subnets: Sequence[str],
    *,
    ranges: Sequence[str],
    gateways: Sequence[str],
    auxiliary: Mapping[str, str],
) -> list[dict[str, Any]]:
    """One object of the API for each subnet, with what lies in it; order as given.

    An ``InvalidArgumentError`` says what Docker's client says. A subnet alone is not looked at:
    the daemon does that.
    """
    if len(subnets) < len(ranges) or len(subnets) < len(gateways):
        raise InvalidArgumentError("every ip-range or gateway must have a corresponding subnet")
    found: dict[str, dict[str, Any]] = {}
    for subnet in subnets:
        if any(_contains(subnet, other) or _contains(other, subnet) for other in found):
            raise InvalidArgumentError("multiple overlapping subnet configuration is not supported")
        found[subnet] = {"Subnet": subnet}
    for part in ranges:
        _place(found, part, "IPRange", ("range", "ranges", "on"))
    for gateway in gateways:
        _place(found, gateway, "Gateway", ("gateway", "gateways", "for"))
    for name, address in auxiliary.items():
        for subnet in _homes(found, address, "aux-address"):
            found[subnet].setdefault("AuxiliaryAddresses", {})[name] = address
    return list(found.values())


def _place(
    found: Mapping[str, dict[str, Any]], value: str, field: str, words: tuple[str, str, str]
) -> None:
    one, many, preposition = words
    for subnet in _homes(found, value, one):
        if (before := found[subnet].get(field)) is not None:
            raise InvalidArgumentError(
                f"cannot configure multiple {many} ({value}, {before})"
                f" {preposition} the same subnet ({subnet})"
            )
        found[subnet][field] = value


def _homes(subnets: Iterable[str], value: str, what: str) -> list[str]:
    homes = [subnet for subnet in subnets if _contains(subnet, value)]
    if not homes:
        raise InvalidArgumentError(f"no matching subnet for {what} {value}")
    return homes


def _contains(subnet: str, value: str) -> bool:
    """Tell whether an address, or the first one of what has a length, is in the subnet."""
    import ipaddress

    try:
        network = ipaddress.ip_network(subnet, strict=False)
    except ValueError as error:
        raise InvalidArgumentError(f"invalid subnet: invalid CIDR address: {subnet}") from error
    try:
        if "/" in value:
            return ipaddress.ip_interface(value).ip in network
        return ipaddress.ip_address(value) in network
    except ValueError as error:
        if "/" in value:
            raise InvalidArgumentError(f"invalid CIDR address: {value}") from error
        return False
