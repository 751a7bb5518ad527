"""The files that tell a container who it is and whom it can reach: hostname, hosts, resolv.conf.

They are written anew at each start, as Docker does, and bind-mounted into the container. One that
shares another's network is shown the other's.
"""

import os
from collections.abc import Iterable

from boxship.engine.containers import users
from boxship.engine.containers.paths import ContainerFiles
from boxship.engine.containers.record import ContainerRecord
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
_HOST_RESOLV = "/etc/resolv.conf"


def write_files(record: ContainerRecord, files: ContainerFiles, settings: EngineSettings) -> None:
    """Write the three files; the directory is made again if power loss took it.

    They are the container's root's, whoever that is by now.
    """
    os.makedirs(files.directory, 0o710, exist_ok=True)
    host, owner = record.host, users.root_of(record, settings)
    _write(files.hostname, owner, f"{record.config.hostname}\n")
    _write(files.hosts, owner, hosts_text(record, _read(_HOST_HOSTS)))
    _write(
        files.resolv_conf,
        owner,
        resolver_text(
            _read(_HOST_RESOLV),
            servers=host.dns or settings.dns,
            search=host.dns_search or settings.dns_search,
            options=host.dns_options or settings.dns_options,
        ),
    )


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


def resolver_text(
    host_file: str, *, servers: Iterable[str], search: Iterable[str], options: Iterable[str]
) -> str:
    """Return /etc/resolv.conf: the host's lines, each kind replaced by what was asked for.

    ``search .`` means none.
    """
    asked = {"nameserver": tuple(servers), "search": tuple(search), "options": tuple(options)}
    kept = []
    for line in host_file.splitlines():
        words = line.split()
        if not words or words[0][0] in "#;":
            continue
        kind = "search" if words[0] == "domain" else words[0]
        if not asked.get(kind):
            kept.append(line)
    if asked["search"] and asked["search"] != (".",):
        kept.append(f"search {' '.join(asked['search'])}")
    kept += [f"nameserver {server}" for server in asked["nameserver"]]
    if asked["options"]:
        kept.append(f"options {' '.join(asked['options'])}")
    return "".join(f"{line}\n" for line in kept)


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
