"""Feeding a sender: order, a sender that is killed, a target that hangs, refuses or is not there.

The sender is a real process, forked by the feed under test, with the driver of ``support``.
"""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from select import EPOLLIN

import pytest

from boxship.runtime.control_codec import target_to_json
from boxship.runtime.logs import driver, frames
from boxship.runtime.logs.lines import MAX_LINE, LineCutter
from boxship.runtime.logs.losses import Losses
from boxship.runtime.messages import LogTarget
from boxship.runtime.shim.logfeed import LogFeed
from boxship.runtime.shim.loop import Loop

PATIENCE = 20.0


class Target:
    """Answers what the driver sends, within the feed's own loop."""

    def __init__(self, loop: Loop, path: Path) -> None:
        self.path = path
        self.answers = True
        self.refused: set[str] = set()
        self.batches: list[list[str]] = []
        self.entries: list[list[object]] = []
        self._loop = loop
        self._data: dict[int, bytes] = {}
        self._connections: dict[int, socket.socket] = {}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))

    def open(self) -> None:
        self._listener.listen()
        self._loop.watch(self._listener.fileno(), EPOLLIN, self._accept)

    def close(self) -> None:
        for one in (self._listener, *self._connections.values()):
            one.close()

    def lines(self) -> list[str]:
        return [str(line) for _, line, _ in self.entries]

    def answer_all(self) -> None:
        self.answers = True
        for fd in tuple(self._data):
            self._answer(fd)

    def _accept(self, _: int) -> None:
        connection = self._listener.accept()[0]
        fd = connection.fileno()
        self._connections[fd], self._data[fd] = connection, b""
        self._loop.watch(fd, EPOLLIN, lambda _: self._read(fd))

    def _read(self, fd: int) -> None:
        data = self._connections[fd].recv(1 << 20)
        if not data:
            self._loop.forget(fd)
            self._connections.pop(fd).close()
            del self._data[fd]
            return
        self._data[fd] += data
        if self.answers:
            self._answer(fd)

    def _answer(self, fd: int) -> None:
        while b"\n" in self._data[fd]:
            line, _, self._data[fd] = self._data[fd].partition(b"\n")
            entries = json.loads(line)
            taken = [entry for entry in entries if entry[1] not in self.refused]
            whole = len(taken) == len(entries)
            if not whole:
                taken = entries[: next(i for i, e in enumerate(entries) if e[1] in self.refused)]
            self.entries += taken
            self._connections[fd].sendall(b"%d\n" % (len(taken) if whole else -len(taken) - 1))


