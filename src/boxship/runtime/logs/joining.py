"""Long lines, which arrive in pieces, put together again; pure.

For drivers whose target takes longer lines than the 16 KiB of a piece, as their counterparts in
Docker do. What is held is an argument and a result, so that nothing changes when a batch fails.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, TypeAlias

from boxship.runtime.logs.driver import Entry


class Line(NamedTuple):
    """A line. ``first`` is the running number of the entry it begins with."""

    first: int
    stream: str
    time_ns: int
    """Of its first piece."""
    text: bytes


Held: TypeAlias = Mapping[str, Line]
"""The beginnings of lines whose end has not come, by stream."""

NOTHING: Final[Held] = MappingProxyType({})


def join(
    held: Held, entries: Sequence[Entry], limit: int, number: int = 0
) -> tuple[list[Line], Held]:
    """Return lines of at most ``limit`` bytes, and the beginnings that remain.

    Of a longer one each part is a line. ``number`` is that of the first entry.
    """
    begun = dict(held)
    lines = []
    for at, entry in enumerate(entries, number):
        line = Line(at, entry.stream, entry.time_ns, entry.line)
        before = begun.pop(entry.stream, None)
        if before is not None and len(before.text) + len(line.text) > limit:
            lines.append(before)
        elif before is not None:
            line = before._replace(text=before.text + line.text)
        if entry.partial is None or entry.partial.last:
            lines.append(line)
        else:
            begun[entry.stream] = line
    return lines, begun


def done_with(held: Held, number: int) -> Held:
    """Return what is held as if it began at ``number``, for entries that are not to come again."""
    return {stream: line._replace(first=number) for stream, line in held.items()}
