"""Questions to the frontend, in place of a build: by BuildKit's gateway.

::

    Control.Solve (no frontend)  ──►  the builder waits for somebody to drive it
    LLBBridge.Ping               ──►
    LLBBridge.Solve requestid=…  ──►  ◄── metadata: result.txt, result.json
    LLBBridge.Return             ──►  and the first call ends
"""

from collections.abc import Mapping
from typing import TypeVar

from boxship.client.buildkit.builder import Builder, Solving, failed
from boxship.wire.buildkit import control, gateway, methods
from boxship.wire.buildkit.methods import Method
from boxship.wire.buildkit.session import BUILD_ID
from boxship.wire.buildkit.wellknown import RpcStatus
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import Message, decode, encode

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)

_ROUNDS = 50
"""Pings until the builder knows of the build, which it hears of by another call."""


class Question:
    """A build that somebody drives from here."""

    def __init__(self, builder: Builder, ref: str, session: str) -> None:
        self._link = builder.link
        self._metadata = {BUILD_ID: (ref,)}
        self._solving: Solving = builder.solve(control.SolveRequest(ref=ref, session=session))

    def ask(self, frontend: str, attributes: Mapping[str, str]) -> dict[str, bytes]:
        """Return the metadata of the frontend's result. BuildFailedError if it has none."""
        self._reach()
        question = gateway.SolveRequest(
            frontend=frontend,
            frontend_opt=dict(attributes),
            allow_result_return=True,
            allow_result_array_ref=True,
        )
        try:
            answer = self._call(methods.GATEWAY_SOLVE, question)
        except GrpcError as error:
            self._give_up(error)
            raise
        self._call(methods.GATEWAY_RETURN, gateway.ReturnRequest(result=gateway.Result()))
        result = decode(answer, gateway.SolveResponse).result
        return {} if result is None else dict(result.metadata)

    def close(self) -> None:
        self._solving.cancel()

    def _reach(self) -> None:
        for _ in range(_ROUNDS):
            try:
                self._call(methods.GATEWAY_PING, gateway.PingRequest())
            except GrpcError as error:
                if error.code not in (Code.NOT_FOUND, Code.UNKNOWN, Code.UNAVAILABLE):
                    raise
            else:
                return

    def _give_up(self, error: GrpcError) -> None:
        status = RpcStatus(code=error.code, message=str(error))
        self._call(methods.GATEWAY_RETURN, gateway.ReturnRequest(error=status))

    def _call(self, method: "Method[Q, A]", message: Q) -> bytes:
        return self._link.call(method.path, encode(message), self._metadata).result()


def ask(
    builder: Builder, ref: str, session: str, frontend: str, attributes: Mapping[str, str]
) -> dict[str, bytes]:
    """Ask one question. BuildFailedError: the frontend did not answer it."""
    question = Question(builder, ref, session)
    try:
        return question.ask(frontend, attributes)
    except GrpcError as error:
        raise failed(error) from error
    finally:
        question.close()
