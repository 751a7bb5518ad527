"""``network map`` as lines of text, for terminals of any width.

Wide, a container is one line, its columns aligned within the network; narrow, what does not fit
goes to lines of its own below. ::

    ○ backend  bridge  172.18.0.0/16  br-0123456789ab
    │  internal: no way out or in
    ├─● web  172.18.0.2  0.0.0.0:8080->80/tcp
    └─○ job  exited
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from boxship.cli.format.networkpicture import DrawnNetwork, Station

NARROWEST = 20


class Signs(NamedTuple):
    """What lines are drawn with."""

    network: str
    branch: str
    last: str
    pass_by: str
    running: str
    stopped: str
    cut: str


UNICODE = Signs("◆ ", "├─", "└─", "│ ", "● ", "○ ", "…")
ASCII = Signs("# ", "|-", "`-", "| ", "* ", "o ", "~")


def draw(networks: Iterable[DrawnNetwork], *, width: int, signs: Signs = UNICODE) -> str:
    """Return the map; no line is longer than ``width`` (at least ``NARROWEST``) characters."""
    pen = _Pen(max(width, NARROWEST), signs)
    blocks = ["".join(f"{line}\n" for line in pen.network(one)) for one in networks]
    return "\n".join(blocks)


class _Pen:
    """Draws in so many columns."""

    def __init__(self, width: int, signs: Signs) -> None:
        self._width, self._signs = width, signs

    def network(self, network: DrawnNetwork) -> Iterator[str]:
        facts = (network.driver, ", ".join(network.subnets), _gateways(network), network.interface)
        below = self._signs.pass_by if network.stations else "  "
        head = self._signs.network + network.name
        yield from self._filled(head, filter(None, facts), below)
        for rule in network.rules:
            yield from self._wrapped(f"{below} ! {rule}", below + "   ")
        rows = [_cells(station) for station in network.stations]
        sizes = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for station, cells in zip(network.stations, rows, strict=True):
            is_last = station is network.stations[-1]
            yield from self._station(station, cells, sizes, is_last=is_last)

    def _station(
        self, station: Station, cells: tuple[str, ...], sizes: list[int], *, is_last: bool
    ) -> Iterator[str]:
        signs = self._signs
        dot = signs.running if station.state in ("running", "paused") else signs.stopped
        head = (signs.last if is_last else signs.branch) + dot
        margin = ("  " if is_last else signs.pass_by) + "    "
        columns = [cell.ljust(size) for cell, size in zip(cells, sizes, strict=True) if size]
        line = (head + "  ".join(columns)).rstrip()
        if len(line) <= self._width:
            yield line
        else:
            yield from self._filled(head + cells[0], filter(None, cells[1:]), margin)
        for remark in _remarks(station):
            yield from self._wrapped(margin + remark, margin + "  ")

    def _filled(self, head: str, facts: Iterable[str], margin: str) -> Iterator[str]:
        """Put facts behind the head while there is room, then on lines of their own."""
        line = head
        for fact in facts:
            if len(line) + 2 + len(fact) <= self._width:
                line += f"  {fact}"
                continue
            yield from self._wrapped(line, margin + "  ")
            line = f"{margin}  {fact}"
        yield from self._wrapped(line, margin + "  ")

    def _wrapped(self, line: str, margin: str) -> Iterator[str]:
        """Break a line at blanks; a word for which there is no room is cut."""
        while len(line) > self._width:
            at = line.rfind(" ", len(margin) + 1, self._width + 1)
            if at < 0:
                at = line.find(" ", self._width)
                yield line[: self._width - 1] + self._signs.cut
                if at < 0:
                    return
            else:
                yield line[:at].rstrip()
            line = margin + line[at + 1 :]
        yield line


def _gateways(network: DrawnNetwork) -> str:
    return f"gateway {', '.join(network.gateways)}" if network.gateways else ""


def _cells(station: Station) -> tuple[str, ...]:
    state = "" if station.state == "running" else station.state
    return station.name, state, ", ".join(station.addresses), ", ".join(station.ports)


def _remarks(station: Station) -> Iterator[str]:
    for what, names in (
        ("also called", station.aliases),
        ("also on", station.also_on),
        ("shared with", station.sharing),
        ("egress", station.egress),
    ):
        if names:
            yield f"{what} {', '.join(names)}"
