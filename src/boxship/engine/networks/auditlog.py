"""The log of where containers connected to, or tried to: one JSON object a line.

::

    <data root>/network/egress.log      the latest
    <data root>/network/egress.log.1    before that, and so on up to KEPT

    {"time":"2026-01-31T12:00:00.123456789Z","verdict":"deny","container":"<id>","name":"web",
     "source":"172.17.0.2","destination":"203.0.113.9","protocol":"tcp","port":443,
     "names":["example.org"],"repeated":3}

``names`` are those that the container was told the destination for. A container that tries again
and again is one line a second: ``repeated`` counts those that were left out before.
"""

import logging
import threading
from collections.abc import Callable, Iterator

import msgspec

from boxship.base.rotated import RotatedFile
from boxship.model.connection import Connection

_log = logging.getLogger(__name__)
LIMIT = 10 << 20
"""Bytes of a file."""
KEPT = 3
"""Older files beside the one that is written."""
_QUIET_NS = 10**9
_MOST_REMEMBERED = 4096


class AuditLog:
    """Writes and reads the log. Thread-safe. A full disk costs lines and disturbs nobody."""

    def __init__(self, directory: str, limit: int = LIMIT, kept: int = KEPT) -> None:
        self._file = RotatedFile(f"{directory}/egress.log", limit, kept)
        self._lock = threading.Lock()
        self._recent: dict[tuple[str, ...], tuple[int, int]] = {}

    def write(self, connection: Connection, now_ns: int) -> None:
        """Add a line, unless the same thing was logged within the last second."""
        with self._lock:
            left_out = self._left_out(connection, now_ns)
            if left_out is None:
                return
            if left_out:
                connection = msgspec.structs.replace(connection, repeated=left_out)
            try:
                self._file.append(msgspec.json.encode(connection) + b"\n")
            except OSError as error:
                _log.error("the log of outgoing connections cannot be written: %s", error)
                self._file.close()

    def read(
        self, most: int = 0, wanted: Callable[[Connection], bool] = lambda _: True
    ) -> list[Connection]:
        """Return the latest ``most`` (0: all) of those wanted, oldest first."""
        found: list[Connection] = []
        with self._lock:
            for path in self._file.paths:
                found = [*filter(wanted, _lines(path)), *found]
                if 0 < most <= len(found):
                    return found[-most:]
        return found

    def close(self) -> None:
        """Close the file; writing opens it again."""
        with self._lock:
            self._file.close()

    def _left_out(self, connection: Connection, now_ns: int) -> int | None:
        """Return how many of the same were left out before this one; None: it is one of them."""
        key = (
            connection.container, connection.verdict, connection.destination,
            connection.protocol, str(connection.port),
        )  # fmt: skip
        since, count = self._recent.get(key, (0, 0))
        if since and now_ns - since < _QUIET_NS:
            self._recent[key] = (since, count + 1)
            return None
        if len(self._recent) >= _MOST_REMEMBERED:
            self._recent.clear()
        self._recent[key] = (now_ns, 0)
        return count


def _lines(path: str) -> Iterator[Connection]:
    """Read a file; a line that power loss cut short is left out."""
    try:
        with open(path, "rb") as file:
            for line in file:
                try:
                    yield msgspec.json.decode(line, type=Connection)
                except msgspec.MsgspecError:
                    continue
    except FileNotFoundError:
        return
