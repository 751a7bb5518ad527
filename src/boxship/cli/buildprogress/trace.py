"""What is known of a build so far, put together from updates."""

from collections import deque
from dataclasses import dataclass, field

from boxship.client.buildkit.progress import Log, Status, Update, Vertex, Warned

TAIL = 10
"""Lines of a step that are kept for its error."""

SECOND = 1_000_000_000

LONGEST = 64 * 1024
"""Bytes of a line; one that is longer is told in parts."""


@dataclass
class Line:
    """A line of a step's output; ``offset`` is nanoseconds since the step began."""

    offset: int
    text: str


@dataclass
class _Partial:
    """A line without its end, as far as it came. Each piece is looked at once: some programs write
    byte by byte."""

    began: int
    data: bytearray = field(default_factory=bytearray)

    def add(self, piece: bytes) -> None:
        # What was written over is seen by nobody; behind a last "\r" a newline may follow.
        over = piece.rfind(b"\r", 0, -1)
        if over >= 0:
            self.data.clear()
        self.data += piece[over + 1 :]


@dataclass
class Job:
    """A step."""

    vertex: Vertex
    statuses: dict[str, Status] = field(default_factory=dict)
    tail: deque[Line] = field(default_factory=lambda: deque(maxlen=TAIL))
    _partial: dict[int, "_Partial"] = field(default_factory=dict)

    @property
    def is_running(self) -> bool:
        return self.vertex.started is not None and self.vertex.completed is None

    @property
    def is_done(self) -> bool:
        return self.vertex.completed is not None

    def elapsed(self, now: int) -> int:
        """Nanoseconds from its start to its end, or to now."""
        if self.vertex.started is None:
            return 0
        end = self.vertex.completed if self.vertex.completed is not None else now
        return max(0, end - self.vertex.started)

    def add_log(self, log: Log) -> list[Line]:
        """Return the lines that it completes; the rest waits for its end, if it is not too long."""
        held = self._partial.pop(log.stream, None)
        *whole, rest = log.data.split(b"\n")
        lines = []
        for text in whole:
            began, before = (log.moment, b"") if held is None else (held.began, held.data)
            lines.append(self._line(began, bytes(before) + text))
            held = None
        if rest or held is not None:
            held = held or _Partial(log.moment)
            held.add(rest)
            if len(held.data) > LONGEST:
                lines.append(self._line(held.began, bytes(held.data)))
            else:
                self._partial[log.stream] = held
        return lines

    def flush(self) -> list[Line]:
        """Return lines that never got their end."""
        lines = [self._line(held.began, bytes(held.data)) for held in self._partial.values()]
        self._partial.clear()
        return lines

    def _line(self, moment: int, data: bytes) -> Line:
        text = data.rstrip(b"\r").rpartition(b"\r")[2].decode("utf-8", "replace")
        line = Line(max(0, moment - (self.vertex.started or moment)), text)
        self.tail.append(line)
        return line


class Trace:
    """All steps, in the order in which they were first told of."""

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.warnings: list[Warned] = []

    def add(self, update: Update) -> None:
        for vertex in update.vertices:
            self.put(vertex)
        for status in update.statuses:
            self.job(status.vertex).statuses[status.id] = status
        for log in update.logs:
            self.job(log.vertex).add_log(log)
        self.warnings.extend(update.warnings)

    def put(self, vertex: Vertex) -> Job:
        job = self.jobs.get(vertex.digest)
        if job is None:
            job = self.jobs[vertex.digest] = Job(vertex)
        elif vertex.started is not None or job.vertex.started is None:
            # A step may be begun by several who need it; its first beginning counts.
            began = job.vertex.started
            started = vertex.started if began is None else min(began, vertex.started or began)
            job.vertex = vertex._replace(started=started, name=vertex.name or job.vertex.name)
        return job

    def job(self, digest: str) -> Job:
        """Return a step that somebody speaks of, even before it was introduced."""
        return self.jobs.get(digest) or self.put(Vertex(digest, ""))

    @property
    def failed(self) -> list[Job]:
        """Steps that went wrong by themselves, rather than being called off."""
        return [job for job in self.jobs.values() if job.vertex.error and not is_cancelled(job)]


def is_cancelled(job: Job) -> bool:
    return job.vertex.error.endswith("context canceled")
