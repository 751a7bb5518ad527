"""Execs on their way: a starter works on each, and nobody waits for it.

What is in the container can stop the process before it executes its command. Meanwhile signals,
resizes and everybody's output must go on, above all the signal that ends the container.
"""

from collections.abc import Callable
from select import EPOLLIN
from typing import NamedTuple

from boxship.runtime.control_codec import encode
from boxship.runtime.messages import Failed
from boxship.runtime.shim import starter
from boxship.runtime.shim.control import Connection
from boxship.runtime.shim.loop import Loop

Descriptors = tuple[int, ...]


class Wish(NamedTuple):
    """Who asked for a process, and the clients' connections that came along, with their numbers."""

    connection: Connection
    seq: int
    clients: Descriptors
    numbers: tuple[int, ...]


class Births:
    """Waits for starters. ``on_born`` gets what came of each, also if nothing did."""

    def __init__(
        self, loop: Loop, on_born: Callable[[Wish, starter.Birth, Descriptors], None]
    ) -> None:
        self._loop = loop
        self._on_born = on_born
        self._pending = 0

    @property
    def pending(self) -> bool:
        """Whether a child may exist whose number is not known yet."""
        return self._pending > 0

    def expect(self, wish: Wish, work: Callable[[], starter.Outcome]) -> None:
        """Have ``work`` done. Raise OSError when no process could be made for it."""
        begun = starter.begin(work)
        self._pending += 1
        fd = begun.channel.fileno()

        def on_event(_events: int) -> None:
            self._loop.forget(fd)
            try:
                outcome = starter.finish(begun)
            except OSError as error:
                failed = Failed(step="exec", message=str(error), errno=error.errno or 0)
                outcome = starter.Birth(reply=encode(failed, seq=wish.seq)), ()
            finally:
                self._pending -= 1
            self._on_born(wish, *outcome)

        self._loop.watch(fd, EPOLLIN, on_event)
