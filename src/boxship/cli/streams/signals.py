"""Signals as something to poll for."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Ours alone: the kernel's news about children, pipes, job control and, in Go's runtime, preemption.
_KEPT = frozenset(
    (
        signal.SIGCHLD,
        signal.SIGPIPE,
        signal.SIGURG,
        signal.SIGKILL,
        signal.SIGSTOP,
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGSEGV,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGCONT,
    )
)


def forwarded() -> frozenset[signal.Signals]:
    """What ``--sig-proxy`` passes on."""
    return (
        frozenset(
            signal.Signals(number)
            for number in signal.valid_signals()
            if number in signal.Signals._value2member_map_
        )
        - _KEPT
        - {signal.SIGWINCH}
    )


class SignalPipe:
    """The read end of a pipe that gets one byte, its number, for each signal caught."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def take(self) -> list[int]:
        try:
            return list(os.read(self.descriptor, 64))
        except BlockingIOError:
            return []


def _noticed(_number: int, _frame: FrameType | None) -> None:
    """The wake-up descriptor has the number already."""


@contextmanager
def catching(numbers: frozenset[signal.Signals]) -> Iterator[SignalPipe]:
    """Catch ``numbers`` until the end of the block."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    before: dict[signal.Signals, Callable[[int, FrameType | None], Any] | int | None] = {}
    old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        for number in numbers:
            before[number] = signal.signal(number, _noticed)
        yield SignalPipe(reader)
    finally:
        for number, action in before.items():
            signal.signal(number, action)
        signal.set_wakeup_fd(old_wakeup)
        os.close(reader)
        os.close(writer)


def api_name(number: int) -> str:
    """``TERM`` for SIGTERM, as the API's kill takes it."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)
