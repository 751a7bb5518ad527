"""A log driver for tests: it sends entries to a unix socket, as JSON lines that are answered.

The answer to each batch is how many entries of it were taken: fewer than all is a failure, one
that begins with ``-`` a refusal of the entry after them. Option ``address``: the socket's path.
"""

import json
import socket
from collections.abc import Sequence

from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.messages import LogTarget


class SocketDriver:
    """Sends to one socket. It keeps nothing back."""

    batch = Batch(entries=100)
    kept = 0

    def __init__(self, target: LogTarget) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(target.options["address"])
        except OSError:
            self._socket.close()
            raise
        self._answers = self._socket.makefile("r")

    def send(self, entries: Sequence[Entry]) -> None:
        texts = [[e.stream, e.line.decode(), list(e.partial or ())] for e in entries]
        self._socket.sendall(json.dumps(texts).encode() + b"\n")
        answer = self._answers.readline()
        if not answer:
            raise DeliveryError("the target has closed the connection")
        taken = int(answer)
        if answer.startswith("-"):
            raise DeliveryError("that is refused", delivered=-taken - 1, refused=True)
        if taken < len(entries):
            raise DeliveryError("not all of it", delivered=taken)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self._answers.close()
        self._socket.close()


def open_driver(target: LogTarget) -> SocketDriver:
    """Connect."""
    return SocketDriver(target)
