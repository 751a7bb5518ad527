"""``--publish`` and ``--expose``."""

import re
from typing import Any, NamedTuple

_PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"([0-9]{1,5})(?:-([0-9]{1,5}))?")


class Published(NamedTuple):
    """One port inside and, if it is published, where; ``host_port`` may be empty or a range."""

    port: str  # "80/tcp"
    address: str
    host_port: str
    sources: tuple[str, ...] = ()  # networks that may use it; beyond Docker

    def binding(self) -> dict[str, Any]:
        binding: dict[str, Any] = {"HostIp": self.address, "HostPort": self.host_port}
        if self.sources:
            binding["Sources"] = list(self.sources)
        return binding


def parse_range(text: str) -> tuple[int, int]:
    """``80`` or ``80-90``; raises ValueError when it is neither or not from low to high."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise ValueError(f"invalid port range: {text}")
    first, last = int(match[1]), int(match[2] or match[1])
    if not first <= last <= 65535:
        raise ValueError(f"invalid port range: {text}")
    return first, last


def _protocol(text: str) -> tuple[str, str]:
    port, _, protocol = text.partition("/")
    protocol = (protocol or "tcp").lower()
    if protocol not in _PROTOCOLS:
        raise ValueError(f"invalid proto: {protocol}")
    return port, protocol


def parse_expose(text: str) -> tuple[str, ...]:
    """``80-81/tcp`` as ``("80/tcp", "81/tcp")``."""
    if ":" in text:
        raise ValueError(f"invalid port format for --expose: {text}")
    ports, protocol = _protocol(text)
    try:
        first, last = parse_range(ports)
    except ValueError as error:
        raise ValueError(f"invalid range format for --expose: {text}, error: {error}") from error
    return tuple(f"{port}/{protocol}" for port in range(first, last + 1))


def parse_publish(text: str) -> tuple[Published, ...]:
    """``[[address:]host port:]port[/protocol][,source=CIDR…]``, ranges on both sides in step."""
    short, *rest = text.split(",")
    if "=" in short:
        return _parse_long(text)
    if not rest:
        return _parse_short(short)
    sources = tuple(_source(part, text) for part in rest)
    return tuple(spec._replace(sources=sources) for spec in _parse_short(short))


def _source(part: str, text: str) -> str:
    import ipaddress

    key, separator, value = part.partition("=")
    if not separator or key.lower() != "source":
        raise ValueError(f"invalid field {part} in port {text}: expected source=CIDR")
    try:
        return str(ipaddress.ip_network(value, strict=False))
    except ValueError as error:
        raise ValueError(f"invalid source in port {text}: {value} is no address or CIDR") from error


def _parse_short(text: str) -> tuple[Published, ...]:
    body, protocol = _protocol(text)
    address, host, port = _split(body)
    if not port:
        raise ValueError(f"no port specified: {text}<empty>")
    try:
        first, last = parse_range(port)
    except ValueError as error:
        raise ValueError(f"invalid containerPort: {port}") from error
    _check_address(address)
    if not host:
        return tuple(Published(f"{n}/{protocol}", address, "") for n in range(first, last + 1))
    try:
        host_first, host_last = parse_range(host)
    except ValueError as error:
        raise ValueError(f"invalid hostPort: {host}") from error
    if host_last - host_first == last - first:
        return tuple(
            Published(f"{first + step}/{protocol}", address, str(host_first + step))
            for step in range(last - first + 1)
        )
    if first != last:
        raise ValueError(
            f"invalid ranges specified for container and host Ports: {port} and {host}"
        )
    # One port inside, several outside: the daemon takes one that is free.
    return (Published(f"{first}/{protocol}", address, host),)


def _split(body: str) -> tuple[str, str, str]:
    if body.startswith("["):
        address, _, rest = body[1:].partition("]")
        host, _, port = rest.removeprefix(":").rpartition(":")
        return address, host, port
    parts = body.split(":")
    if len(parts) > 3:
        # An IPv6 address without brackets.
        return ":".join(parts[:-2]), parts[-2], parts[-1]
    address, host, port = ("", "", "", *parts)[-3:]
    return address, host, port


def _check_address(address: str) -> None:
    if not address:
        return
    import ipaddress

    try:
        ipaddress.ip_address(address)
    except ValueError as error:
        raise ValueError(f"invalid IP address: {address}") from error


def _parse_long(text: str) -> tuple[Published, ...]:
    """``target=80,published=8080,protocol=tcp,mode=ingress``, and ``source=CIDR`` as often."""
    fields: dict[str, str] = {"protocol": "tcp", "published": ""}
    sources = []
    for part in text.split(","):
        key, separator, value = part.partition("=")
        if key.lower() == "source":
            sources.append(_source(part, text))
            continue
        if not separator or key.lower() not in ("target", "published", "protocol", "mode"):
            raise ValueError(f"invalid field {part} in port {text}")
        fields[key.lower()] = value
    target, published = fields.get("target", ""), fields["published"]
    found = _parse_short(f"{published}:{target}/{fields['protocol']}".lstrip(":"))
    return tuple(spec._replace(sources=tuple(sources)) for spec in found)
