"""Log events as CloudWatch Logs wants them: several lines in one, and batches; pure.

(Amazon CloudWatch Logs API Reference, ``PutLogEvents``.)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from boxship.runtime.logs.joining import Line

EVENT_OVERHEAD: Final = 26
"""Bytes that an event counts for besides its text."""
MOST_BYTES: Final = 1_048_576
MOST_EVENTS: Final = 10_000
LONGEST: Final = 262_144 - EVENT_OVERHEAD
"""Bytes of an event's text."""
LONGEST_SPAN: Final = 24 * 3600 * 1000
"""Milliseconds between the first and the last event of a batch."""

_TWO = "[0-9]{2}"
_DATES: Final[Mapping[str, str]] = {
    "%A": "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day",
    "%a": "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
    "%B": "(?:January|February|March|April|May|June|July|August|September|October|November"
    "|December)",
    "%b": "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
    **dict.fromkeys(("%d", "%H", "%I", "%M", "%m", "%S", "%y"), _TWO),
    "%e": "[ 0-9][0-9]",
    "%F": f"[0-9]{{4}}-{_TWO}-{_TWO}",
    "%f": "[0-9]{6}",
    "%j": "[0-9]{3}",
    "%L": "[.,][0-9]{3}",
    "%p": "(?:AM|PM)",
    "%T": f"{_TWO}:{_TWO}:{_TWO}",
    "%w": "[0-6]",
    "%Y": "[0-9]{4}",
    "%Z": "[A-Z]{1,4}T",
    "%z": "[+-][0-9]{4}",
    "%%": "%",
}


class Event(NamedTuple):
    """A log event; ``at`` in milliseconds since the epoch."""

    first: int
    """The running number of the entry it begins with."""
    at: int
    text: bytes

    @property
    def size(self) -> int:
        """What it counts for in a batch."""
        return len(self.text) + EVENT_OVERHEAD


def date_pattern(form: str) -> str:
    """Return the regular expression of a date in a form of ``strftime``; other text is one too."""
    return re.sub("%.", lambda match: _DATES.get(match[0], match[0]), form)


def events_of(
    held: Event | None, lines: Sequence[Line], begins: re.Pattern[str] | None
) -> tuple[list[Event], Event | None]:
    """Return the events that lines complete, and the one that may go on.

    ``begins`` matches the first line of an event; without it each line is one. Empty ones are
    none: the service refuses them.
    """
    found = []
    for line in lines:
        at, text = line.time_ns // 1_000_000, _valid(line.text)
        if begins is None:
            found.append(Event(line.first, at, text))
            continue
        is_first = begins.search(text.decode()) is not None
        if held is not None and (is_first or len(held.text) + len(text) + 1 > LONGEST):
            found.append(held)
            held = None
        before = held or Event(line.first, at, b"")
        held = before._replace(text=before.text + text + b"\n")
    return [event for event in found if event.text], held


def _valid(text: bytes) -> bytes:
    """Return it as UTF-8, no longer than an event may be."""
    try:
        text.decode()
    except UnicodeDecodeError:
        text = text.decode(errors="replace").encode()
    return text if len(text) <= LONGEST else text[:LONGEST].decode(errors="ignore").encode()


def batches(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Cut events into batches that one request may have, each in the order of time."""
    batch: list[Event] = []
    size = 0
    for event in events:
        full = len(batch) == MOST_EVENTS or size + event.size > MOST_BYTES
        if batch and (full or _spans_too_long(batch, event)):
            yield sorted(batch, key=lambda e: e.at)
            batch, size = [], 0
        batch.append(event)
        size += event.size
    if batch:
        yield sorted(batch, key=lambda e: e.at)


def _spans_too_long(batch: Sequence[Event], event: Event) -> bool:
    return abs(event.at - batch[0].at) >= LONGEST_SPAN
