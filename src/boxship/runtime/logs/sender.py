"""The process that sends a container's output to a log driver's target.

Its shim forks it when there is something to send, and forks another one should it die; what they
say to each other is drawn in ``feeding.py``. Whatever the target does, nothing but this process
waits for it.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple, NoReturn

from boxship.runtime.control_codec import target_from_json
from boxship.runtime.logs import frames
from boxship.runtime.logs.driver import DeliveryError, Driver, Entry, Partial, open_driver
from boxship.runtime.logs.feeding import FIRST_PAUSE, LONGEST_PAUSE, encode_done

_ORPHANED_SECONDS: Final = 5.0
"""How long to go on trying when the shim has been killed."""
_FLUSH_SECONDS: Final = 1.0
_RECEIVE: Final = 1 << 16
_NAME: Final = b"boxship-log"
_NAMES: Final = {1: "stdout", 2: "stderr"}

Open = Callable[[], Driver]


def be_sender(connection: int, target: str, limit: int = sys.maxsize) -> NoReturn:
    """Be a sender, in a process forked from a shim; ``target`` is a LogTarget as JSON, ``limit``
    the bytes of frames that the shim keeps at most. A shim of before an upgrade says none."""
    status = 1
    try:
        _settle(connection)
        wanted = target_from_json(target)
        os.environ.update(wanted.environment)
        time.tzset()
        with socket.socket(fileno=connection) as shim:
            Sender(shim, lambda: open_driver(wanted), limit).run()
        status = 0
    except BaseException:  # noqa: BLE001 - a defect: say so in the launcher's log
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)


def _settle(connection: int) -> None:
    """Leave nothing of the shim's but standard error and the connection open."""
    os.closerange(3, connection)
    os.closerange(connection + 1, 1 << 20)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    with open("/proc/self/comm", "wb", buffering=0) as name:
        name.write(_NAME)
    gc.enable()


class Unpacker:
    """Makes entries of a stream of frames, and knows which frames they came in."""

    def __init__(self) -> None:
        self._data = b""
        self._partials: dict[int, str] = {}

    def feed(self, data: bytes) -> list[list[Entry]]:
        """Return the entries of each frame that ``data`` completes."""
        self._data += data
        found = []
        offset = 0
        while (decoded := frames.decode(self._data, offset)) is not None:
            frame, offset = decoded
            found.append(self._entries(frame))
        self._data = self._data[offset:]
        return found

    def _entries(self, frame: frames.Frame) -> list[Entry]:
        stream, time_ns, piece = frame
        lines = piece.data.split(b"\n")
        if piece.data.endswith(b"\n"):
            lines.pop()
        name = _NAMES[stream]
        entries = [Entry(name, time_ns, line) for line in lines]
        if piece.ordinal or piece.more:
            entries[0] = entries[0]._replace(partial=self._partial(frame))
        return entries

    def _partial(self, frame: frames.Frame) -> Partial:
        piece = frame.piece
        if not piece.ordinal or frame.stream not in self._partials:
            self._partials[frame.stream] = os.urandom(32).hex()
        name = self._partials[frame.stream] if piece.more else self._partials.pop(frame.stream)
        return Partial(name, piece.ordinal + 1, not piece.more)


class _Held(NamedTuple):
    """A frame that the shim keeps until it hears that it is done."""

    entries: int
    """How many are not delivered."""
    size: int
    """In bytes, or one more."""


