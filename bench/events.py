"""Events to many listeners: 5,000 of them to 20, and one more that never reads.

An event is the making of an exec, which is the cheapest thing that tells of itself: what is
measured is mostly how events reach those who listen. Every listener has to get every one of them.
"""

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from statistics import median

from bench.rows import Engines, Goal, Row
from support.engine import Engine

LISTENERS = 20
EVENTS = 5_000
_ROUNDS = 5  # more than a listener that doesn't read may be behind
_ASKERS = 2
_AT_ONCE = 20
_PATIENCE = 60
_BODY = b'{"Cmd":["true"]}'
_REQUEST = (
    b"POST /v1.41/containers/events/exec HTTP/1.1\r\nHost: engine\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(_BODY), _BODY)
)


def events(engines: Mapping[Engines, Engine]) -> Iterator[Row]:
    """One engine after the other; the listener that never reads is Boxship's alone.

    dockerd waits for such a one, a tenth of a second with each event.
    """
    figures = {}
    for name, engine in engines.items():
        engine.api.start(engine.api.create("events", Cmd=["sleep", "100000"]))
        with ExitStack() as stack:
            stuck = stack.enter_context(_listen(engine)) if name is Engines.BOXSHIP else None
            listeners = [stack.enter_context(_listen(engine)) for _ in range(LISTENERS)]
            figures[name] = median(_round(engine, listeners) for _ in range(_ROUNDS)) * 1000
            if stuck is not None:
                _assert_cut_off(stuck)
        engine.api.remove("events")
    title = f"{EVENTS:,} events to {LISTENERS} listeners, each gets each"
    yield Row(title, "ms", figures, Goal(1000, of_dockerd=False))


def _listen(engine: Engine) -> socket.socket:
    stream = socket.socket(socket.AF_UNIX)
    stream.settimeout(_PATIENCE)
    stream.connect(str(engine.socket))
    stream.sendall(b"GET /v1.41/events HTTP/1.0\r\nHost: engine\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.recv(1)
    return stream


def _round(engine: Engine, listeners: list[socket.socket]) -> float:
    """Return the seconds from the first request to the last listener's last event."""
    processes = multiprocessing.get_context("fork")
    asked = [str(engine.socket), EVENTS // _ASKERS]
    askers = [processes.Process(target=_ask, args=asked) for _ in range(_ASKERS)]
    begin = time.perf_counter()
    for asker in askers:
        asker.start()
    told = _read(listeners)
    took = time.perf_counter() - begin
    for asker in askers:
        asker.join()
    one = sorted(told.pop())  # dockerd has no order among events of the same moment
    assert all(sorted(other) == one for other in told), "listeners were told different things"
    return took


def _read(listeners: list[socket.socket]) -> list[list[bytes]]:
    """Read a round's events from all of them; return the lines that each was told."""
    missing = dict.fromkeys(listeners, EVENTS)
    told = {stream: bytearray() for stream in listeners}
    with selectors.DefaultSelector() as selector:
        for stream in listeners:
            selector.register(stream, selectors.EVENT_READ, stream)
        while any(missing.values()):
            ready = selector.select(_PATIENCE)
            assert ready, f"events are missing: {sorted(missing.values())}"
            for key, _ in ready:
                data = key.data.recv(1 << 20)
                assert data, "a listener that reads was cut off"
                told[key.data] += data
                missing[key.data] -= data.count(b"\n")
                assert missing[key.data] >= 0, "more events than happened"
    return [bytes(text).splitlines() for text in told.values()]


def _ask(path: str, count: int) -> None:
    """Have as many execs made, some requests at once."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        for begin in range(0, count, _AT_ONCE):
            part = min(_AT_ONCE, count - begin)
            connection.sendall(_REQUEST * part)
            answers = b""
            while answers.count(b'{"Id":"') < part or not answers.endswith(b"}\n"):
                data = connection.recv(1 << 16)
                assert data, answers
                answers += data


def _assert_cut_off(stuck: socket.socket) -> None:
    lines = 0
    while data := stuck.recv(1 << 20):
        lines += data.count(b"\n")
    assert lines < EVENTS * _ROUNDS, "a listener that never read has got everything"
