"""The container's log: both streams of its init, in entries, to a file and to a target."""

import time
from collections.abc import Callable
from typing import Final, NamedTuple

from boxship.base.clock import format_ns
from boxship.runtime.logs import frames
from boxship.runtime.logs.file import LogFile
from boxship.runtime.logs.jsonfile import EntryEncoder
from boxship.runtime.logs.lines import LineCutter, Piece
from boxship.runtime.logs.losses import Ledger, Losses
from boxship.runtime.messages import LogConfig, LogPosition
from boxship.runtime.shim.attachment import STDERR, STDOUT
from boxship.runtime.shim.logfeed import LogFeed
from boxship.runtime.shim.loop import Loop

_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_LEDGER_SECONDS: Final = 1.0


class LogSpec(NamedTuple):
    """``messages.LogConfig``, in a form that costs the shim less memory."""

    path: str = ""
    max_size: int = 0
    max_file: int = 0
    attributes: str = ""
    form: str = ""
    compress: bool = False
    losses: str = ""
    target: str = ""
    """A LogTarget as JSON; empty for none."""
    blocking: bool = True
    buffer_size: int = 0


class ContainerLog:
    """Owns the log file, opened when there is something to write, and the sender."""

    def __init__(self, spec: LogSpec, loop: Loop, on_done: Callable[[], None]) -> None:
        self._spec = spec
        self._loop = loop
        self._on_done = on_done
        self._file: LogFile | None = None
        self._ledger: Ledger | None = None
        self._ledger_waits = False
        self._feed: LogFeed | None = None
        self._cutters: dict[int, LineCutter] = {}
        self._encoders: dict[int, EntryEncoder] = {}
        self._known_lost = 0  # of the file's
        self.lost_lines = 0
        """How many lines were lost, wherever."""
        self.on_room: Callable[[], None] | None = None
        """Called when it is congested no longer."""

    @property
    def congested(self) -> bool:
        """Whether the container has to wait with its output."""
        return self._feed is not None and self._feed.congested

    @property
    def trouble(self) -> str:
        """Why the target takes nothing, while that lasts."""
        return self._feed.trouble if self._feed is not None else ""

    @property
    def busy(self) -> bool:
        """Whether a target is still to be told of something."""
        return self._feed is not None and self._feed.busy

    def write(self, stream: int, data: bytes) -> None:
        """Log the lines that ``data`` completes."""
        pieces = self._cutter(stream).feed(data)
        if pieces:
            self._keep(stream, pieces)

    def pending(self, stream: int) -> bytes:
        """Return the line whose end has not come yet."""
        return self._cutter(stream).pending

    def position(self) -> LogPosition:
        """Tell where the next entry will stand."""
        return self._opened().position() if self._spec.path else LogPosition()

    def finish(self) -> None:
        """Log unfinished lines and close the file. ``on_done`` is called if it stays busy."""
        for stream, cutter in self._cutters.items():
            if pieces := cutter.finish():
                self._keep(stream, pieces)
        if self._file is not None:
            self._file.close()
        if self._feed is not None:
            self._feed.finish()
        if self._ledger is not None:
            self._ledger.write()

    def _keep(self, stream: int, pieces: list[Piece]) -> None:
        now = time.time_ns()
        if self._spec.path and self._spec.form == "json-file":
            time_text = format_ns(now).encode()
            self._opened().append(self._encoder(stream).encode(pieces, time_text))
        if self._spec.target or self._spec.form != "json-file":
            for piece in pieces:
                frame = frames.encode(stream, now, piece)
                if self._spec.path and self._spec.form != "json-file":
                    self._opened().append_frame(frame, piece)
                if self._spec.target:
                    self._fed().offer(frame, piece)
        if self._file is not None and self._file.lost_lines > self._known_lost:
            lost = self._file.lost_lines - self._known_lost
            self._known_lost = self._file.lost_lines
            self._lose(Losses(disk=lost, reason=self._file.error))

    def _lose(self, losses: Losses) -> None:
        """Count lines that are lost; the file of that is not written for each of them."""
        self.lost_lines += losses.lines
        if self._ledger is None:
            self._ledger = Ledger(self._spec.losses)
        self._ledger.add(losses)
        if not self._ledger_waits:
            self._write_losses()

    def _write_losses(self) -> None:
        self._ledger_waits = self._ledger is not None and not self._ledger.is_written
        if self._ledger is not None and self._ledger_waits:
            self._ledger.write()
            self._loop.call_later(_LEDGER_SECONDS, self._write_losses)

    def _delivered(self) -> None:
        if self._ledger is not None:
            self._ledger.write()
        self._on_done()

    def _opened(self) -> LogFile:
        if self._file is None:
            spec = self._spec
            config = LogConfig(
                path=spec.path,
                max_size=spec.max_size,
                max_file=spec.max_file,
                form=spec.form,
                compress=spec.compress,
            )
            if spec.losses and self._ledger is None:
                self._ledger = Ledger(spec.losses)
            self._file = LogFile(config)
        return self._file

    def _fed(self) -> LogFeed:
        if self._feed is None:
            self._feed = LogFeed(
                self._spec.target,
                blocking=self._spec.blocking,
                limit=self._spec.buffer_size,
                loop=self._loop,
                on_losses=self._lose,
                on_done=self._delivered,
            )
            if self.on_room is not None:
                self._feed.on_room = self.on_room
        return self._feed

    def _cutter(self, stream: int) -> LineCutter:
        cutter = self._cutters.get(stream)
        if cutter is None:
            cutter = self._cutters[stream] = LineCutter()
        return cutter

    def _encoder(self, stream: int) -> EntryEncoder:
        encoder = self._encoders.get(stream)
        if encoder is None:
            encoder = EntryEncoder(_NAMES[stream], self._spec.attributes)
            self._encoders[stream] = encoder
        return encoder
