"""Output streams of containers to our own stdout and stderr."""

import os
from collections.abc import Iterable

from boxship.client.stdcopy import STDERR, STDOUT, SYSTEM_ERROR, Demultiplexer, StreamError

_DESCRIPTORS = {0: 1, STDOUT: 1, STDERR: 2}


def write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            _wait_writable(descriptor)


def _wait_writable(descriptor: int) -> None:
    """Somebody who shares the terminal with us has made it non-blocking."""
    import select

    select.select([], [descriptor], [])


class OutputWriter:
    """Writes what a container says: taken apart when multiplexed, as it is otherwise."""

    def __init__(self, *, multiplexed: bool) -> None:
        self._demultiplexer = Demultiplexer() if multiplexed else None

    def write(self, data: bytes) -> None:
        if self._demultiplexer is None:
            write_all(1, data)
            return
        for stream, payload in self._demultiplexer.feed(data):
            if stream == SYSTEM_ERROR:
                raise StreamError(
                    f"error from daemon in stream: {payload.decode(errors='replace')}"
                )
            write_all(_DESCRIPTORS[stream], payload)


def copy(pieces: Iterable[bytes], *, multiplexed: bool) -> None:
    writer = OutputWriter(multiplexed=multiplexed)
    for piece in pieces:
        writer.write(piece)
