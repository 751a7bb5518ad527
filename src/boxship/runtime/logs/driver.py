"""What a log driver has to be that sends entries elsewhere, and how one is opened.

A driver is a module with ``open_driver(target: LogTarget) -> Driver``. It is blocking code in a
process of its own, which has nothing else to do::

    open_driver ──► send* ──► flush ──► send* ──► … ──► flush ──► close
         ▲                     │ an error
         └── a pause ── close ◄┘

Delivery is the sender's concern (``sender.py``): it collects entries as ``Driver.batch`` says and
calls ``send``. What that has returned from is delivered, but for the last ``Driver.kept`` entries.
After an error the sender closes the driver, waits a moment, longer each time, opens it anew and
sends the rest again; meanwhile entries pile up and, in blocking mode, the container waits. So a
driver does not reconnect, retry, buffer or drop by itself, unless its options say so.

Every call has to return within ``TIMEOUT`` seconds, whatever the target does: set timeouts on
sockets. An entry may be delivered twice when a sender died between delivery and telling so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final, NamedTuple, Protocol

from boxship.runtime.messages import LogTarget

TIMEOUT: Final = 10.0
"""Seconds that a call of a driver's may take at most."""


class Partial(NamedTuple):
    """A piece of a line longer than 16 KiB."""

    id: str
    """The same for all pieces of a line, 64 hexadecimal digits."""
    ordinal: int
    """Counts the pieces from 1."""
    last: bool


class Entry(NamedTuple):
    """A line of output, or a piece of one."""

    stream: str
    """``stdout`` or ``stderr``."""
    time_ns: int
    """When it was read from the container, Unix time."""
    line: bytes
    """As it was written, without the newline; any bytes."""
    partial: Partial | None = None


class Batch(NamedTuple):
    """How much a driver wants at once: ``send`` is called when one of them is reached.

    Or when the shim's buffer is half full, so that nobody waits for a batch who could go on.
    """

    seconds: float = 0.0
    """How long the first entry may wait for others; 0 not at all."""
    entries: int = 1000
    bytes: int = 1 << 20
    """Sum of the lines' lengths."""


class DeliveryError(Exception):
    """The target did not take all of a batch.

    The first ``delivered`` entries of it need not be sent again. With ``refused`` the entry after
    them never will be taken: it is counted as lost, the driver stays open, and the next is tried.
    ``retry_after`` are seconds until the next attempt, if the target or an option says so.
    """

    def __init__(
        self,
        message: str,
        *,
        delivered: int = 0,
        refused: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.delivered = delivered
        self.refused = refused
        self.retry_after = retry_after


class Driver(Protocol):
    """An open way to a target. Used by one thread."""

    @property
    def batch(self) -> Batch:
        """How entries are to be collected."""
        ...

    @property
    def kept(self) -> int:
        """How many of the last entries are kept back until more come or ``flush``; 0 for most."""
        ...

    def send(self, entries: Sequence[Entry]) -> None:
        """Deliver entries, in order; never none. Raise DeliveryError, or OSError for none of them.

        What is kept back (the beginning of an event of several lines) is delivered by ``flush``.
        """
        ...

    def flush(self) -> None:
        """Deliver what was kept back. Raise DeliveryError or OSError.

        Called when nothing has come for ``batch.seconds`` or a second, and at the end.
        """
        ...

    def close(self) -> None:
        """Give back what is open, at once. Called after a failure as well."""
        ...


OpenDriver = Callable[[LogTarget], Driver]

MODULES: Final[dict[str, str]] = {
    name: f"boxship.runtime.logs.{name}"
    for name in ("awslogs", "fluentd", "gcplogs", "gelf", "journald", "splunk", "syslog")
}
PLUGIN: Final = "boxship.runtime.logs.plugin"
"""For every other name."""


def open_driver(target: LogTarget) -> Driver:
    """Connect to ``target``. Raise OSError or DeliveryError that says why it can't be reached."""
    module = import_module(MODULES.get(target.driver, PLUGIN))
    opener: OpenDriver = module.open_driver
    return opener(target)
