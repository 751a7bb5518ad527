"""A gRPC server on one connection: a table of methods, a task for each call.

::

    services = [unary(INFO, info), streaming(STATUS, status), raw(SESSION, session)]
    await upgrade(call, Server(services, ending))

A method's function gets the request and the call (for metadata). What it raises becomes the call's
status by ``ending``, which the server is made with: it knows what the errors mean.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from boxship.api.grpc.driver import Call, Driver
from boxship.wire.buildkit.methods import Method
from boxship.wire.grpc.events import CallStarted
from boxship.wire.grpc.metadata import Metadata
from boxship.wire.grpc.status import OK, Code, GrpcError, Status
from boxship.wire.protobuf import Message, encode

log = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ends: its status, and more trailers."""

    status: Status = OK
    trailers: Mapping[str, Iterable[str]] = field(default_factory=dict)


class CallFailedError(Exception):
    """Raised by what serves a call: the call ends just like this."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.status.message)
        self.ending = ending


class ServerCall(Call):
    """A call that a client has made."""

    def __init__(self, driver: Driver, event: CallStarted) -> None:
        super().__init__(driver, event.stream)
        self.path = event.path
        self.metadata: Metadata = event.metadata


Serve = Callable[[ServerCall], Awaitable[None]]
Service = tuple[str, Serve]
"""Path of a method, and what serves a call of it."""


def unary(method: Method[Q, A], answer: Callable[[Q, ServerCall], Awaitable[A]]) -> Service:
    """Serve a method of one request and one answer."""

    async def serve(call: ServerCall) -> None:
        request = await call.receive_as(method.request)
        await call.send(encode(await answer(request, call)))

    return method.path, serve


def streaming(
    method: Method[Q, A], answers: Callable[[Q, ServerCall], AsyncIterator[A]]
) -> Service:
    """Serve a method of one request and a stream of answers."""

    async def serve(call: ServerCall) -> None:
        request = await call.receive_as(method.request)
        async for answer in answers(request, call):
            await call.send(encode(answer))

    return method.path, serve


class Server(Driver):
    """Answers the calls of one connection."""

    def __init__(
        self,
        services: Iterable[Service],
        ending: Callable[[Exception], Ending],
        on_close: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(client=False)
        self._services = dict(services)
        self._ending = ending
        self._on_close = on_close
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def started(self, event: CallStarted) -> None:
        call = ServerCall(self, event)
        self.calls[call.stream] = call
        task = self._loop.create_task(self._serve(call))
        self._tasks[call.stream] = task
        task.add_done_callback(lambda _: self._tasks.pop(call.stream, None))

    def cancelled(self, call: Call) -> None:
        task = self._tasks.get(call.stream)
        if task is not None:
            task.cancel()

    def closed(self) -> None:
        self._on_close()

    async def _serve(self, call: ServerCall) -> None:
        ending = Ending()
        try:
            serve = self._services.get(call.path)
            if serve is None:
                ending = Ending(Status(Code.UNIMPLEMENTED, f"unknown method {call.path}"))
            else:
                await serve(call)
        except CallFailedError as error:
            ending = error.ending
        except GrpcError as error:
            ending = Ending(error.status)
        except asyncio.CancelledError:
            ending = Ending(Status(Code.CANCELLED, "the call was cancelled"))
        except Exception as error:  # noqa: BLE001 - the client gets it as the call's status
            ending = self._ending(error)
        self.calls.pop(call.stream, None)
        self.connection.finish(call.stream, ending.status, ending.trailers)
        self.flush_soon()
