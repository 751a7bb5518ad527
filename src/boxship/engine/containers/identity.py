"""The files that tell a container who it is and whom it can reach: hostname, hosts, resolv.conf.

They are written anew at each start, as Docker does, and bind-mounted into the container. One that
shares another's network is shown the other's.
"""

import os

from boxship.engine.containers import resolvconf, users
from boxship.engine.containers.paths import ContainerFiles
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.resolvconf import Reach, ResolverFile, Wanted
from boxship.engine.settings import EngineSettings

_LOOPBACK = (
    ("127.0.0.1", "localhost"),
    ("::1", "localhost ip6-localhost ip6-loopback"),
    ("fe00::", "ip6-localnet"),
    ("ff00::", "ip6-mcastprefix"),
    ("ff02::1", "ip6-allnodes"),
    ("ff02::2", "ip6-allrouters"),
)
_HOST_HOSTS = "/etc/hosts"


def write_files(
    record: ContainerRecord,
    files: ContainerFiles,
    settings: EngineSettings,
    reach: Reach | None = None,
    *,
    ipv6: bool = False,
) -> ResolverFile:
    """Write the three files; the directory is made again if power loss took it.

    They are the container's root's, whoever that is by now. ``reach`` is how it looks up names, by
    itself as its network mode has it; ``ipv6``, whether it speaks that. Returns what the resolver
    is to know.
    """
    os.makedirs(files.directory, 0o710, exist_ok=True)
    owner = users.root_of(record, settings)
    _write(files.hostname, owner, f"{record.config.hostname}\n")
    _write(files.hosts, owner, hosts_text(record, _read(_HOST_HOSTS)))
    resolver = resolver_file(record, settings, reach, ipv6=ipv6)
    _write(files.resolv_conf, owner, resolver.text)
    return resolver


def resolver_file(
    record: ContainerRecord,
    settings: EngineSettings,
    reach: Reach | None = None,
    *,
    ipv6: bool = False,
) -> ResolverFile:
    """Return the container's resolv.conf: the daemon's choice behind its own, the host's last."""
    host = record.host
    wanted = Wanted(
        tuple(host.dns or settings.dns),
        tuple(host.dns_search or settings.dns_search),
        tuple(host.dns_options or settings.dns_options),
    )
    if reach is None:
        reach = Reach.HOST if host.network_mode == "host" else Reach.DIRECT
    return resolvconf.made(resolvconf.host_file(reach), wanted, reach, ipv6=ipv6)


def hosts_text(record: ContainerRecord, host_file: str) -> str:
    """Return /etc/hosts: loopback, or with ``host`` networking the host's; then what was asked."""
    if record.host.network_mode == "host":
        lines = host_file.splitlines()
    else:
        lines = [f"{address}\t{names}" for address, names in _LOOPBACK]
    for entry in record.host.extra_hosts or ():
        name, _, address = entry.replace("=", ":", 1).partition(":")
        if address != "host-gateway":  # there is no gateway without a bridge
            lines.append(f"{address.removeprefix('[').removesuffix(']')}\t{name}")
    return "".join(f"{line}\n" for line in lines)


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, owner: tuple[int, int], text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        status = os.fstat(file.fileno())
        if (status.st_uid, status.st_gid) != owner:
            os.fchown(file.fileno(), *owner)
        file.write(text)
