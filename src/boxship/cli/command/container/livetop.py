"""``boxship top`` without a container: a table of all that run, drawn again and again.

On a terminal it has the whole screen until ``q``; elsewhere the table is written once.
"""

import os
import select
import termios
import time
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from boxship.base.errors import NotFoundError
from boxship.cli.format.livetable import (
    Json,
    Machine,
    Usage,
    head,
    ordered,
    screen,
    table,
    usage,
)
from boxship.cli.session import Session
from boxship.cli.streams import terminal
from boxship.client import containers, system

_ENTER, _LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _CLEAR_LINE, _CLEAR_REST = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_KEYS = {order[0]: order for order in ("cpu", "memory", "network", "disk", "processes")}
_KEYS["a"] = "name"
_ESCAPE = "\x1b"
_END = ("q", "Q", "\x03", _ESCAPE, "")
_USUAL_SIZE = 24, 80


class _Samples(NamedTuple):
    at: float
    rows: tuple[Json, ...]
    counters: Mapping[str, Json]


def run(session: Session, *, order: str, interval: float, once: bool) -> int:
    """Show it; return the exit code."""
    before = _sample(session)
    on_screen = not once and session.out.isatty() and terminal.is_terminal(terminal.STDIN)
    if not on_screen:
        time.sleep(interval)
        machine, rows = _look(session, before, _sample(session))
        lines = (head(machine, rows), "", *table(ordered(rows, order), order))
        session.out.write("".join(f"{line}\n" for line in lines))
        return 0
    with _whole_screen(session):
        machine, rows = _look(session, before, before)
        while True:
            _draw(session, machine, rows, order)
            key = _key(interval)
            if key is None:
                now = _sample(session)
                (machine, rows), before = _look(session, before, now), now
            elif key in _END:
                return 0
            else:
                order = _KEYS.get(key, order)


def _sample(session: Session) -> _Samples:
    rows, counters = tuple(containers.listing(session.client)), {}
    for row in rows:
        try:
            counters[row["Id"]] = containers.statistics(session.client, row["Id"])
        except NotFoundError:
            continue  # removed meanwhile
    return _Samples(time.monotonic(), rows, counters)


def _look(session: Session, before: _Samples, now: _Samples) -> tuple[Machine, list[Usage]]:
    info = system.info(session.client)
    machine = Machine(
        name=info.get("Name", ""),
        running=info.get("ContainersRunning", 0) + info.get("ContainersPaused", 0),
        stopped=info.get("ContainersStopped", 0),
        processors=info.get("NCPU", 1),
        memory=info.get("MemTotal", 0),
    )
    passed = now.at - before.at
    past = before.counters if passed else {}
    rows = [
        usage(row, now.counters[row["Id"]], past.get(row["Id"]), passed)
        for row in now.rows
        if row["Id"] in now.counters
    ]
    return machine, rows


def _draw(session: Session, machine: Machine, rows: list[Usage], order: str) -> None:
    height, width = terminal.size()
    if not height:
        height, width = _USUAL_SIZE
    bold, plain = ("", "") if session.environment.get("NO_COLOR") else (_BOLD, _PLAIN)
    lines = screen(machine, rows, order, width, height)
    lines[2] = f"{bold}{lines[2]}{plain}"
    text = f"{_CLEAR_LINE}\r\n".join(lines)
    session.out.write(f"{_HOME}{text}{_CLEAR_LINE}{_CLEAR_REST}")
    session.out.flush()


def _key(interval: float) -> str | None:
    """Return the next key, empty at the end of the input; None if none came in time."""
    if not _is_readable(interval):
        return None
    key = _character()
    if key == _ESCAPE and _is_readable(0):  # not that key: an arrow or the like begins so
        key += _character()
        while key[1:2] in ("[", "O") and _is_readable(0):
            key += (last := _character())
            if not last or "@" <= last <= "~":  # the end of it (ECMA-48, 5.4)
                break
    return key


def _character() -> str:
    return os.read(terminal.STDIN, 1).decode(errors="replace")


def _is_readable(seconds: float) -> bool:
    return bool(select.select([terminal.STDIN], [], [], seconds)[0])


@contextmanager
def _whole_screen(session: Session) -> Iterator[None]:
    """Have the terminal's other screen, and each key at once."""
    before = termios.tcgetattr(terminal.STDIN)
    tty.setcbreak(terminal.STDIN, termios.TCSADRAIN)
    session.out.write(_ENTER)
    try:
        yield
    finally:
        session.out.write(_LEAVE)
        session.out.flush()
        termios.tcsetattr(terminal.STDIN, termios.TCSADRAIN, before)
