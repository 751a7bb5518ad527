"""``moby.buildkit.v1.frontend.LLBBridge``: a client drives a build that its Solve has begun.

What clients do here is ask for the Dockerfile frontend's result and return it. It is kept under a
name until then: nothing is built before the client has returned it, except if it wants to know how
it went (``evaluate``). Of a graph of the client's own making nothing is known but the names given
here (``results.py``).
"""

from typing import TYPE_CHECKING

from boxship.api.buildkit import results
from boxship.api.buildkit.solving import Solving
from boxship.api.buildkit.wishes import FRONTEND, Wishes
from boxship.api.buildkit.workers import FRONTEND_CAPS, LLB_CAPS
from boxship.api.grpc.server import ServerCall, Service, unary
from boxship.base.errors import InvalidArgumentError
from boxship.wire.buildkit import gateway, methods
from boxship.wire.buildkit.session import BUILD_ID
from boxship.wire.buildkit.wellknown import Empty

if TYPE_CHECKING:
    from boxship.api.buildkit.door import Door

_WITHIN = 3.0
"""Seconds for the Solve to come that a call belongs to."""


class Gateway:
    """The service, on behalf of one door."""

    def __init__(self, door: "Door") -> None:
        self._door = door

    @property
    def services(self) -> tuple[Service, ...]:
        return (
            unary(methods.GATEWAY_PING, self._ping),
            unary(methods.GATEWAY_SOLVE, self._solve),
            unary(methods.GATEWAY_RETURN, self._return),
            unary(methods.GATEWAY_INPUTS, self._inputs),
            unary(methods.GATEWAY_EVALUATE, self._evaluate),
        )

    async def _solving(self, call: ServerCall) -> Solving:
        return await self._door.solvings.get(call.metadata.first(BUILD_ID), _WITHIN)

    async def _ping(self, _: gateway.PingRequest, call: ServerCall) -> gateway.PongResponse:
        await self._solving(call)
        return gateway.PongResponse(FRONTEND_CAPS, LLB_CAPS, (self._door.worker,))

    async def _solve(
        self, request: gateway.SolveRequest, call: ServerCall
    ) -> gateway.SolveResponse:
        solving = await self._solving(call)
        if not request.frontend:
            name = results.named(request.definition)
            return _response(request, name)
        if request.frontend != FRONTEND:
            raise InvalidArgumentError(f"unsupported frontend: {request.frontend}")
        wishes = Wishes(request.frontend_opt, results.names(request.frontend_inputs))
        if "requestid" in request.frontend_opt:
            metadata = await self._door.subrequest(solving, wishes)
            return gateway.SolveResponse(result=gateway.Result(metadata=metadata))
        name = solving.keep(wishes)
        if request.evaluate:
            await self._door.evaluate(solving, name)
        return _response(request, name)

    async def _return(self, request: gateway.ReturnRequest, call: ServerCall) -> Empty:
        (await self._solving(call)).give_back(request)
        return Empty()

    async def _inputs(self, _: gateway.InputsRequest, call: ServerCall) -> gateway.InputsResponse:
        return gateway.InputsResponse((await self._solving(call)).message.frontend_inputs)

    async def _evaluate(self, request: gateway.EvaluateRequest, call: ServerCall) -> Empty:
        solving = await self._solving(call)
        if request.ref not in solving.results:
            raise InvalidArgumentError(f"no such result: {request.ref}")
        await self._door.evaluate(solving, request.ref)
        return Empty()


def _response(request: gateway.SolveRequest, name: str) -> gateway.SolveResponse:
    if not request.allow_result_return:
        return gateway.SolveResponse(ref=name)
    if not request.allow_result_array_ref:
        return gateway.SolveResponse(result=gateway.Result(ref_deprecated=name))
    return gateway.SolveResponse(
        result=gateway.Result(ref=gateway.Ref(name, results.definition(name)))
    )
