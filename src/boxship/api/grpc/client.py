"""A gRPC client on one connection: the daemon calls what a client of BuildKit serves."""

from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from boxship.api.grpc.driver import Call, Driver
from boxship.wire.buildkit.methods import Method
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import Message, encode

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)
_NOTHING: Mapping[str, Iterable[str]] = {}


class ClientCall(Call):
    """A call of ours. Leaving the ``async with`` before its end gives it up."""

    async def __aenter__(self) -> "ClientCall":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cancel()

    def cancel(self) -> None:
        """Give it up; nothing happens if it is over."""
        if not self.over:
            self.over = True
            self.driver.calls.pop(self.stream, None)
            self.driver.connection.cancel(self.stream)
            self.driver.flush_soon()

    def half_close(self) -> None:
        """Say that no further message follows."""
        self.driver.connection.half_close(self.stream)
        self.driver.flush_soon()

    async def end(self) -> None:
        """Say so, and wait for the call's end. GrpcError: it ended badly."""
        self.half_close()
        while await self.batch():
            pass


class Client(Driver):
    """Makes calls on one connection. GrpcError UNAVAILABLE once the peer is gone."""

    def __init__(self, on_close: Callable[[], None] = lambda: None) -> None:
        super().__init__(client=True)
        self._on_close = on_close

    def call(
        self, method: Method[Q, A], metadata: Mapping[str, Iterable[str]] = _NOTHING
    ) -> ClientCall:
        """Begin a call."""
        stream = self.connection.open(method.path, metadata)
        call = ClientCall(self, stream)
        self.calls[stream] = call
        self.flush_soon()
        return call

    async def ask(
        self, method: Method[Q, A], request: Q, metadata: Mapping[str, Iterable[str]] = _NOTHING
    ) -> A:
        """Make a call of one request and one answer."""
        async with self.call(method, metadata) as call:
            await call.send(encode(request))
            call.half_close()
            answer = await call.receive_as(method.answer)
            if await call.receive() is not None:
                raise GrpcError(Code.INTERNAL, f"{method.path} has answered twice")
            return answer

    def closed(self) -> None:
        self._on_close()
