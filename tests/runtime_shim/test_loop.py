"""The loop and its connections, above all with callbacks that fail."""

import os
import socket
import time
from collections.abc import Iterator
from select import EPOLLIN

import pytest

from boxship.runtime import messages as m
from boxship.runtime.control_codec import encode
from boxship.runtime.shim.control import Connection
from boxship.runtime.shim.loop import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    made.open()
    made.call_later(10.0, made.stop)
    yield made
    made._epoll.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for fd in ends:
        os.close(fd)


def test_a_callback_that_fails_is_told_and_does_not_end_the_loop(loop, pipe, capfd):
    calls: list[float] = []

    def fail(_events: int) -> None:
        calls.append(time.monotonic())
        if len(calls) == 2:
            loop.stop()
        raise AssertionError("a defect")

    os.write(pipe[1], b"x")
    loop.watch(pipe[0], EPOLLIN, fail)
    loop.run()
    assert len(calls) == 2
    assert calls[1] - calls[0] > 0.5, "it spins"
    assert capfd.readouterr().err.count("AssertionError: a defect") == 2


def test_a_timer_that_fails_does_not_end_the_loop(loop, capfd):
    def fail() -> None:
        raise AssertionError("a defect")

    loop.call_later(0, fail)
    loop.call_later(0.01, loop.stop)
    loop.run()
    assert "a defect" in capfd.readouterr().err


def test_who_rests_is_looked_at_again_unless_forgotten(loop, pipe):
    calls = []
    begin = time.monotonic()
    os.write(pipe[1], b"x")
    loop.watch(pipe[0], EPOLLIN, lambda _: calls.append("rested") or loop.stop())
    loop.rest(pipe[0], 0.05)
    loop.run()
    assert calls == ["rested"]
    assert time.monotonic() - begin >= 0.05
    loop.rest(pipe[0], 0.01)
    loop.forget(pipe[0])
    loop._running = True
    loop.call_later(0.05, loop.stop)
    loop.run()
    assert calls == ["rested"]


def test_a_request_that_meets_a_defect_costs_its_connection_only(loop, capfd):
    def fail(_connection: Connection, _raw: object) -> None:
        raise AssertionError("a defect")

    ours, theirs = socket.socketpair()
    Connection(
        socket.socket(fileno=theirs.detach()),
        loop=loop,
        on_request=fail,
        on_closed=lambda _: loop.stop(),
    )
    ours.send(encode(m.StateQuery(), seq=1))
    loop.run()
    assert ours.recv(1) == b""
    ours.close()
    assert "a defect" in capfd.readouterr().err
