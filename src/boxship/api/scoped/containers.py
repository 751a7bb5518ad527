"""Containers as a scope sees them: those that carry its labels, as all do that it makes.

A label has to have been given to the container itself. One that its image brought along says who
built the image, and not whose the container is.

A name is looked up once and the id is what goes on, so that no other container can take the name
between the look and the deed.
"""

import builtins
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from dataclasses import replace

from msgspec import structs

from boxship.api.containercalls import Containers
from boxship.api.scoped.denial import Denial, HiddenError
from boxship.api.scoped.images import LimitedImages
from boxship.api.scoped.networks import LimitedNetworks
from boxship.api.scoped.volumes import LimitedVolumes
from boxship.base.errors import BoxshipError, ConflictError, ForbiddenError, NotFoundError
from boxship.engine.access.creation import check_creation, check_endpoint, check_host
from boxship.engine.access.scope import Scope
from boxship.engine.containers.logstate import LogState
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.requests import (
    AttachRequest,
    ContainerQuery,
    Counts,
    CreateContainer,
    CreatedContainer,
    ExecConfig,
    ExecView,
    HijackedStream,
    LogLine,
    LogQuery,
    PortChange,
    StepDuration,
    TopTable,
    WaitCondition,
    Waiting,
)
from boxship.engine.networks.endpoint import EndpointRecord
from boxship.model.container import HostConfig
from boxship.model.requester import NOBODY, Requester
from boxship.model.statistics import Statistics

_OTHERS = ("before", "since")
"""Filters that name other containers."""
_PS_ARGUMENTS = re.compile(
    r"-?[aAcdefFHjlLuwxy]+( -?[aAcdefFHjlLuwxy]+)*|-[aAe]* ?-?o ?pid(,[a-z%]+)*"
)
"""``ps`` lists all of the host's processes, of which the container's are picked by the column that
is headed PID. Who chooses columns that have blanks in them, or other headings, chooses which."""


