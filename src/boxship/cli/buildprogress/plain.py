"""``--progress plain``: lines that never change, for logs and pipes.

::

    #6 [2/3] RUN make
    #6 0.121 cc -c main.c          seconds since the step began
    #6 DONE 0.5s

Steps run side by side, but are told one after the other: what others say waits until the step that
has the word ends, or is silent while others wait for longer than a person should.
"""

from dataclasses import dataclass, field
from typing import TextIO

from boxship.cli.buildprogress.trace import SECOND, Job, Line, Trace, is_cancelled
from boxship.cli.buildprogress.words import amount, seconds
from boxship.client.buildkit.progress import Status, Update

_PATIENCE = 5 * SECOND
_LONGEST_WAIT = 20 * SECOND
"""After this others have their say, however much a step that goes on has to say."""
_STATUS_EVERY = 5 * SECOND
_LATECOMERS = SECOND // 20
"""What a step did may be told a little after its end."""


@dataclass
class _Told:
    """How far a step was told."""

    since: int  # the moment from which its first line waits
    number: int = 0  # 0: it was not introduced
    waiting: list[str] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)  # the moment of each one's last line
    ended: int | None = None  # when its end was told us
    is_over: bool = False


class PlainDisplay:
    """Fed with updates, writes lines."""

    def __init__(self, output: TextIO, first_number: int = 1) -> None:
        self.trace = Trace()
        self._output = output
        self._told: dict[str, _Told] = {}
        self._number = first_number
        self._current = ""
        self._spoken = 0  # when the current one last said something

    def show(self, update: Update, now: int) -> None:
        self._tell_endings(now - _LATECOMERS)
        for vertex in update.vertices:
            self._note_vertex(self.trace.put(vertex), now)
        for status in update.statuses:
            self.trace.job(status.vertex).statuses[status.id] = status
            self._tell_status(status, now)
        for log in update.logs:
            self._tell_lines(
                self.trace.job(log.vertex), self.trace.job(log.vertex).add_log(log), now
            )
        self.trace.warnings.extend(update.warnings)
        self._speak(now)

    def tick(self, now: int) -> None:
        self._tell_endings(now - _LATECOMERS)
        self._speak(now)

    def finish(self, now: int) -> None:
        self._tell_endings(now)
        for job in self.trace.jobs.values():
            self._tell_lines(job, job.flush(), now)
        while self._waiting():
            self._turn(self._waiting()[0], now)
        self._output.flush()

    def _note_vertex(self, job: Job, now: int) -> None:
        vertex = job.vertex
        if vertex.started is None and not vertex.cached and not vertex.error:
            return
        told = self._of(vertex.digest, now)
        if job.is_done and told.ended is None:
            told.ended = now

    def _tell_endings(self, until: int) -> None:
        """Tell the ends of steps that ended up to a moment."""
        for digest, told in self._told.items():
            if told.ended is not None and told.ended <= until and not told.is_over:
                job = self.trace.jobs[digest]
                self._tell_lines(job, job.flush(), told.ended)
                told.is_over = True
                self._tell(digest, _ending(job), told.ended)

    def _tell_status(self, status: Status, now: int) -> None:
        told = self._of(status.vertex, now)
        last = told.statuses.get(status.id)
        if status.completed is None:
            if last is None:  # what is over at once is worth one line only
                told.statuses[status.id] = now
                return
            if now - last < _STATUS_EVERY:
                return
        elif last == -1:
            return
        told.statuses[status.id] = now if status.completed is None else -1
        self._tell(status.vertex, _status_line(status), now)

    def _tell_lines(self, job: Job, lines: list[Line], now: int) -> None:
        for line in lines:
            text = f"{line.offset / SECOND:.3f} {line.text}".rstrip()
            self._tell(job.vertex.digest, text, now)

    def _tell(self, digest: str, text: str, now: int) -> None:
        told = self._of(digest, now)
        if not told.waiting:
            told.since = now
        told.waiting.append(text)

    def _of(self, digest: str, now: int) -> _Told:
        return self._told.setdefault(digest, _Told(now))

    def _waiting(self) -> list[str]:
        return [name for name, told in self._told.items() if told.waiting or not told.number]

    def _speak(self, now: int) -> None:
        """Write what may be written now."""
        while True:
            if self._current:
                told = self._told[self._current]
                self._write(self._current, now)
                if not told.is_over and now - self._spoken < _PATIENCE and not self._is_late(now):
                    break
            waiting = self._waiting()
            if not waiting or (self._current and self._is_early(waiting, now)):
                break
            self._turn(waiting[0], now)
        self._output.flush()

    def _is_early(self, waiting: list[str], now: int) -> bool:
        """Whether the others should leave a step that goes on the word."""
        if self._told[self._current].is_over:
            return False
        return all(now - self._told[digest].since < _PATIENCE for digest in waiting)

    def _is_late(self, now: int) -> bool:
        return any(now - self._told[each].since >= _LONGEST_WAIT for each in self._waiting())

    def _turn(self, digest: str, now: int) -> None:
        """Give the word to another step."""
        if digest != self._current:
            if self._current and not self._told[self._current].is_over:
                self._output.write(f"#{self._told[self._current].number} ...\n")
            if self._current:
                self._output.write("\n")
            self._current = digest
            told = self._told[digest]
            if not told.number:
                told.number, self._number = self._number, self._number + 1
            self._output.write(f"#{told.number} {self.trace.job(digest).vertex.name}\n")
            self._spoken = now
        self._write(digest, now)

    def _write(self, digest: str, now: int) -> None:
        told = self._told[digest]
        if told.waiting:
            self._output.write("".join(f"#{told.number} {text}\n" for text in told.waiting))
            told.waiting.clear()
            self._spoken = now


def _ending(job: Job) -> str:
    vertex = job.vertex
    if vertex.error:
        return "CANCELED" if is_cancelled(job) else f"ERROR: {vertex.error}"
    if vertex.cached:
        return "CACHED"
    return f"DONE {seconds(job.elapsed(vertex.completed or 0))}"


def _status_line(status: Status) -> str:
    text = f"{status.id or status.name}{amount(status)}"
    end = status.completed if status.completed is not None else status.moment
    if status.started is not None and end - status.started >= SECOND // 20:
        text += f" {seconds(end - status.started)}"
    return f"{text} done" if status.completed is not None else text
