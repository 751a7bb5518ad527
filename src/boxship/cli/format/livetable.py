"""The table of ``boxship top``: what each running container uses, as lines for a screen. Pure.

::

    boxship on box   3 running, 1 stopped   CPU 104.2% of 200%   memory 75.1MiB of 23.5GiB

    NAME    IMAGE    CPU % ▾  MEMORY  MEM %  NET IN/s  NET OUT/s  READ/s  WRITE/s  PIDS  STATUS
    burner  busybox    99.8%  1.1MiB   0.0%        0B         0B      0B       0B     1  Up 2 hours
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxship.cli.format import figures
from boxship.cli.format.sizes import binary_size, human_size

Json = dict[str, Any]
_GAP = 2
_LONGEST = {"NAME": 24, "IMAGE": 22, "STATUS": 26}
_MARK = " ▾"


@dataclass(frozen=True)
class Usage:
    """One container between two samples. ``processor`` 1.0 is a whole one, rates are bytes/s."""

    name: str
    image: str
    status: str
    processor: float = 0.0
    memory: int = 0
    limit: int = 0
    received: float = 0.0
    sent: float = 0.0
    read: float = 0.0
    written: float = 0.0
    processes: int = 0

    @property
    def memory_share(self) -> float:
        return self.memory / self.limit if self.limit else 0.0


@dataclass(frozen=True)
class Machine:
    """What stands above the table."""

    name: str
    running: int
    stopped: int
    processors: int
    memory: int


@dataclass(frozen=True)
class _Column:
    title: str
    text: Callable[[Usage], str]
    right: bool = True


COLUMNS = (
    _Column("NAME", lambda u: u.name, right=False),
    _Column("IMAGE", lambda u: u.image, right=False),
    _Column("CPU %", lambda u: f"{u.processor * 100:.1f}%"),
    _Column("MEMORY", lambda u: binary_size(u.memory)),
    _Column("MEM %", lambda u: f"{u.memory_share * 100:.1f}%"),
    _Column("NET IN/s", lambda u: human_size(u.received)),
    _Column("NET OUT/s", lambda u: human_size(u.sent)),
    _Column("READ/s", lambda u: human_size(u.read)),
    _Column("WRITE/s", lambda u: human_size(u.written)),
    _Column("PIDS", lambda u: str(u.processes)),
    _Column("STATUS", lambda u: u.status, right=False),
)
_LEFT_OUT_FIRST = ("IMAGE", "STATUS", "MEM %", "PIDS", "WRITE/s", "READ/s", "NET OUT/s", "NET IN/s")

ORDERS: Mapping[str, tuple[str, Callable[[Usage], float | str]]] = {
    "cpu": ("CPU %", lambda u: -u.processor),
    "memory": ("MEMORY", lambda u: -u.memory),
    "network": ("NET IN/s", lambda u: -(u.received + u.sent)),
    "disk": ("READ/s", lambda u: -(u.read + u.written)),
    "processes": ("PIDS", lambda u: -u.processes),
    "name": ("NAME", lambda u: u.name),
}
"""By what rows are sorted, and the column that then has the mark."""


def usage(row: Json, now: Json, before: Json | None, seconds: float) -> Usage:
    """Return what a container, a row of the listing, used in the seconds between two samples."""
    name = str((row.get("Names") or [row["Id"][:12]])[0]).removeprefix("/")
    status, image = str(row.get("Status", "")), str(row.get("Image", ""))

    def rates(read: Callable[[Json], tuple[int, int]]) -> tuple[float, float]:
        if before is None or seconds <= 0:
            return 0.0, 0.0
        first, second = (max(0, n - b) for n, b in zip(read(now), read(before), strict=True))
        return first / seconds, second / seconds

    return Usage(
        *(name, image, status, figures.processor_share(now, before) if before else 0.0),
        *(figures.memory_used(now), figures.memory_limit(now)),
        *rates(figures.transferred),
        *rates(figures.moved),
        figures.processes(now),
    )


def ordered(rows: Iterable[Usage], order: str) -> list[Usage]:
    """Sort the rows; those that are equal by name."""
    _, key = ORDERS[order]
    return sorted(sorted(rows, key=lambda u: u.name), key=key)


def head(machine: Machine, rows: Sequence[Usage]) -> str:
    """Return the line above the table."""
    processor, memory = sum(u.processor for u in rows), sum(u.memory for u in rows)
    return "   ".join((
        f"boxship on {machine.name}",
        f"{machine.running} running, {machine.stopped} stopped",
        f"CPU {processor * 100:.1f}% of {machine.processors * 100}%",
        f"memory {binary_size(memory)} of {binary_size(machine.memory)}",
    ))  # fmt: skip


def table(rows: Sequence[Usage], order: str, width: int = 0) -> list[str]:
    """Return the titles and a line for each row; columns that do not fit ``width`` are left out."""
    marked, _ = ORDERS[order]
    cells = {column.title: _cells(column, rows, column.title == marked) for column in COLUMNS}
    widths = {title: max(map(len, texts)) for title, texts in cells.items()}
    shown = list(COLUMNS)
    for title in _LEFT_OUT_FIRST:
        if not width or sum(widths[c.title] + _GAP for c in shown) - _GAP <= width:
            break
        shown = [column for column in shown if column.title != title]
    lines = []
    for at in range(len(rows) + 1):
        texts = (f"{cells[c.title][at]:{'>' if c.right else '<'}{widths[c.title]}}" for c in shown)
        lines.append((" " * _GAP).join(texts).rstrip())
    return lines


def _cells(column: _Column, rows: Sequence[Usage], marked: bool) -> list[str]:
    title = column.title + (_MARK if marked else "")
    longest = _LONGEST.get(column.title)
    return [title, *(_cut(column.text(row), longest) for row in rows)]


def _cut(text: str, longest: int | None) -> str:
    return text if longest is None or len(text) <= longest else text[: longest - 1] + "…"


def screen(
    machine: Machine, rows: Sequence[Usage], order: str, width: int, height: int
) -> list[str]:
    """Return what a terminal of that size shows: as many rows as fit, and what the keys do."""
    lines = table(ordered(rows, order), order, width)
    room = max(1, height - 4)
    if len(lines) - 1 > room:
        more = len(lines) - room
        lines = [*lines[:room], f"… {more} more"]
    keys = "c CPU  m memory  n network  d disk  p processes  a name   q leave"
    every = [head(machine, rows), "", *lines, *[""] * (height - 3 - len(lines)), keys]
    return [line[:width] for line in every]
