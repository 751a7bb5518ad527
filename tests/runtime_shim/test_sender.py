"""How a sender collects, sends, flushes and tries again; with a driver that is told how to fail.

The stream has its end before the sender runs, which so needs no process of its own.
"""

import socket
import threading
from collections.abc import Sequence

import pytest

from boxship.runtime.logs import frames
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.feeding import decode_done
from boxship.runtime.logs.lines import Piece
from boxship.runtime.logs.sender import Sender

Failures = list[Exception | None]
BATCH = Batch()


class Driver:
    """Notes what it is asked for; each call takes the next of ``failures``."""

    def __init__(self, failures: Failures, *, batch: Batch = BATCH, keep: int = 0) -> None:
        self.batch = batch
        self.kept = 0
        self.calls: list[tuple[str, ...]] = []
        self._failures = failures
        self._keep = keep

    def opened(self) -> "Driver":
        self.calls.append(("open",))
        self.kept = 0
        return self

    def send(self, entries: Sequence[Entry]) -> None:
        self.calls.append(("send", *(entry.line.decode() for entry in entries)))
        self._fail()
        self.kept = min(self._keep, self.kept + len(entries))

    def flush(self) -> None:
        self.calls.append(("flush",))
        self._fail()
        self.kept = 0

    def close(self) -> None:
        self.calls.append(("close",))

    def _fail(self) -> None:
        if self._failures and (error := self._failures.pop(0)) is not None:
            raise error


def run(driver: Driver, *chunks: bytes) -> list[tuple[int, int, str]]:
    """Send each chunk as a frame; return what the shim was told: frames, lost lines, trouble."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for chunk in chunks:
            ours.sendall(frames.encode(1, 1, Piece(chunk)))
        ours.shutdown(socket.SHUT_WR)
        Sender(theirs, driver.opened).run()
        theirs.close()
        data = b"".join(iter(lambda: ours.recv(4096), b""))
    told = []
    while (done := decode_done(data)) is not None:
        told.append(done[:3])
        data = data[done[3] :]
    return told


def test_a_batch_has_as_many_entries_and_bytes_as_the_driver_wants() -> None:
    driver = Driver([], batch=Batch(entries=3, bytes=10))
    told = run(driver, b"1\n2\n3\n4\n", b"123456\n12345\n", b"a longer line than that\n5\n")
    assert driver.calls == [
        ("open",), ("send", "1", "2", "3"), ("send", "4", "123456"), ("send", "12345"),
        ("send", "a longer line than that"), ("send", "5"), ("close",),
    ]  # fmt: skip
    assert told == [(1, 0, ""), (1, 0, ""), (1, 0, "")]


def test_a_batch_is_not_waited_for_when_the_shim_has_no_more_room() -> None:
    driver = Driver([], batch=Batch(seconds=3600))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(10)
        sender = threading.Thread(target=Sender(theirs, driver.opened, 400).run, daemon=True)
        sender.start()
        ours.sendall(frames.encode(1, 1, Piece(b"the first opens the driver\n")))
        assert decode_done(ours.recv(100)) == (1, 0, "", 10)
        ours.sendall(frames.encode(1, 1, Piece(b"small\n")))
        ours.sendall(frames.encode(2, 1, Piece(b"x" * 160 + b"\n")))
        assert decode_done(ours.recv(100)) == (2, 0, "", 10)
        ours.sendall(frames.encode(1, 1, Piece(b"there is room again\n")))
        ours.settimeout(0.1)
        with pytest.raises(TimeoutError):
            ours.recv(100)
        ours.shutdown(socket.SHUT_WR)
        sender.join()
    assert driver.calls[1:4] == [
        ("send", "the first opens the driver"), ("send", "small", "x" * 160),
        ("send", "there is room again"),
    ]  # fmt: skip


def test_after_a_failure_the_rest_is_sent_by_a_driver_opened_anew() -> None:
    driver = Driver([DeliveryError("half of it", delivered=1), OSError(111, "refused"), None])
    told = run(driver, b"1\n2\n", b"3\n")
    assert driver.calls == [
        ("open",), ("send", "1", "2", "3"), ("close",),
        ("open",), ("send", "2", "3"), ("close",),
        ("open",), ("send", "2", "3"), ("close",),
    ]  # fmt: skip
    assert told == [(0, 0, "half of it"), (0, 0, "[Errno 111] refused"), (2, 0, "")]


def test_what_is_refused_is_lost_and_the_driver_stays_open() -> None:
    driver = Driver([DeliveryError("too long", delivered=1, refused=True), None])
    told = run(driver, b"1\n2\n3\n")
    assert driver.calls == [("open",), ("send", "1", "2", "3"), ("send", "3"), ("close",)]
    assert told == [(0, 1, "too long"), (1, 0, "")]


def test_what_is_kept_back_is_delivered_when_it_was_flushed() -> None:
    driver = Driver([], batch=Batch(entries=2), keep=1)
    told = run(driver, b"1\n", b"2\n", b"3\n")
    assert driver.calls == [
        ("open",), ("send", "1", "2"), ("send", "3"), ("flush",), ("close",)
    ]  # fmt: skip
    assert [done for done, _, _ in told] == [1, 1, 1]


@pytest.mark.parametrize(
    ("failures", "again"),
    [
        ([None, OSError("while sending")], ("2", "3")),
        ([None, None, OSError("while flushing")], ("3",)),
    ],
)
def test_what_was_kept_back_is_sent_again_after_a_failure(
    failures: Failures, again: tuple[str, ...]
) -> None:
    driver = Driver(failures, batch=Batch(entries=2), keep=1)
    run(driver, b"1\n", b"2\n", b"3\n")
    assert driver.calls[-4:] == [("open",), ("send", *again), ("flush",), ("close",)]
