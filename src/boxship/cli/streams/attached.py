"""The loop between our standard streams and an attached process.

::

    stdin ──► detach keys ──► connection ──► demultiplex ──► stdout, stderr
      EOF ──► close-write        EOF ──► done
    signals ──► resize, or forwarded to the container

One ``poll`` watches all of it. Nothing is buffered beyond one read: a slow terminal slows the
container down, a slow container stops us reading our input.
"""

import os
import select
import signal
from collections.abc import Callable
from contextlib import ExitStack, suppress
from enum import Enum
from typing import NamedTuple

from boxship.base import detachkeys
from boxship.base.errors import BoxshipError
from boxship.cli.standardio import OutputWriter
from boxship.cli.streams import signals, terminal
from boxship.client.engine import HijackedStream

_READ = 64 * 1024

Resize = Callable[[int, int], None]  # height, width
Forward = Callable[[str], None]  # signal name


class Plan(NamedTuple):
    """What is connected, and what to do on the side."""

    stdin: bool
    output: bool
    tty: bool
    detach_keys: str = ""
    resize: Resize | None = None  # with a terminal
    forward: Forward | None = None  # with --sig-proxy
    redraw: bool = False  # the process runs already and should draw its screen again


class Ending(Enum):
    OUTPUT_ENDED = "the process ended, or its output did"
    DETACHED = "the detach keys were typed"
    INPUT_ENDED = "there was only input, and it ended"


def converse(stream: HijackedStream, plan: Plan, started: Callable[[], None]) -> Ending:
    """Connect until the other side ends. ``started`` runs once everything listens.

    Raw mode begins before the start and ends before anything is printed about the end.
    """
    caught = frozenset({signal.SIGWINCH}) if plan.resize else frozenset()
    if plan.forward:
        caught |= signals.forwarded()
    with ExitStack() as stack:
        news = stack.enter_context(signals.catching(caught))
        if plan.stdin and plan.tty:
            stack.enter_context(terminal.raw_mode())
        started()
        conversation = _Conversation(stream, plan, news)
        if plan.redraw:
            # Only a change of size makes a program draw again.
            conversation.resize(more=1)
        conversation.resize()
        return conversation.run()


class _Conversation:
    """Never blocks on the connection while there is output to read.

    A container that copies its input to its output stops reading when nobody takes the output, so
    a client that waits for its input to be taken would wait for ever.
    """

    def __init__(self, stream: HijackedStream, plan: Plan, news: signals.SignalPipe) -> None:
        self._stream = stream
        self._connection = stream.connection
        self._plan = plan
        self._news = news
        self._reading = plan.stdin  # standard input is open
        self._writing = plan.stdin  # the container's input is open
        self._pending = b""  # read from standard input, not yet taken by the connection
        self._writer = OutputWriter(multiplexed=not plan.tty)
        keys = detachkeys.DEFAULT
        if plan.detach_keys:
            keys = detachkeys.parse(plan.detach_keys)
        self._filter = detachkeys.Scanner(keys) if plan.stdin and plan.tty else None

    def run(self) -> Ending:
        connection = self._connection.fileno()
        while True:
            ready = self._wait(connection)
            if self._news.descriptor in ready:
                self._handle_signals()
            if terminal.STDIN in ready and self._read_input():
                return Ending.DETACHED
            if self._writing and not self._pass_on() and not self._plan.output:
                return Ending.INPUT_ENDED
            if ready.get(connection, 0) & ~select.POLLOUT and self._read_output():
                return Ending.OUTPUT_ENDED

    def _wait(self, connection: int) -> dict[int, int]:
        """What is ready, as descriptor to events."""
        if self._stream.has_input:
            return {connection: select.POLLIN}
        poll = select.poll()
        poll.register(connection, select.POLLIN | (select.POLLOUT if self._stuck else 0))
        poll.register(self._news.descriptor, select.POLLIN)
        if self._reading and not self._stuck:
            poll.register(terminal.STDIN, select.POLLIN)
        return dict(poll.poll())

    @property
    def _stuck(self) -> bool:
        """Whether input waits for the connection to take it."""
        return bool(self._pending) or self._connection.has_output

    def _read_input(self) -> bool:
        """Take what was typed; True when it was the detach keys."""
        try:
            data = os.read(terminal.STDIN, _READ)
        except OSError:
            data = b""  # the terminal is gone
        if not data:
            self._reading = False
            return False
        detached = False
        if self._filter is not None:
            data, detached = self._filter.feed(data)
        self._pending = data
        if detached:
            self._pass_on()
        return detached

    def _pass_on(self) -> bool:
        """Give the connection what it takes, and the end after the last of it.

        False once the container's input is closed.
        """
        try:
            if self._stuck:
                taken = self._connection.send_some(self._pending)
                self._pending = self._pending[taken:]
            if self._reading or self._stuck:
                return True
            self._connection.close_write()
        except OSError:
            pass  # the process has ended; its last output is still to come
        self._reading = self._writing = False
        self._pending = b""
        return False

    def _read_output(self) -> bool:
        data = self._stream.receive()
        if data:
            self._writer.write(data)
        return not data

    def _handle_signals(self) -> None:
        for number in self._news.take():
            if number == signal.SIGWINCH:
                self.resize()
            elif self._plan.forward:
                with suppress(BoxshipError):  # it has just ended
                    self._plan.forward(signals.api_name(number))

    def resize(self, more: int = 0) -> None:
        """Tell the other side our size; it may be too late or too early for it, never an error."""
        if self._plan.resize is None:
            return
        height, width = terminal.size()
        if not height and not width:
            return
        with suppress(BoxshipError):
            self._plan.resize(height + more, width + more)
