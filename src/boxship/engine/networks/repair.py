"""Do in the kernel what a daemon that was killed left undone; blocking, in the network thread.

The records are right: a live connect commits before it begins, and so does a disconnect. What the
records have and the kernel has not is made; what is on our bridges and in no record is removed.
"""

import logging
from collections.abc import Collection, Sequence
from typing import NamedTuple

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.names import NameKeeper, needs_names
from boxship.engine.networks.plug import Plug, Records, has_interface, nic_of, routes
from boxship.net.dns.listeners import Listener
from boxship.net.host import MARK, Host
from boxship.net.links import Links
from boxship.net.namespaces import NetworkNamespace
from boxship.net.sandbox import Sandbox

_log = logging.getLogger(__name__)


class Repair(NamedTuple):
    """A container that runs, and the networks it is on."""

    plug: Plug
    pid: int
    records: Records


def repair(
    jobs: Sequence[Repair], bridges: Collection[str], names: NameKeeper, host: Host
) -> dict[str, Listener]:
    """Bring interfaces and routes in order; return who listens for each container's names."""
    there, strays = _remove_strays(jobs, bridges)
    served = {}
    for job in jobs:
        if not job.pid:
            continue
        try:
            _complete(job, there, host, sure=not strays)
            if needs_names(job.plug, job.records):
                with NetworkNamespace.of_process(job.pid) as namespace:
                    served[job.plug.tenant.id] = names.adopt(namespace)
        except OSError:
            _log.exception("the networks of container %s are not whole", job.plug.tenant.name)
    return served


def _remove_strays(
    jobs: Sequence[Repair], bridges: Collection[str]
) -> tuple[frozenset[str], list[str]]:
    """Remove what nobody has from our bridges; return what is whole, and what was removed."""
    ours = {endpoint.host_interface for job in jobs for endpoint in job.plug.endpoints}
    with Links.open() as links:
        every = links.all()
        masters = {link.ifindex for link in every if link.name in bridges}
        strays = [
            link.name
            for link in every
            if link.alias == MARK and link.master in masters and link.name not in ours
        ]
        if strays:
            _log.warning("removing interfaces that belong to nobody: %s", ", ".join(strays))
            links.remove_all(strays)
    whole = (link.name for link in every if link.alias == MARK)
    return frozenset(whole), strays


def _complete(job: Repair, there: frozenset[str], host: Host, *, sure: bool) -> None:
    """Make what is missing; ``sure``: nobody can have lost a route with an interface."""
    wanted = [e for e in job.plug.endpoints if has_interface(job.records[e.network_id])]
    if sure and all(e.host_interface in there for e in wanted):
        return  # the usual case: nothing to enter the namespace for
    with Sandbox.of_process(job.pid, host) as sandbox:
        inside = sandbox.whole()
        for endpoint in wanted:
            if _is_missing(endpoint, there, inside):
                _remove_begun(endpoint, sandbox, host)
                sandbox.add(nic_of(endpoint, job.records[endpoint.network_id]))
        sandbox.set_routes(routes(job.plug.endpoints, job.records))


def _remove_begun(endpoint: EndpointRecord, sandbox: Sandbox, host: Host) -> None:
    """Remove what a daemon that was killed may have begun to make."""
    if endpoint.host_interface:
        host.links.remove(endpoint.host_interface, missing_ok=True)
    else:
        sandbox.remove(endpoint.interface)


def _is_missing(
    endpoint: EndpointRecord, outside: Collection[str], inside: Collection[str]
) -> bool:
    if endpoint.host_interface:
        return endpoint.host_interface not in outside
    return endpoint.interface not in inside
