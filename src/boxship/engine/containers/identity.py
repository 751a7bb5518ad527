"""The files that tell a container who it is and whom it can reach: hostname, hosts, resolv.conf.

They are written anew at each start, as Docker does, and bind-mounted into the container. One that
shares another's network is shown the other's. While the container runs its networks may change, and
with them single lines of hosts; the files are written in place then, because a bind mount goes on
showing the old file if a new one takes its name.
"""

import contextlib
import logging
import os
from collections.abc import Iterable

from boxship.engine.containers import hosts, linking, users
from boxship.engine.containers.context import Context
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.resolvconf import Reach, ResolverFile, Wanted, host_file, made
from boxship.engine.networks.egress import words_of as egress_words
from boxship.engine.networks.plug import Upstreams
from boxship.engine.networks.record import BRIDGE, PREDEFINED
from boxship.engine.settings import EngineSettings

_log = logging.getLogger(__name__)
_HOST_HOSTS = "/etc/hosts"
LARGEST = 1 << 20
"""Bytes of a file that is changed in place: a container can make it any size, and we read it."""


def write_files(context: Context, record: ContainerRecord) -> None:
    """Write the three files; the directory is made again if power loss took it.

    They are the container's root's, whoever that is by now.
    """
    files, owner = context.paths.of(record.id), users.root_of(record, context.settings)
    os.makedirs(files.directory, 0o710, exist_ok=True)
    _write(files.hostname, owner, f"{record.config.hostname}\n")
    _write(files.hosts, owner, hosts_text(context, record))
    _write(files.resolv_conf, owner, resolver_file(record, context.settings).text)


def hosts_text(context: Context, record: ContainerRecord) -> str:
    """Return /etc/hosts: loopback, or with ``host`` networking the host's; then what was asked."""
    is_hosts = record.host.network_mode == "host"
    first = _read(_HOST_HOSTS).splitlines() if is_hosts else hosts.LOOPBACK
    lines = (
        *first,
        *hosts.extra_lines(record.host, gateways(context)),
        *linking.lines(context.shelf, record),
        *hosts.own_lines(record.config, record.endpoints),
    )
    return "".join(f"{line}\n" for line in lines)


def gateways(context: Context) -> tuple[str, ...]:
    """Return what ``host-gateway`` stands for: the host, as the default bridge sees it."""
    configured = context.settings.networks.host_gateway_ips
    bridge = context.networks.bridge
    if configured or bridge is None:
        return configured
    return tuple(pool.gateway for pool in bridge.ipam if pool.gateway)


def change_hosts(
    context: Context,
    record: ContainerRecord,
    *,
    add: Iterable[str] = (),
    remove: Iterable[str] = (),
) -> None:
    """Add and remove lines of a running container's hosts, in place."""
    path = context.paths.of(record.id).hosts
    before = _read_bounded(path)
    if before is None:
        _log.warning("container %s: its hosts file has grown too large to be changed", record.name)
        return
    after = hosts.changed(before, add=add, remove=remove)
    if after != before:
        with contextlib.suppress(FileNotFoundError):  # being removed
            _write(path, users.root_of(record, context.settings), after)


def replace_hosts(
    context: Context, record: ContainerRecord, lines: Iterable[str], names: Iterable[str]
) -> None:
    """Put lines in place of those whose first name is one of ``names``."""
    first = set(names)
    text = _read_bounded(context.paths.of(record.id).hosts) or ""
    old = [line for line in text.splitlines() if hosts.first_name(line) in first]
    change_hosts(context, record, add=lines, remove=old)


# ── resolv.conf ──────────────────────────────────────────────────────────────────────────────


def resolver_file(record: ContainerRecord, settings: EngineSettings) -> ResolverFile:
    """Return resolv.conf as the container's networks want it."""
    host, reach = record.host, reach_of(record)
    wanted = Wanted(
        servers=tuple(host.dns or settings.dns),
        search=tuple(host.dns_search or settings.dns_search),
        options=tuple(host.dns_options or settings.dns_options),
    )
    speaks_ipv6 = any(endpoint.ipv6 for endpoint in record.endpoints)
    return made(host_file(reach), wanted, reach, ipv6=speaks_ipv6)


def upstreams(record: ContainerRecord, settings: EngineSettings) -> Upstreams:
    """Return where the container's resolver sends what it does not know, if it has one."""
    if reach_of(record) is not Reach.EMBEDDED:
        return Upstreams()
    file = resolver_file(record, settings)
    return Upstreams(file.servers, file.forwards_single_labels)


def reach_of(record: ContainerRecord) -> Reach:
    """Tell how a container looks names up: by the networks it is on."""
    if record.host.network_mode == "host":
        return Reach.HOST
    if any(endpoint.network not in PREDEFINED for endpoint in record.endpoints):
        return Reach.EMBEDDED
    if egress_words(record.host) and any(e.network == BRIDGE for e in record.endpoints):
        return Reach.EMBEDDED  # its rules are fed by names, and deny it the way to other servers
    return Reach.DIRECT


def change_resolver(context: Context, before: ContainerRecord, after: ContainerRecord) -> None:
    """Write a running container's resolv.conf anew if its first network with names has come.

    Not if somebody has written to it since. It is left when the last such network goes: then the
    resolver is still there, and goes on forwarding.
    """
    if reach_of(before) is reach_of(after) or reach_of(after) is not Reach.EMBEDDED:
        return
    path = context.paths.of(after.id).resolv_conf
    if _read_bounded(path) == resolver_file(before, context.settings).text:
        text = resolver_file(after, context.settings).text
        _write(path, users.root_of(after, context.settings), text)


def _read_bounded(path: str) -> str | None:
    """Return a file that a container may have written to; None if it is too large."""
    try:
        return None if os.stat(path).st_size > LARGEST else _read(path)
    except OSError:
        return ""


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _write(path: str, owner: tuple[int, int], text: str) -> None:
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        status = os.fstat(file.fileno())
        if (status.st_uid, status.st_gid) != owner:
            os.fchown(file.fileno(), *owner)
        file.write(text)
