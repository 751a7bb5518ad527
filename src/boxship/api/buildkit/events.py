"""What builds have told, kept for whoever listens later.

::

    Solving ── add ──► Events ◄── since(number) ── each listener, at its own pace
                         │ drop the oldest output
                       Room   the output of all builds together

Steps are few and stay. Their output may be two megabytes each (see ``build.reporting``), so what
all builds keep of it is bounded: beyond, the build that has most gives up its oldest, which
listeners that keep pace have had long ago. Those that had not are told so in its place. BuildKit
keeps everything until the build ends; but it is a process of its own, we are the whole engine.
Of a build that is forgotten here, ``build.logbook`` has the newest.
"""

from collections import deque
from dataclasses import replace

from boxship.api.buildkit.progress import AT_ONCE, weight
from boxship.engine.build.progress import ProgressEvent, VertexLog
from boxship.oci.digest import Digest

MOST_KEPT = 64 << 20
"""Bytes of output of all builds: thirty steps that write all they may."""
_PIECE = 64 << 10
"""Bytes of output in one event."""
_DROPPED = b"\n[output clipped, the builder keeps 64MiB for those who listen later]\n"


class Room:
    """What the output of all builds takes."""

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._most = most
        self._used = 0
        self._builds: dict[int, Events] = {}

    def taken(self, events: "Events", size: int) -> None:
        """Know that a build has taken more; have somebody give up his oldest if it is too much."""
        self._builds[id(events)] = events
        self._used += size
        while self._used > self._most:
            most = max(self._builds.values(), key=lambda each: each.size)
            self._used -= most.drop()

    def left(self, events: "Events") -> None:
        """Know that a build is forgotten."""
        if self._builds.pop(id(events), None) is not None:
            self._used -= events.size


class Events:
    """What one build has told, numbered from 0."""

    def __init__(self, room: Room) -> None:
        self.size = 0
        """Bytes that its output takes."""
        self._room = room
        self._kept: dict[int, ProgressEvent] = {}
        self._next = 0
        self._output: deque[tuple[int, VertexLog]] = deque()
        self._gaps: dict[Digest, int] = {}
        """Where the last output stood that a step has lost: its place says so."""

    def __len__(self) -> int:
        """Return how many there were, kept or not."""
        return self._next

    def add(self, event: ProgressEvent) -> None:
        if not isinstance(event, VertexLog):
            self._put(event)
            return
        for at in range(0, len(event.data), _PIECE):
            piece = replace(event, data=event.data[at : at + _PIECE])
            self._output.append((self._next, piece))
            self._put(piece)
            self.size += weight(piece)
            self._room.taken(self, weight(piece))

    def since(self, number: int) -> tuple[list[ProgressEvent], int]:
        """Return events from a number on, as many as fit a message, and the number after them."""
        found: list[ProgressEvent] = []
        size = 0
        while number < self._next:
            event = self._kept.get(number)
            if event is not None:
                size += weight(event)
                if found and size > AT_ONCE:
                    break
                found.append(event)
            number += 1
        return found, number

    def drop(self) -> int:
        """Give up the oldest output; return how many bytes that were."""
        number, log = self._output.popleft()
        before = self._gaps.get(log.vertex)
        if before is not None:
            del self._kept[before]
        self._gaps[log.vertex] = number
        self._kept[number] = replace(log, stream=2, data=_DROPPED)
        self.size -= weight(log)
        return weight(log)

    def forget(self) -> None:
        """Give up everything."""
        self._room.left(self)
        self._kept.clear()
        self._output.clear()
        self.size = 0

    def _put(self, event: ProgressEvent) -> None:
        self._kept[self._next] = event
        self._next += 1
