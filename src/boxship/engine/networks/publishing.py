"""Which container has which ports of the host: from wishes to what is published.

Ports are given out in memory when a container starts and given back at its end; its record says
what it has, so that a later daemon can go on with it.
"""

import contextlib
import errno
import logging
import os
from collections.abc import Collection, Iterable, Sequence

from boxship.base.errors import BoxshipError
from boxship.engine.networks.portwishes import PortWish
from boxship.engine.networks.requests import Tenant
from boxship.model.ports import PublishedPort, interval_text
from boxship.net.portreserve import (
    ANY,
    HostInterval,
    HostPorts,
    NoFreePortError,
    PortUnavailableError,
    ephemeral_range,
)

_log = logging.getLogger(__name__)
_IPV4 = frozenset({4})


class PortTakenError(BoxshipError):
    """A port of the host that a container wants can't be had.

    Docker answers 500, and so do we, though the request may be right another time: compose and
    others look at the words, which are Docker's, and add the name of the container in the way.
    """


class Publications:
    """The published ports of all containers of one engine. Call it from the event loop."""

    def __init__(self, host_ports: HostPorts | None = None) -> None:
        self._ports = host_ports or HostPorts()
        self._names: dict[str, str] = {}

    def claim(
        self,
        tenant: Tenant,
        wishes: Sequence[PortWish],
        *,
        endpoint_id: str,
        families: Collection[int] = _IPV4,
    ) -> tuple[PublishedPort, ...]:
        """Give a container all it wishes for, or nothing.

        ``families`` are those of the endpoint that serves them: a port that is published
        everywhere is taken in these. PortTakenError: some port is in use.
        """
        self._names[tenant.id] = tenant.name
        claimed: list[PublishedPort] = []
        try:
            for wish in sorted(wishes, key=lambda wish: not wish.exact):
                claimed += self._claim(tenant, wish, families)
        except (PortUnavailableError, NoFreePortError, OSError) as error:
            self._give_back(tenant.id, claimed, families)
            raise PortTakenError(
                f"driver failed programming external connectivity on endpoint {tenant.name} "
                f"({endpoint_id}): {self._reason(error)}"
            ) from error
        return tuple(sorted(claimed, key=_place))

    def adopt(
        self, tenant: Tenant, ports: Iterable[PublishedPort], families: Collection[int] = _IPV4
    ) -> None:
        """Go on with what a running container of an earlier daemon has; never fails."""
        self._names[tenant.id] = tenant.name
        for port in ports:
            for interval in _intervals(port, families):
                if not self._ports.adopt(interval, tenant.id):
                    _log.warning(
                        "port %s of container %s is published, and another program has it as well",
                        _bound(interval.address, interval.first, interval.protocol), tenant.name,
                    )  # fmt: skip

    def release(self, container_id: str) -> None:
        """Take back all that a container has; twice does no harm."""
        self._ports.release(container_id)
        self._names.pop(container_id, None)

    def withdraw(
        self, container_id: str, ports: Iterable[PublishedPort], families: Collection[int] = _IPV4
    ) -> None:
        """Take back some of what a container has."""
        self._give_back(container_id, ports, families)

    def rename(self, container_id: str, name: str) -> None:
        """Name a holder of ports in another way from now on."""
        if container_id in self._names:
            self._names[container_id] = name

    def close(self) -> None:
        """Let go of the host's ports; the containers keep being served by the kernel."""
        self._ports.close()

    def _claim(
        self, tenant: Tenant, wish: PortWish, families: Collection[int]
    ) -> list[PublishedPort]:
        if wish.exact:
            port = _published(wish, wish.host_first)
            self._reserve(port, tenant.id, families)
            return [port]
        within = (wish.host_first, wish.host_last) if wish.host_first else ephemeral_range()
        count = wish.span.last - wish.span.first + 1
        addresses = _addresses(wish.host_address, families)
        with contextlib.suppress(NoFreePortError):
            first = self._ports.reserve_any(wish.span.protocol, addresses, within, count, tenant.id)
            return [_published(wish, first)]
        return self._one_by_one(tenant, wish, addresses, within)

    def _one_by_one(
        self, tenant: Tenant, wish: PortWish, addresses: tuple[str, ...], within: tuple[int, int]
    ) -> list[PublishedPort]:
        """Find a port for each, as there are not as many free ones in a row."""
        found: list[PublishedPort] = []
        try:
            for inside in range(wish.span.first, wish.span.last + 1):
                outside = self._ports.reserve_any(
                    wish.span.protocol, addresses, within, 1, tenant.id
                )
                found.append(PublishedPort(
                    wish.span.protocol, inside, inside, outside, outside,
                    wish.host_address, wish.sources,
                ))  # fmt: skip
        except (PortUnavailableError, NoFreePortError, OSError):
            for port in found:
                self._ports.release(tenant.id, (
                    HostInterval(port.protocol, address, port.host_first, port.host_last)
                    for address in addresses
                ))  # fmt: skip
            raise
        return found

    def _reserve(self, port: PublishedPort, owner: str, families: Collection[int]) -> None:
        done: list[HostInterval] = []
        try:
            for interval in _intervals(port, families):
                self._ports.reserve(interval, owner)
                done.append(interval)
        except (PortUnavailableError, OSError):
            self._ports.release(owner, done)
            raise

    def _give_back(
        self, owner: str, ports: Iterable[PublishedPort], families: Collection[int]
    ) -> None:
        gone = [interval for port in ports for interval in _intervals(port, families)]
        self._ports.release(owner, gone)

    def _reason(self, error: Exception) -> str:
        if isinstance(error, NoFreePortError):
            return "all ports are allocated"
        if not isinstance(error, PortUnavailableError):
            return f"cannot reserve host ports: {error}"
        where = f"{_bracketed(error.address)}:{error.port}"
        if error.holder:
            name = self._names.get(error.holder, error.holder)
            return (
                f"Bind for {where} failed: port is already allocated "
                f"(container {name} has {error.port}/{error.protocol})"
            )
        if error.error == errno.EADDRINUSE:
            return f"failed to bind host port {where}/{error.protocol}: address already in use"
        reason = os.strerror(error.error).lower()
        return f"failed to bind host port {where}/{error.protocol}: {reason}"


def _published(wish: PortWish, first: int) -> PublishedPort:
    span = wish.span
    last = first + span.last - span.first
    return PublishedPort(
        span.protocol, span.first, span.last, first, last, wish.host_address, wish.sources
    )


def _addresses(address: str, families: Collection[int]) -> tuple[str, ...]:
    """Return the addresses to bind to: those of an empty one depend on who is to be reached."""
    if address:
        return (address,)
    return tuple(ANY[family] for family in sorted(families or _IPV4))


def _intervals(port: PublishedPort, families: Collection[int]) -> tuple[HostInterval, ...]:
    return tuple(
        HostInterval(port.protocol, address, port.host_first, port.host_last)
        for address in _addresses(port.host_address, families)
    )


def _place(port: PublishedPort) -> tuple[int, str, str, int]:
    return port.container_first, port.protocol, port.host_address, port.host_first


def _bound(address: str, port: int, protocol: str) -> str:
    return f"{_bracketed(address)}:{interval_text(port, port)}/{protocol}"


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
