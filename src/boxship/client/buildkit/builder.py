"""A builder over ``POST /grpc``: builds, their progress, the cache, builds of before.

::

    with Builder.connect(engine) as builder, Session(engine, services) as session:
        solving = builder.solve(request)          begins
        for update in solving.updates(tick): …    until it ends
        solving.response()                        how it ended
"""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Self, TypeVar

from boxship.base.closing import Closing
from boxship.base.errors import (
    BoxshipError,
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
)
from boxship.client.buildkit.link import Call, Link
from boxship.client.buildkit.progress import Source, Update
from boxship.client.buildkit.reading import source_of, update_of
from boxship.client.engine import EngineClient
from boxship.wire.buildkit import control, failure, history, methods
from boxship.wire.buildkit.methods import Method
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import Message, decode, encode

_TICK = 0.15  # seconds
KEPT_IMAGE = "boxship-kept-image"
"""Trailer of a failed Solve: the image of what a failed step left."""

Q = TypeVar("Q", bound=Message)
A = TypeVar("A", bound=Message)


class BuildFailedError(BoxshipError):
    """The build ended otherwise than wished. ``places`` are where in the Dockerfile."""

    def __init__(
        self, message: str, code: Code, places: tuple[Source, ...] = (), kept_image: str = ""
    ) -> None:
        super().__init__(message)
        self.code = code
        self.places = places
        self.kept_image = kept_image


class Solving:
    """A build that was begun."""

    def __init__(self, solve: Call, status: Call) -> None:
        self._solve = solve
        self._status = status
        self.unheard = ""
        """Why not all was heard that the builder had to tell, if it wasn't."""

    def updates(self, tick: Callable[[], None]) -> Iterator[Update]:
        """Yield what the builder tells, until the build ends.

        ``tick`` is called now and then, whether much is told or nothing.
        """
        due = time.monotonic() + _TICK
        while True:
            if time.monotonic() >= due:
                tick()
                due = time.monotonic() + _TICK
            try:
                message = self._status.receive(max(0.0, due - time.monotonic()))
            except TimeoutError:
                continue
            except GrpcError as error:
                self.unheard = str(failed(error))  # the build may well go on
                return
            if message is None:
                return
            yield update_of(decode(message, control.StatusResponse))

    def response(self) -> dict[str, str]:
        """Wait for the end. BuildFailedError if it is not a good one."""
        try:
            answer = decode(self._solve.result(), control.SolveResponse)
        except GrpcError as error:
            raise failed(error, self._solve) from error
        return dict(answer.exporter_response)

    def cancel(self) -> None:
        self._solve.cancel()
        self._status.cancel()


class Builder(Closing):
    """The engine's BuildKit."""

    def __init__(self, link: Link) -> None:
        self._link = link

    @classmethod
    def connect(cls, client: EngineClient) -> Self:
        """NotImplementedYetError: the engine has no BuildKit."""
        try:
            stream = client.hijack("POST", "/grpc", protocol="h2c")
        except (NotFoundError, InvalidArgumentError, NotImplementedYetError) as error:
            raise NotImplementedYetError("the engine has no BuildKit") from error
        return cls(Link(stream))

    def close(self) -> None:
        self._link.close()

    @property
    def link(self) -> Link:
        return self._link

    def solve(self, request: control.SolveRequest) -> Solving:
        """Begin a build, and the telling of it. BuildFailedError: the builder has gone."""
        try:
            solve = self._link.call(methods.SOLVE.path, encode(request))
            status = self._link.call(
                methods.STATUS.path, encode(control.StatusRequest(ref=request.ref))
            )
        except GrpcError as error:
            raise failed(error) from error
        return Solving(solve, status)

    def ask(self, method: Method[Q, A], question: Q) -> A:
        """A question with one answer."""
        try:
            return decode(self._link.call(method.path, encode(question)).result(), method.answer)
        except GrpcError as error:
            raise failed(error) from error

    def listen(self, method: Method[Q, A], question: Q) -> Iterator[A]:
        """A question with many answers."""
        try:
            call = self._link.call(method.path, encode(question))
        except GrpcError as error:
            raise failed(error) from error
        try:
            while (message := call.receive()) is not None:
                yield decode(message, method.answer)
        except GrpcError as error:
            raise failed(error, call) from error
        finally:
            call.cancel()

    def log_of(self, ref: str) -> Iterator[Update]:
        """What was told of a build of before, or is told of one that runs."""
        question = control.StatusRequest(ref=ref)
        return (update_of(each) for each in self.listen(methods.STATUS, question))

    def records(self, *, ref: str = "") -> list[history.BuildHistoryRecord]:
        """Builds of before and those that run, the newest first."""
        question = history.BuildHistoryRequest(ref=ref, early_exit=True)
        found: dict[str, history.BuildHistoryRecord] = {}
        try:
            for event in self.listen(methods.LISTEN_BUILD_HISTORY, question):
                if event.record is not None and event.type != history.EventType.DELETED:
                    found[event.record.ref] = event.record
        except BuildFailedError as error:
            if error.code is not Code.UNIMPLEMENTED:
                raise
            raise NotImplementedYetError("the builder of this engine keeps no history") from error
        return sorted(found.values(), key=_created, reverse=True)


def _created(record: history.BuildHistoryRecord) -> int:
    return record.created_at.ns if record.created_at is not None else 0


def new_ref() -> str:
    """A name for a build, as BuildKit's clients make them."""
    alphabet = "0123456789abcdefghijklmnopqrstuvwxyz"
    return "".join(secrets.choice(alphabet) for _ in range(25))


def failed(error: GrpcError, call: Call | None = None) -> BuildFailedError:
    """Return the error with what its status says of places."""
    status = error.status
    places = failure.decode_failure(status.details) if status.details else ()
    return BuildFailedError(
        status.message or status.code.name.lower().replace("_", " "),
        status.code,
        tuple(source_of(place.info, place.ranges) for place in places),
        call.trailers.first(KEPT_IMAGE) if call is not None else "",
    )
