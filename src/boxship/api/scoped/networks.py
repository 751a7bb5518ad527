"""Networks as a scope sees them: those that carry its labels."""

import builtins
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from boxship.api.backend import Networks
from boxship.api.scoped.denial import Denial, HiddenError
from boxship.base.errors import BoxshipError, ConflictError, ForbiddenError, NotFoundError
from boxship.engine.access.scope import Scope
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    NetworkDetail,
    NetworkQuery,
)
from boxship.model.statistics import InterfaceStatistics

_DRIVERS = ("", "bridge")
_ID = re.compile(r"[0-9a-f]{64}")
"""Whatever takes a name takes an id first."""


class LimitedNetworks(Denial):
    """See ``boxship.api.backend.Networks``; what is missing here is refused."""

    def __init__(
        self, scope: Scope, inner: Networks, users: Callable[[str], Sequence[str]]
    ) -> None:
        """``users`` names the containers that are to be on a network, whether they run or not."""
        super().__init__(scope)
        self._inner, self._users = inner, users

    def list(self, query: NetworkQuery) -> builtins.list[NetworkRecord]:
        return [record for record in self._inner.list(query) if self._scope.sees(record.labels)]

    def inspect(self, reference: str) -> NetworkDetail:
        """Return a network of the scope's. NotFoundError: there is none, or it is another's."""
        try:
            detail = self._inner.inspect(reference)
        except NotFoundError:
            raise
        except BoxshipError as error:
            raise HiddenError(f"network {reference} not found") from error
        if not self._scope.sees(detail.record.labels):
            raise HiddenError(f"network {reference} not found")
        return detail

    def record(self, reference: str) -> NetworkRecord:
        """Return the record of a network of the scope's; likewise."""
        return self.inspect(reference).record

    def is_there(self, network_id: str) -> bool:
        """Tell whether there is a network of that id, whosever it is."""
        try:
            self._inner.inspect(network_id)
        except BoxshipError:
            return False
        return bool(network_id)

    def check_use(self, reference: str) -> None:
        """Raise ForbiddenError unless containers may be put on a network.

        Not "not found": Docker's client takes that for the image, and pulls it.
        """
        try:
            self.inspect(reference)
        except NotFoundError as error:
            raise ForbiddenError(
                f"the scope {self._scope.name} has no network {reference}"
            ) from error

    async def traffic(self, reference: str) -> Mapping[str, InterfaceStatistics]:
        return await self._inner.traffic(self.record(reference).id)

    async def create(self, request: CreateNetwork) -> CreatedNetwork:
        """Make a bridge of its own with a subnet of the daemon's choice, and the scope's labels.

        A driver's options name the host's interfaces, and a subnet can be one that the host needs.
        """
        self._scope.demand("networks:create")
        if _ID.fullmatch(request.name):
            raise ForbiddenError(
                f"the scope {self._scope.name} does not allow networks with names like ids: one "
                "could be taken for another network"
            )
        wanted = CreateNetwork(
            name=request.name,
            internal=request.internal,
            enable_ipv4=request.enable_ipv4,
            enable_ipv6=request.enable_ipv6,
            labels=self._scope.labelled(request.labels),
            attachable=request.attachable,
        )
        given = replace(
            request,
            driver="" if request.driver in _DRIVERS else request.driver,
            ipam_driver="" if request.ipam_driver == "default" else request.ipam_driver,
            ipam_options=request.ipam_options or None,
            scope="" if request.scope == "local" else request.scope,
            labels=wanted.labels,
        )
        if given != wanted:
            raise ForbiddenError(
                f"the scope {self._scope.name} does not allow networks with a driver, options or "
                "addresses of their own: it would lead beyond them"
            )
        return await self._inner.create(wanted)

    async def remove(self, reference: str) -> None:
        """Remove a network that no container is to be on.

        A container that is started without it takes the next network of that name, whosever it is.
        """
        record = self.record(reference)
        if users := self._users(record.id):
            raise ConflictError(
                f"network {record.name} is that of {', '.join(users)}: remove or disconnect these"
            )
        await self._inner.remove(record.id)
