r"""What a builder tells, as the classic stream shows it: one step after the other. Pure. ::

    BuildPlan ──► Step 1/3 : FROM busybox
                   ---> 7d2e8c5c1a30
                  Step 2/3 : RUN make          ◄── Vertex, VertexLog of that step
                   ---> Running in 0c6b1f0f9a61
                  …                                what later steps say meanwhile is kept
                   ---> Removed intermediate container 0c6b1f0f9a61
                   ---> 1eb904714479
                  Step 3/3 : CMD ["sh"]        ◄── has no vertex: it is said, and passed

Stages run side by side, and the stream is in the Dockerfile's order all the same: of each step
that is not its turn yet, output is kept up to a limit. The ids behind arrows are those of the
topmost layer: there are no images between steps.
"""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field

from boxship.api.views.transfers import sized_bar
from boxship.base.ids import short_id
from boxship.engine.build.progress import (
    BuildPlan,
    PlannedStep,
    ProgressEvent,
    Vertex,
    VertexLog,
    VertexStatus,
    VertexWarning,
)
from boxship.oci.digest import Digest
from boxship.wire.jsonstream import Progress, ProgressDetail

MOST_KEPT = 1 << 20
"""Bytes of output that are kept of a step whose turn has not come."""
_STDERR = 2
_RED, _PLAIN = "\x1b[91m", "\x1b[0m"
_SHORT = 12


@dataclass(slots=True)
class _Seen:
    """What is known of a vertex."""

    last: Vertex | None = None
    begun: bool = False
    kept: list[Progress] = field(default_factory=list)
    size: int = 0
    dropped: int = 0
    decoders: dict[int, codecs.IncrementalDecoder] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        return self.last is not None and self.last.completed_ns is not None


class ClassicProgress:
    """Takes events, gives lines."""

    def __init__(self) -> None:
        self._steps: tuple[PlannedStep, ...] = ()
        self._next = 0
        self._said = False
        self._seen: dict[Digest, _Seen] = {}
        self._warnings: list[str] = []

    def feed(self, event: ProgressEvent) -> Iterator[Progress]:
        """Take an event; yield the lines that can be said now."""
        if isinstance(event, BuildPlan):
            self._steps = event.steps
        elif isinstance(event, Vertex):
            self._of(event.digest).last = event
        elif isinstance(event, VertexLog):
            yield from self._output(event)
        elif isinstance(event, VertexStatus):
            # Before there is a plan, base images are fetched that it depends on.
            if not self._steps or self._is_turn_of(event.vertex):
                yield _count(event)
        elif isinstance(event, VertexWarning):
            self._warnings.append(_warning(event))
        yield from self._advance()

    def failed(self, vertex: Digest) -> Iterator[Progress]:
        """Say what a step that failed has said, if its turn had not come."""
        step = next((step for step in self._steps if step.vertex == vertex), None)
        if step is None or self._is_turn_of(vertex):
            return
        yield from _title(step)
        yield from _begin(step, self._of(vertex))
        yield from _release(self._of(vertex))

    def instruction(self, vertex: Digest) -> str:
        """Return the first word of a vertex's step; empty if it has none."""
        texts = (step.text for step in self._steps if step.vertex == vertex)
        return next(texts, "").partition(" ")[0].upper()

    def warnings(self) -> Iterator[Progress]:
        """Say at the end what is unwise."""
        for text in dict.fromkeys(self._warnings):
            yield Progress(stream=f"[Warning] {text}\n")

    def _of(self, vertex: Digest) -> _Seen:
        return self._seen.setdefault(vertex, _Seen())

    def _is_turn_of(self, vertex: Digest) -> bool:
        return self._next < len(self._steps) and self._steps[self._next].vertex == vertex

    def _advance(self) -> Iterator[Progress]:
        while self._next < len(self._steps):
            step = self._steps[self._next]
            if not self._said:
                self._said = True
                yield from _title(step)
            if step.vertex is not None:
                seen = self._of(step.vertex)
                yield from _begin(step, seen)
                yield from _release(seen)
                if not seen.is_over:
                    return
                yield from _end(step, seen)
                if seen.last is not None and seen.last.error:
                    return  # the failure itself is the stream's last line
            self._next += 1
            self._said = False

    def _output(self, event: VertexLog) -> Iterator[Progress]:
        seen = self._of(event.vertex)
        if seen.size > MOST_KEPT:
            seen.dropped += len(event.data)
            return
        decoder = seen.decoders.setdefault(
            event.stream, codecs.getincrementaldecoder("utf-8")("replace")
        )
        text = decoder.decode(event.data)
        if not text:
            return
        if event.stream == _STDERR:
            text = f"{_RED}{text}{_PLAIN}"
        if self._is_turn_of(event.vertex) and self._said:
            yield from _begin(self._steps[self._next], seen)
            yield Progress(stream=text)
        else:
            seen.kept.append(Progress(stream=text))
            seen.size += len(event.data)


def _title(step: PlannedStep) -> Iterator[Progress]:
    yield Progress(stream=f"Step {step.number}/{step.total} : {step.text}")
    yield Progress(stream="\n")


def _begin(step: PlannedStep, seen: _Seen) -> Iterator[Progress]:
    """Say that a command runs, once it does."""
    last = seen.last
    if seen.begun or last is None or last.started_ns is None or last.cached:
        return
    seen.begun = True
    if _is_command(step):
        yield Progress(stream=f" ---> Running in {_short(last.digest)}\n")


def _release(seen: _Seen) -> Iterator[Progress]:
    yield from seen.kept
    if seen.dropped:
        yield Progress(stream=f"[{seen.dropped} bytes of output left out]\n")
    seen.kept, seen.size, seen.dropped = [], 0, 0


def _end(step: PlannedStep, seen: _Seen) -> Iterator[Progress]:
    last = seen.last
    if last is None or last.error:
        return
    if last.cached and not step.text.upper().startswith("FROM "):
        yield Progress(stream=" ---> Using cache\n")
    elif seen.begun and _is_command(step):
        yield Progress(stream=f" ---> Removed intermediate container {_short(last.digest)}\n")
    yield Progress(stream=f" ---> {_short(last.layers[-1] if last.layers else last.digest)}\n")


def _is_command(step: PlannedStep) -> bool:
    return step.text.upper().startswith("RUN ")


def _short(digest: Digest) -> str:
    return digest.hex[:_SHORT]


def _count(event: VertexStatus) -> Progress:
    done = event.completed_ns is not None
    moving = not done and bool(event.current or event.total)
    return Progress(
        status=event.name or ("Done" if done else "Working"),
        progress_detail=ProgressDetail(event.current, event.total),
        progress=sized_bar(event.current, event.total) if moving else "",
        id=short_id(event.id.rpartition(" ")[2]),
    )


def _warning(event: VertexWarning) -> str:
    line = f" (line {event.ranges[0].start})" if event.ranges else ""
    rule = f"{event.rule}: " if event.rule and not event.short.startswith(event.rule) else ""
    return f"{rule}{event.short}{line}"