class LimitedContainers(Denial):
    """See ``boxship.api.containercalls.Containers``; what is missing here is refused."""

    def __init__(
        self,
        scope: Scope,
        inner: Containers,
        *,
        images: LimitedImages,
        networks: LimitedNetworks,
        volumes: LimitedVolumes,
    ) -> None:
        super().__init__(scope)
        self._inner = inner
        self._images, self._networks, self._volumes = images, networks, volumes

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def get(self, reference: str) -> ContainerRecord:
        """Return a container of the scope's. NotFoundError: there is none, or it is another's."""
        try:
            record = self._inner.get(reference)
        except NotFoundError:
            raise
        except BoxshipError as error:  # that it is ambiguous would tell of others
            raise HiddenError(f"No such container: {reference}") from error
        if not self._scope.sees(record.given_labels):
            raise HiddenError(f"No such container: {reference}")
        return record

    def _id(self, reference: str) -> str:
        return self.get(reference).id

    def list(self, query: ContainerQuery) -> builtins.list[ContainerRecord]:
        """Return those of the scope's alone; a limit counts these."""
        for name in _OTHERS:
            for value in query.filters.get(name, ()):
                self.get(value)
        labels = (*query.filters.get("label", ()), *self._scope.label_words)
        every = query.all or query.limit > 0
        limited = replace(query, all=every, limit=0, filters={**query.filters, "label": labels})
        seen = [r for r in self._inner.list(limited) if self._scope.sees(r.given_labels)]
        return seen[: query.limit] if query.limit > 0 else seen

    def counts(self) -> Counts:
        """Count as ``info`` does."""
        states = [record.state for record in self.list(ContainerQuery(all=True))]
        paused = sum(state.paused for state in states)
        running = sum(state.running for state in states) - paused
        return Counts(running=running, paused=paused, stopped=len(states) - running - paused)

    def execs(self, reference: str) -> Sequence[str]:
        return self._inner.execs(self._id(reference))

    async def sizes(self, ids: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        seen = {record.id for record in self.list(ContainerQuery(all=True))}
        return await self._inner.sizes([each for each in ids if each in seen])

    def follow_statistics(self, reference: str) -> AsyncGenerator[Statistics, None]:
        return self._inner.follow_statistics(self._id(reference))

    async def statistics(self, reference: str, *, at_once: bool = False) -> Statistics:
        return await self._inner.statistics(self._id(reference), at_once=at_once)

    async def top(self, reference: str, ps_args: str = "-ef") -> TopTable:
        if not _PS_ARGUMENTS.fullmatch(ps_args.strip()):
            raise ForbiddenError(
                f"the scope {self._scope.name} does not allow ps {ps_args}: only options without "
                "values, or -o with names of columns of which pid is the first"
            )
        return await self._inner.top(self._id(reference), ps_args)

    def logs(self, reference: str, query: LogQuery) -> AsyncIterator[builtins.list[LogLine]]:
        self._scope.demand("containers:logs")
        return self._inner.logs(self._id(reference), query)

    def lost_log_lines(self, reference: str) -> int:
        return self._inner.lost_log_lines(self._id(reference))

    async def log_state(self, reference: str) -> LogState:
        self._scope.demand("containers:logs")
        return await self._inner.log_state(self._id(reference))

    def storage(self, reference: str) -> dict[str, str]:
        return self._inner.storage(self._id(reference))

    def port_decided_by(self, address: str) -> str:
        return self._inner.port_decided_by(address)

    def links(self, reference: str) -> tuple[str, ...]:
        return self._inner.links(self._id(reference))

    async def wait(
        self, reference: str, condition: WaitCondition = WaitCondition.NOT_RUNNING
    ) -> Waiting:
        return await self._inner.wait(self._id(reference), condition)

    # ── making and changing ──────────────────────────────────────────────────────────────────

    async def create(self, request: CreateContainer) -> CreatedContainer:
        """Make a container with the scope's labels. ForbiddenError: it would lead beyond them."""
        self._scope.demand("containers:create")
        labels = self._scope.labelled(request.config.labels)
        wishes = check_creation(self._scope, request)
        if wishes.publishes:
            self._scope.demand("containers:publish", "taking ports of the host")
        self._check_name(request.name)
        self._images.check_use(request.config.image)
        for name in wishes.networks:
            self._networks.check_use(name)
        for name in wishes.volumes:
            await self._volumes.ensure(name)
        config = structs.replace(request.config, labels=labels)
        return await self._inner.create(replace(request, config=config))

    def _check_name(self, name: str | None) -> None:
        """Say that a name is taken without saying by which container, if that is another's."""
        if not name:
            return
        try:
            record = self._inner.get(name)
        except BoxshipError:
            return
        if record.name == name and not self._scope.sees(record.given_labels):
            raise ConflictError(f"the name {name} is taken")

    async def start(
        self,
        reference: str,
        *,
        detach_keys: str | None = None,
        checkpoint: tuple[str, str] | None = None,
        by: Requester = NOBODY,
    ) -> tuple[StepDuration, ...]:
        """Start; not from a checkpoint, whose directory may be any of the host's."""
        if checkpoint is not None:
            raise ForbiddenError(f"the scope {self._scope.name} does not allow checkpoints")
        record = self._with_own_networks(reference)
        return await self._inner.start(record.id, detach_keys=detach_keys, by=by)

    def _with_own_networks(self, reference: str) -> ContainerRecord:
        """Look again at its networks: where one is gone, the next of that name is taken."""
        record = self.get(reference)
        for endpoint in record.endpoints:
            if not self._networks.is_there(endpoint.network_id):
                self._networks.check_use(endpoint.network)
        return record

    async def stop(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109 - of the container, not of the call
        by: Requester = NOBODY,
    ) -> None:
        await self._inner.stop(self._id(reference), signal=signal, timeout=timeout, by=by)

    async def kill(
        self, reference: str, signal: str = "SIGKILL", *, by: Requester = NOBODY
    ) -> None:
        await self._inner.kill(self._id(reference), signal, by=by)

    async def restart(
        self,
        reference: str,
        *,
        signal: str | None = None,
        timeout: int | None = None,  # noqa: ASYNC109
        by: Requester = NOBODY,
    ) -> None:
        record = self._with_own_networks(reference)
        await self._inner.restart(record.id, signal=signal, timeout=timeout, by=by)

    async def pause(self, reference: str, *, by: Requester = NOBODY) -> None:
        await self._inner.pause(self._id(reference), by=by)

    async def unpause(self, reference: str, *, by: Requester = NOBODY) -> None:
        await self._inner.unpause(self._id(reference), by=by)

    async def update(
        self, reference: str, wanted: HostConfig, change: PortChange | None = None
    ) -> tuple[str, ...]:
        check_host(self._scope, wanted)
        if change:
            self._scope.demand("containers:publish", "taking ports of the host")
        return await self._inner.update(self._id(reference), wanted, change)

    async def rename(self, reference: str, new_name: str) -> None:
        self._check_name(new_name)
        await self._inner.rename(self._id(reference), new_name)

    async def connect(self, reference: str, wish: EndpointRecord) -> None:
        check_endpoint(self._scope, wish)
        network = self._networks.record(wish.network)
        await self._inner.connect(self._id(reference), structs.replace(wish, network=network.id))

    async def disconnect(self, reference: str, network: str) -> None:
        await self._inner.disconnect(self._id(reference), self._networks.record(network).id)

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        volumes: bool = False,
        link: bool = False,
        by: Requester = NOBODY,
    ) -> None:
        """Remove; a link belongs to two, so that it isn't one's to take away."""
        if link:
            raise ForbiddenError(f"the scope {self._scope.name} does not allow removing links")
        await self._inner.remove(self._id(reference), force=force, volumes=volumes, by=by)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    async def attach(self, reference: str, request: AttachRequest, stream: HijackedStream) -> None:
        await self._inner.attach(self._id(reference), request, stream)

    async def resize(self, reference: str, height: int, width: int) -> None:
        await self._inner.resize(self._id(reference), height, width)

    async def exec_create(self, reference: str, config: ExecConfig) -> str:
        """Make an exec, with no more rights than the container has."""
        if config.privileged:
            raise ForbiddenError(f"the scope {self._scope.name} does not allow privileged execs")
        return await self._inner.exec_create(self._id(reference), config)

    async def exec_start(
        self,
        exec_id: str,
        *,
        detach: bool = False,
        tty: bool = False,
        console_size: tuple[int, int] | None = None,
        stream: HijackedStream | None = None,
    ) -> None:
        await self._inner.exec_start(
            self.exec_inspect(exec_id).id,
            detach=detach,
            tty=tty,
            console_size=console_size,
            stream=stream,
        )

    def exec_inspect(self, exec_id: str) -> ExecView:
        """Return an exec of one of the scope's containers."""
        view = self._inner.exec_inspect(exec_id)
        try:
            self.get(view.container_id)
        except NotFoundError:
            raise HiddenError(f"No such exec instance: {exec_id}") from None
        return view

    async def exec_resize(self, exec_id: str, height: int, width: int) -> None:
        await self._inner.exec_resize(self.exec_inspect(exec_id).id, height, width)