class Bench:
    """A feed, its target, and what it said."""

    def __init__(self, path: Path) -> None:
        self.loop = Loop()
        self.loop.open()
        self.target = Target(self.loop, path)
        self.losses = Losses()
        self.rooms = 0
        self.is_done = False
        self.cutter = LineCutter()
        self._feed: LogFeed | None = None

    def feed(self, *, blocking: bool = True, limit: int = 1 << 20, end: float = 30) -> LogFeed:
        wanted = LogTarget(driver="socket", options={"address": str(self.target.path)})
        self._feed = LogFeed(
            target_to_json(wanted),
            blocking=blocking,
            limit=limit,
            loop=self.loop,
            on_losses=self._lost,
            on_done=self._done,
            end_seconds=end,
        )
        self._feed.on_room = self._room
        return self._feed

    def say(self, *chunks: bytes, stream: int = 1) -> None:
        assert self._feed is not None
        for chunk in chunks:
            for piece in self.cutter.feed(chunk):
                self._feed.offer(frames.encode(stream, 1, piece), piece)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Run the loop until ``condition`` holds."""
        if condition():
            return
        late = self.loop.call_later(PATIENCE, self.loop.stop)

        def look() -> None:
            if condition():
                self.loop.stop()
            else:
                self.loop.call_later(0.005, look)

        self.loop.call_later(0, look)
        self.loop._running = True
        self.loop.run()
        late.cancel()
        assert condition(), f"waited in vain for {what}"

    def close(self) -> None:
        if self._feed is not None and self._feed._pid:
            os.kill(self._feed._pid, signal.SIGKILL)
            os.waitpid(self._feed._pid, 0)
            self._feed._pid = 0
        if self._feed is not None and self._feed._socket is not None:
            self._feed._socket.close()
        self.target.close()
        self.loop._epoll.close()

    def _lost(self, losses: Losses) -> None:
        self.losses = self.losses.plus(losses)

    def _room(self) -> None:
        self.rooms += 1

    def _done(self) -> None:
        self.is_done = True


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setitem(driver.MODULES, "socket", "support.logdriver")
    made = Bench(tmp_path / "target")
    yield made
    made.close()


def test_everything_is_delivered_in_order_and_the_end_is_told(bench: Bench) -> None:
    bench.target.open()
    feed = bench.feed()
    assert not feed.busy
    bench.say(*(b"%d\n%d.5\n" % (n, n) for n in range(300)))
    bench.say(b"error\n", stream=2)
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    assert not feed.busy
    assert bench.target.lines() == [f"{n}{half}" for n in range(300) for half in ("", ".5")] + [
        "error"
    ]
    assert [entry[0] for entry in bench.target.entries[-2:]] == ["stdout", "stderr"]
    assert bench.losses == Losses()


def test_parts_of_a_line_belong_together(bench: Bench) -> None:
    bench.target.open()
    feed = bench.feed()
    bench.say(b"a\n" + b"x" * (2 * MAX_LINE) + b"y\nb\n")
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    parts = [entry[2] for entry in bench.target.entries]
    assert parts[0] == parts[-1] == []
    names = {part[0] for part in parts[1:-1] if isinstance(part, list)}
    assert len(names) == 1
    assert [part[1:] for part in parts[1:-1] if isinstance(part, list)] == [
        [1, False], [2, False], [3, True],
    ]  # fmt: skip


def test_a_killed_sender_costs_nothing(bench: Bench) -> None:
    bench.target.open()
    bench.target.answers = False
    feed = bench.feed()
    bench.say(*(b"%d\n" % n for n in range(50)))
    bench.until(lambda: bool(bench.target._data), "a sender")
    first = feed._pid
    os.kill(first, signal.SIGKILL)
    bench.until(lambda: feed._pid not in (0, first), "another sender")
    bench.target.answer_all()
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    assert bench.target.lines()[-50:] == [str(n) for n in range(50)]
    assert bench.losses == Losses()


def test_a_target_that_hangs_makes_the_container_wait_and_go_on(bench: Bench) -> None:
    bench.target.open()
    bench.target.answers = False
    feed = bench.feed(limit=2000)
    said = 0
    while not feed.congested:
        bench.say(b"%d\n" % said)
        said += 1
    assert 50 < said < 200
    bench.until(lambda: bool(bench.target._data), "the sender's connection")
    assert bench.rooms == 0
    bench.target.answer_all()
    bench.until(lambda: bench.rooms == 1, "room")
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    assert bench.target.lines() == [str(n) for n in range(said)]


def test_without_blocking_what_does_not_fit_is_lost_and_counted(bench: Bench) -> None:
    bench.target.open()
    bench.target.answers = False
    feed = bench.feed(blocking=False, limit=2000)
    for n in range(500):
        bench.say(b"%d\n" % n)
        assert not feed.congested
    lost = bench.losses.buffer
    assert 300 < lost < 500
    bench.target.answer_all()
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    assert bench.target.lines() == [str(n) for n in range(500 - lost)]
    assert bench.losses.lines == lost


def test_what_a_dead_target_does_not_take_is_lost_at_the_end(bench: Bench) -> None:
    feed = bench.feed(end=0.2)  # nobody listens
    bench.say(b"one\ntwo\n", b"three\n")
    bench.until(lambda: bool(feed.trouble), "a failure")
    feed.finish()
    bench.until(lambda: bench.is_done, "giving up")
    assert (bench.losses.target, bench.losses.lines) == (3, 3)
    assert "refused" in bench.losses.reason
    assert not feed.busy


def test_a_target_that_comes_later_gets_everything(bench: Bench) -> None:
    feed = bench.feed()
    bench.say(b"early\n")
    bench.until(lambda: bool(feed.trouble), "a failure")
    bench.target.open()
    bench.until(lambda: bench.target.lines() == ["early"], "delivery")
    bench.until(lambda: not feed.trouble and not feed._sent, "the answer")
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")


def test_what_is_refused_is_lost_and_the_rest_goes_on(bench: Bench) -> None:
    bench.target.open()
    bench.target.refused = {"2"}
    feed = bench.feed()
    bench.say(b"1\n2\n3\n")
    feed.finish()
    bench.until(lambda: bench.is_done, "the end")
    assert bench.target.lines() == ["1", "3"]
    assert bench.losses == Losses(target=1, reason="that is refused")
