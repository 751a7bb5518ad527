"""``moby.buildkit.v1.Control``: building, watching builds, the cache, the history."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from boxship.api.buildkit.history import Telling
from boxship.api.buildkit.progress import portions, status_of, told
from boxship.api.buildkit.usage import prune_request, usage_record
from boxship.api.buildkit.workers import VERSION
from boxship.api.grpc.server import ServerCall, Service, streaming, unary
from boxship.base.errors import NotImplementedYetError
from boxship.wire.buildkit import control, history, methods
from boxship.wire.buildkit.wellknown import Empty

if TYPE_CHECKING:
    from boxship.api.buildkit.door import Door


class Control:
    """The service, on behalf of one door."""

    def __init__(self, door: "Door") -> None:
        self._door = door

    @property
    def services(self) -> tuple[Service, ...]:
        return (
            (methods.SOLVE.path, self._solve),
            streaming(methods.STATUS, self._status),
            unary(methods.DISK_USAGE, self._disk_usage),
            streaming(methods.PRUNE, self._prune),
            unary(methods.LIST_WORKERS, self._list_workers),
            unary(methods.INFO, self._info),
            streaming(methods.LISTEN_BUILD_HISTORY, self._listen_history),
            unary(methods.UPDATE_BUILD_HISTORY, self._update_history),
        )

    async def _solve(self, call: ServerCall) -> None:
        message = await call.receive_as(control.SolveRequest)
        await self._door.solve(message, call)

    async def _status(
        self, request: control.StatusRequest, _call: ServerCall
    ) -> AsyncIterator[control.StatusResponse]:
        if not self._door.solvings.knows(request.ref) and await self._is_over(request.ref):
            for some in portions(await self._door.builder.told(request.ref)):
                yield status_of(some)
            return
        solving = await self._door.solvings.get(request.ref)
        async for news in solving.follow():
            status = status_of(news)
            if told(status):
                yield status

    async def _is_over(self, reference: str) -> bool:
        records = await self._door.builder.history()
        return any(each.reference == reference and each.completed_ns for each in records)

    async def _disk_usage(
        self, _request: control.DiskUsageRequest, _call: ServerCall
    ) -> control.DiskUsageResponse:
        entries = await self._door.builder.usage()
        return control.DiskUsageResponse(tuple(usage_record(entry) for entry in entries))

    async def _prune(
        self, request: control.PruneRequest, _call: ServerCall
    ) -> AsyncIterator[control.UsageRecord]:
        pruned = await self._door.builder.prune(prune_request(request))
        for entry in pruned.entries:
            yield usage_record(entry)

    async def _list_workers(
        self, _request: control.ListWorkersRequest, _call: ServerCall
    ) -> control.ListWorkersResponse:
        return control.ListWorkersResponse((self._door.worker,))

    async def _info(self, _request: control.InfoRequest, _call: ServerCall) -> control.InfoResponse:
        return control.InfoResponse(VERSION)

    async def _listen_history(
        self, request: history.BuildHistoryRequest, _call: ServerCall
    ) -> AsyncIterator[history.BuildHistoryEvent]:
        telling = Telling(request)
        while True:
            turn = self._door.solvings.turn  # before the look, so that nothing falls between
            for event in telling.news(await self._door.builder.history()):
                yield event
            if request.early_exit:
                return
            await asyncio.shield(turn)

    async def _update_history(
        self, request: history.UpdateBuildHistoryRequest, _call: ServerCall
    ) -> Empty:
        if request.pinned:
            raise NotImplementedYetError("builds can't be pinned: the latest fifty are kept")
        if request.delete:
            await self._door.builder.forget(request.ref)
        return Empty()
