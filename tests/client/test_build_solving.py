"""A build that goes on, as the client hears of it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from boxship.client.buildkit.builder import Builder, BuildFailedError
from boxship.client.buildkit.link import Call, Link
from boxship.client.engine import HijackedStream
from boxship.client.http import ResponseHead
from boxship.client.transport import PlainConnection
from boxship.wire.buildkit import control, failure, methods, solver
from boxship.wire.grpc.status import Code, GrpcError
from boxship.wire.protobuf import encode


@contextmanager
def built_by(services: dict[str, Callable[[Call], None]]) -> Iterator[Builder]:
    """A builder that answers with these."""
    ours, theirs = socket.socketpair()
    head = ResponseHead(101, ())
    server = HijackedStream(PlainConnection(theirs), head, b"")
    client = HijackedStream(PlainConnection(ours), head, b"")
    with (
        Link(server, serve=lambda call: services[call.path](call)),
        Builder(Link(client)) as builder,
    ):
        yield builder


def vertex(name: str) -> bytes:
    return encode(control.StatusResponse(vertices=(control.Vertex(digest=name, name=name),)))


def test_the_screen_is_drawn_while_much_is_told() -> None:
    drawn = threading.Event()

    def status(call: Call) -> None:
        while not drawn.is_set():
            call.send(vertex("busy"))

    def solve(call: Call) -> None:
        call.send(encode(control.SolveResponse(exporter_response={"k": "v"})))

    with built_by({methods.STATUS.path: status, methods.SOLVE.path: solve}) as builder:
        solving = builder.solve(control.SolveRequest(ref="r"))
        count = sum(len(update.vertices) for update in solving.updates(drawn.set))
        assert solving.response() == {"k": "v"}
    assert count > 0
    assert drawn.is_set()


def test_the_screen_is_drawn_while_nothing_is_told() -> None:
    drawn = threading.Event()
    services = {
        methods.STATUS.path: lambda call: drawn.wait(10) and None,
        methods.SOLVE.path: lambda call: call.send(encode(control.SolveResponse())),
    }
    with built_by(services) as builder:
        assert list(builder.solve(control.SolveRequest()).updates(drawn.set)) == []
    assert drawn.is_set()


def test_a_failure_names_its_place() -> None:
    info = solver.SourceInfo(filename="Dockerfile", data=b"FROM x\nRUN false\n")
    place = solver.Range(solver.Position(2, 0), solver.Position(2, 9))
    details = failure.encode_failure(
        int(Code.UNKNOWN), "exit code: 1", (failure.FailurePlace(info, (place,)),)
    )

    def solve(call: Call) -> None:
        raise GrpcError(Code.UNKNOWN, "exit code: 1", details)

    services = {methods.STATUS.path: lambda call: None, methods.SOLVE.path: solve}
    with built_by(services) as builder:
        solving = builder.solve(control.SolveRequest())
        assert list(solving.updates(lambda: None)) == []
        with pytest.raises(BuildFailedError, match="exit code: 1") as caught:
            solving.response()
    (source,) = caught.value.places
    assert (source.filename, source.spans[0].start.line) == ("Dockerfile", 2)


def test_a_builder_that_stops_telling_is_heard_of() -> None:
    def status(call: Call) -> None:
        call.send(vertex("one"))
        raise GrpcError(Code.RESOURCE_EXHAUSTED, "message larger than max")

    def solve(call: Call) -> None:
        call.send(encode(control.SolveResponse(exporter_response={"k": "v"})))

    with built_by({methods.STATUS.path: status, methods.SOLVE.path: solve}) as builder:
        solving = builder.solve(control.SolveRequest())
        assert len(list(solving.updates(lambda: None))) == 1
        assert solving.response() == {"k": "v"}
    assert solving.unheard == "message larger than max"


def test_a_builder_without_a_history_says_so() -> None:
    def unknown(call: Call) -> None:
        raise GrpcError(Code.UNIMPLEMENTED, "unknown method")

    with (
        built_by({methods.LISTEN_BUILD_HISTORY.path: unknown}) as builder,
        pytest.raises(Exception, match="keeps no history"),
    ):
        builder.records()
