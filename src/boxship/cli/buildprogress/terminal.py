"""``--progress tty``: the steps of a build on a terminal, drawn anew as they go on.

::

    [+] Building 1.4s (5/7)
     => [internal] load build definition from Dockerfile                  0.0s
     => CACHED [a 1/3] FROM docker.io/library/busybox                     0.0s
     => [a 2/3] RUN make                                                  1.1s
     => => # cc -c main.c

``frame`` decides what is on the screen; the display moves the cursor and writes it.
"""

import os
import re
from typing import TextIO

from boxship.cli.buildprogress.trace import Job, Trace, is_cancelled
from boxship.cli.buildprogress.words import amount, seconds
from boxship.client.buildkit.progress import Status, Update

LOG_LINES = 6
_USUAL_SIZE = 80, 24
_CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")
_BLUE, _RED, _YELLOW, _PLAIN = "\x1b[34m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_UP, _CLEAR, _HIDE, _SHOW = "\x1b[{}A", "\x1b[K", "\x1b[?25l", "\x1b[?25h"


def frame(
    trace: Trace, now: int, began: int, columns: int, rows: int, *, over: bool = False
) -> list[tuple[str, str]]:
    """Return lines with their colors, as many as fit; all of them if the build is ``over``."""
    jobs = list(trace.jobs.values())
    done = sum(job.is_done for job in jobs)
    head = f"[+] Building {seconds(now - began)} ({done}/{len(jobs)})"
    lines = [(_cut(head + (" FINISHED" if over else ""), columns), "")]
    shown = [job for job in jobs if job.vertex.started is not None or job.is_done]
    for job in shown if over else _fitting(shown, rows - 2):
        lines += _of_job(job, now, columns, over=over)
    return lines if over else lines[: max(1, rows - 1)]


def _fitting(jobs: list[Job], room: int) -> list[Job]:
    """Leave out the oldest of those that are done, until the rest fits."""
    heights = {id(job): _height(job) for job in jobs}
    excess = sum(heights.values()) - room
    kept = []
    for job in jobs:
        if excess > 0 and job.is_done and not job.vertex.error:
            excess -= heights[id(job)]
            continue
        kept.append(job)
    return kept


def _height(job: Job) -> int:
    return 1 + len(job.statuses) + (min(len(job.tail), LOG_LINES) if job.is_running else 0)


def _of_job(job: Job, now: int, columns: int, *, over: bool) -> list[tuple[str, str]]:
    vertex, color = job.vertex, _BLUE if job.is_done else ""
    word = ""
    if vertex.error:
        word, color = ("CANCELED ", _YELLOW) if is_cancelled(job) else ("ERROR ", _RED)
    elif vertex.cached:
        word = "CACHED "
    lines = [(_row(f" => {word}{vertex.name}", seconds(job.elapsed(now)), columns), color)]
    for status in job.statuses.values():
        text = f" => => {status.id or status.name}{amount(status)}"
        lines.append((_row(text, seconds(_elapsed(status, now)), columns), color))
    if job.is_running and not over:
        tail = list(job.tail)[-LOG_LINES:]
        lines += [(_cut(f" => => # {_printable(line.text)}", columns), "") for line in tail]
    return lines


def _elapsed(status: Status, now: int) -> int:
    if status.started is None:
        return 0
    return max(0, (now if status.completed is None else status.completed) - status.started)


def _row(text: str, right: str, columns: int) -> str:
    room = max(1, columns - len(right) - 1)
    return f"{_cut(_printable(text), room):<{room}} {right}"


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else text[: max(0, columns - 1)] + "…"


def _printable(text: str) -> str:
    """Nothing that a build says may move the cursor of who watches it."""
    return _CONTROLS.sub("", text.expandtabs(4))


class TerminalDisplay:
    """Draws frames over each other."""

    def __init__(self, output: TextIO, began: int, *, colors: bool = True) -> None:
        self.trace = Trace()
        self._output = output
        self._began = began
        self._colors = colors
        self._drawn = 0

    def show(self, update: Update, now: int) -> None:
        self.trace.add(update)

    def tick(self, now: int) -> None:
        self._draw(now, over=False)

    def finish(self, now: int) -> None:
        self._draw(now, over=True)

    def _size(self) -> tuple[int, int]:
        """Of the terminal that is drawn on, which need not be standard output."""
        try:
            return os.get_terminal_size(self._output.fileno())
        except OSError:
            return _USUAL_SIZE

    def _draw(self, now: int, *, over: bool) -> None:
        columns, rows = self._size()
        lines = frame(self.trace, now, self._began, columns - 1, rows, over=over)
        text = _HIDE + (_UP.format(self._drawn) if self._drawn else "") + "\r"
        for line, color in lines:
            text += (f"{color}{line}{_PLAIN}" if color and self._colors else line) + _CLEAR + "\n"
        surplus = self._drawn - len(lines)
        if surplus > 0:
            text += f"{_CLEAR}\n" * surplus + _UP.format(surplus)
        self._output.write(text + _SHOW)
        self._output.flush()
        self._drawn = len(lines)
