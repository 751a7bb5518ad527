"""``--link`` on the default bridge: other containers under names of one's own, by /etc/hosts.

On other networks links are aliases that the resolver answers; see ``networks/names.py``. Docker's
variables that tell of the other's ports and environment are not given: it warns of them itself.
"""

from collections.abc import Iterable, Iterator

from msgspec import UNSET

from boxship.base.errors import BoxshipError, InternalError, InvalidArgumentError, NotFoundError
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord, LinkRecord
from boxship.engine.containers.shelf import Shelf
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.names import link_names
from boxship.engine.networks.plug import Link, bare
from boxship.engine.networks.record import BRIDGE
from boxship.model.container import HostConfig

_MODES_WITH_LINKS = ("", "default", BRIDGE)


def resolve(shelf: Shelf, host: HostConfig) -> tuple[LinkRecord, ...]:
    """Return the links that are asked for. InvalidArgumentError: one is to nobody."""
    found = []
    for text in host.links or ():
        if not text:
            raise InvalidArgumentError("empty string specified for links")
        if text.count(":") > 1:
            raise InvalidArgumentError(f"bad format for links: {text}")
        name, alias = link_names(text)
        alias = alias.rpartition("/")[2]  # as ``inspect`` shows it: /db:/web/alias
        try:
            found.append(LinkRecord(shelf.find(name).id, alias))
        except BoxshipError as error:
            raise InvalidArgumentError(f"could not get container for {name}: {error}") from None
    return tuple(found)


def shown(shelf: Shelf, record: ContainerRecord) -> tuple[str, ...]:
    """Return the links as ``inspect`` has them: on networks of users, endpoints have theirs."""
    if record.host.network_mode not in _MODES_WITH_LINKS:
        return ()
    return tuple(
        f"/{other.record.name}:/{record.name}/{link.alias}"
        for link, other in _others(shelf, record)
    )


def check_linked(shelf: Shelf, record: ContainerRecord) -> None:
    """Raise InternalError, as Docker does, if one that is linked to can't be reached."""
    if _on_bridge(record) is None:
        return
    for link, other in _others(shelf, record):
        if not other.record.state.running:
            raise InternalError(
                f"Cannot link to a non running container: /{other.record.name} "
                f"AS /{record.name}/{link.alias}"
            )
        if _on_bridge(other.record) is None:
            raise InternalError(
                f"Cannot link to /{other.record.name}, as it does not belong to the default network"
            )


def lines(shelf: Shelf, record: ContainerRecord) -> list[str]:
    """Return the lines of /etc/hosts for those it links to."""
    if _on_bridge(record) is None:
        return []
    found = []
    for link, other in _others(shelf, record):
        endpoint = _on_bridge(other.record)
        if endpoint is None or not endpoint.ipv4:
            continue
        names = dict.fromkeys((link.alias, other.record.config.hostname, other.record.name))
        found.append(f"{bare(endpoint.ipv4)}\t{' '.join(filter(None, names))}")
    return found


def links_of(shelf: Shelf, record: ContainerRecord) -> tuple[Link, ...]:
    """Return the links as the firewall has to know them."""
    if _on_bridge(record) is None:
        return ()
    return tuple(
        Link(link.alias, other.id, tuple(_exposed(other.record)))
        for link, other in _others(shelf, record)
    )


def who_link_to(shelf: Shelf, container_id: str) -> Iterator[Container]:
    """Yield the containers that run and have a link to this one."""
    for container in shelf:
        record = container.record
        if record.state.alive and any(link.container_id == container_id for link in record.links):
            yield container


def _others(shelf: Shelf, record: ContainerRecord) -> Iterable[tuple[LinkRecord, Container]]:
    for link in record.links:
        try:
            yield link, shelf.find(link.container_id)
        except NotFoundError:
            continue  # removed since; the link is no more


def _on_bridge(record: ContainerRecord) -> EndpointRecord | None:
    return next((e for e in record.endpoints if e.network == BRIDGE), None)


def _exposed(record: ContainerRecord) -> Iterator[tuple[str, int, int]]:
    exposed = record.config.exposed_ports
    for text in (exposed or {}) if exposed is not UNSET else ():
        ports, _, protocol = text.partition("/")
        first, _, last = ports.partition("-")
        yield protocol or "tcp", int(first), int(last or first)
