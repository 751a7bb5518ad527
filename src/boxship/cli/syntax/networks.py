"""``--network``, ``--add-host`` and ``--dns``."""

from dataclasses import dataclass, replace

from boxship.cli.kinds import parse_csv, parse_integer


@dataclass(frozen=True, slots=True)
class NetworkSpec:
    """One ``--network``: a plain name, or ``name=…,alias=…``."""

    name: str
    aliases: tuple[str, ...] = ()
    driver_options: tuple[tuple[str, str], ...] = ()
    ipv4: str = ""
    ipv6: str = ""
    link_local: tuple[str, ...] = ()
    mac: str = ""
    priority: int = 0


def parse_network(text: str) -> NetworkSpec:
    if "=" not in text:
        return NetworkSpec(text)
    spec = NetworkSpec("")
    for field in parse_csv(text):
        key, separator, value = field.partition("=")
        key, value = key.strip().lower(), value.strip()
        if not separator:
            raise ValueError(f"invalid field {field}: must be a key=value pair")
        spec = _with(spec, key, value)
    if not spec.name:
        raise ValueError("network name/id is not specified")
    return spec


def _with(spec: NetworkSpec, key: str, value: str) -> NetworkSpec:
    match key:
        case "name":
            return replace(spec, name=value)
        case "alias":
            return replace(spec, aliases=(*spec.aliases, value))
        case "ip":
            return replace(spec, ipv4=value)
        case "ip6":
            return replace(spec, ipv6=value)
        case "mac-address":
            return replace(spec, mac=value)
        case "link-local-ip":
            return replace(spec, link_local=(*spec.link_local, value))
        case "driver-opt":
            name, separator, content = value.partition("=")
            if not separator:
                raise ValueError("invalid key value pair format in driver options")
            pair = (name.strip().lower(), content.strip())
            return replace(spec, driver_options=(*spec.driver_options, pair))
        case "gw-priority":
            return replace(spec, priority=parse_integer(value))
        case _:
            raise ValueError(f"invalid field key {key}")


def parse_extra_host(text: str) -> str:
    """``name:address`` or ``name=address`` as ``name:address``."""
    cut = "=" if "=" in text else ":"
    name, separator, address = text.partition(cut)
    if not separator or not name:
        raise ValueError(f'bad format for add-host: "{text}"')
    if address == "host-gateway":
        return f"{name}:{address}"
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if not _is_address(bare):
        raise ValueError(f'invalid IP address in add-host: "{address}"')
    return f"{name}:{bare}"


def check_address(text: str) -> str:
    if not _is_address(text.strip()):
        raise ValueError(f"IP address is not correctly formatted: {text}")
    return text.strip()


def _is_address(text: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_user_defined(name: str) -> bool:
    """Whether a network is one that somebody created, as opposed to a mode."""
    return name not in ("", "default", "bridge", "none", "host") and not name.startswith(
        "container:"
    )


def is_mac_address(text: str) -> bool:
    digits = text.replace("-", ":").split(":")
    return len(digits) in (6, 8, 20) and all(
        len(pair) == 2 and all(c in "0123456789abcdefABCDEF" for c in pair) for pair in digits
    )