class Sender:
    """Delivers what comes from the connection ``shim``.

    No batch is waited for until the shim has no room left (``limit``): the container would wait
    with it, or its output be lost.
    """

    def __init__(self, shim: socket.socket, open_: Open, limit: int = sys.maxsize) -> None:
        self._shim = shim
        self._open = open_
        self._most_held = limit // 2
        self._held = 0  # bytes of the frames below
        self._driver: Driver | None = None
        self._unpacker = Unpacker()
        self._entries: list[Entry] = []  # not taken by the driver
        self._kept: list[Entry] = []  # taken, and kept back by it
        self._frames: deque[_Held] = deque()
        self._due = 0.0
        self._flush_due = 0.0
        self._ended = False
        self._pause = FIRST_PAUSE
        self._parent = os.getppid()

    def run(self) -> None:
        """Send until the stream has ended and everything is delivered."""
        while not self._ended:
            self._receive()
            self._send_due()
        while self._entries or self._kept:
            self._attempt(self._send_or_flush)
        if self._driver is not None:
            self._driver.close()

    # ── input ────────────────────────────────────────────────────────────────────────────────

    def _receive(self) -> None:
        """Wait for more, but not longer than what there is may wait."""
        poll = select.poll()
        poll.register(self._shim, select.POLLIN)
        if not poll.poll(self._patience()):
            return
        data = self._shim.recv(_RECEIVE)
        if not data:
            self._ended = True
        for entries in self._unpacker.feed(data):
            if not self._entries:
                batch = self._driver.batch if self._driver is not None else None
                self._due = time.monotonic() + (batch.seconds if batch is not None else 0)
            self._entries += entries
            size = frames.AROUND + sum(len(entry.line) + 1 for entry in entries)
            self._frames.append(_Held(len(entries), size))
            self._held += size

    def _patience(self) -> int | None:
        """Return the milliseconds after which something is to be done even if nothing comes."""
        if not (self._entries or self._kept):
            return None
        due = self._due if self._entries else self._flush_due
        return max(0, int(1000 * (due - time.monotonic())) + 1)

    def _send_due(self) -> None:
        while self._entries and self._is_due():
            self._attempt(self._send)
        if self._kept and not self._entries and time.monotonic() >= self._flush_due:
            self._attempt(self._flush)

    def _is_due(self) -> bool:
        if self._driver is None or self._ended or time.monotonic() >= self._due:
            return True
        if self._held >= self._most_held:
            return True
        batch = self._driver.batch
        if len(self._entries) >= batch.entries:
            return True
        return sum(len(entry.line) for entry in self._entries) >= batch.bytes

    # ── output ───────────────────────────────────────────────────────────────────────────────

    def _attempt(self, action: Callable[[Driver], None]) -> None:
        """Do ``action`` once; if the target fails, pause, so that it is tried again."""
        try:
            if self._driver is None:
                self._driver = self._open()
            action(self._driver)
            self._pause = FIRST_PAUSE
        except DeliveryError as error:
            self._delivered(error.delivered)
            if error.refused:
                self._delivered(1, lost=1, text=str(error))
            else:
                self._failed(error, error.retry_after)
        except OSError as error:
            self._failed(error)

    def _send_or_flush(self, driver: Driver) -> None:
        if self._entries:
            self._send(driver)
        else:
            self._flush(driver)

    def _send(self, driver: Driver) -> None:
        batch = self._batch(driver)
        driver.send(batch)
        del self._entries[: len(batch)]
        self._kept += batch
        self._flush_due = time.monotonic() + max(driver.batch.seconds, _FLUSH_SECONDS)
        self._settle_kept(driver.kept)

    def _batch(self, driver: Driver) -> list[Entry]:
        wanted = driver.batch
        size = 0
        for number, entry in enumerate(self._entries[: wanted.entries]):
            size += len(entry.line)
            if size > wanted.bytes and number:
                return self._entries[:number]
        return self._entries[: wanted.entries]

    def _flush(self, driver: Driver) -> None:
        driver.flush()
        self._settle_kept(0)

    def _settle_kept(self, kept: int) -> None:
        done = len(self._kept) - kept
        del self._kept[:done]
        self._tell(done)

    def _delivered(self, count: int, *, lost: int = 0, text: str = "") -> None:
        """The first ``count`` entries are done with: those kept back are older than the batch."""
        done = len(self._kept) + count if count else 0
        self._kept = [] if count else self._kept
        del self._entries[:count]
        self._tell(done, lost, text)

    def _failed(self, error: Exception, retry_after: float | None = None) -> None:
        if self._driver is not None:
            self._driver.close()
            self._driver = None
        self._entries[:0] = self._kept
        self._kept = []
        self._tell(0, 0, str(error) or type(error).__name__)
        if os.getppid() != self._parent and self._pause > _ORPHANED_SECONDS / 2:
            os._exit(1)  # nobody is left to be told
        time.sleep(self._pause if retry_after is None else max(retry_after, FIRST_PAUSE))
        self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def _tell(self, entries: int, lost: int = 0, text: str = "") -> None:
        """Tell the shim of so many entries, in whole frames, and of what went wrong."""
        done = 0
        while self._frames and entries >= self._frames[0].entries:
            frame = self._frames.popleft()
            entries -= frame.entries
            self._held -= frame.size
            done += 1
        if entries:
            first = self._frames[0]
            self._frames[0] = first._replace(entries=first.entries - entries)
        if done or lost or text:
            try:
                self._shim.sendall(encode_done(done, lost, text))
            except OSError:  # the shim was killed
                return
