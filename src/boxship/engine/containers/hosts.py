"""A container's /etc/hosts: itself, the containers it links to, and what was asked for; pure text.

Docker writes the file at each start and adds and removes lines while the container runs. A program
inside may have written to it meanwhile, so what changes then are single lines, never the rest.
"""

from collections.abc import Iterable

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.plug import addresses
from boxship.model.container import ContainerConfig, HostConfig

HOST_GATEWAY = "host-gateway"
LOOPBACK = (
    "127.0.0.1\tlocalhost",
    "::1\tlocalhost ip6-localhost ip6-loopback",
    "fe00::\tip6-localnet",
    "ff00::\tip6-mcastprefix",
    "ff02::1\tip6-allnodes",
    "ff02::2\tip6-allrouters",
)


def own_names(config: ContainerConfig) -> str:
    """Return what a container calls itself: the full name first, if it has one."""
    full = f"{config.hostname}.{config.domainname}" if config.domainname else config.hostname
    short, dot, _ = full.partition(".")
    return f"{full} {short}" if dot else full


def own_lines(config: ContainerConfig, endpoints: Iterable[EndpointRecord]) -> list[str]:
    """Return a line for each address that is known by name."""
    names = own_names(config)
    if not names:
        return []
    return [
        f"{address.ip}\t{names}"
        for endpoint in endpoints
        for address in addresses(endpoint)
        if not address.ip.is_link_local
    ]


def extra_lines(host: HostConfig, gateways: Iterable[str]) -> list[str]:
    """Return the lines of ``--add-host``; ``gateways`` are what ``host-gateway`` stands for."""
    gateways = tuple(gateways)
    lines = []
    for entry in host.extra_hosts or ():
        name, _, address = entry.replace("=", ":", 1).partition(":")
        bare = address.removeprefix("[").removesuffix("]")
        found = gateways if bare == HOST_GATEWAY else (bare,)
        lines += [f"{each}\t{name}" for each in found]
    return lines


def first_name(line: str) -> str:
    """Return the first name in a line; empty if there is none."""
    words = line.split()
    return words[1] if len(words) > 1 and not line.startswith("#") else ""


def changed(text: str, *, add: Iterable[str] = (), remove: Iterable[str] = ()) -> str:
    """Return the file with some lines more and some less; the others stay as they are."""
    gone = set(remove)
    kept = [line for line in text.splitlines() if line not in gone]
    kept += [line for line in add if line not in kept]
    return "".join(f"{line}\n" for line in kept)
