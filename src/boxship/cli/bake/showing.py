"""One display for builds that go on side by side: steps get their target's name in front."""

import re
from dataclasses import dataclass, field
from threading import Event, Lock

from boxship.cli.buildprogress.display import Display
from boxship.cli.buildprogress.trace import Trace
from boxship.client.buildkit.progress import Update

_BRACKETS = re.compile(r"\[(?!internal\b)(.*?)\] ?(.*)", re.DOTALL)


class StoppedError(Exception):
    """Another build has failed, so this one ends."""


@dataclass(slots=True)
class SharedDisplay:
    """A display that several threads feed, one at a time. ``stopped`` ends all of them.

    ``renames`` is false where a program reads what is shown.
    """

    display: Display
    renames: bool = True
    stopped: Event = field(default_factory=Event)
    _lock: Lock = field(default_factory=Lock)

    def part(self, target: str) -> "Part":
        """Return the part of one target."""
        return Part(self, target)

    def show(self, update: Update, now: int) -> None:
        """Show what one target has told."""
        with self._lock:
            self.display.show(update, now)

    def tick(self, now: int) -> None:
        """Let the display notice that time passes."""
        with self._lock:
            self.display.tick(now)

    def finish(self, now: int) -> None:
        """Nothing more will be told by anybody."""
        with self._lock:
            self.display.finish(now)


@dataclass(slots=True)
class Part:
    """A display for the build of one target. ``trace`` has that build alone."""

    shared: SharedDisplay
    target: str
    trace: Trace = field(default_factory=Trace)

    def show(self, update: Update, now: int) -> None:
        """Show an update, with the target's name; raise StoppedError if the others have ended."""
        self.trace.add(update)
        self.shared.show(named(update, self.target) if self.shared.renames else update, now)
        self._go_on()

    def tick(self, now: int) -> None:
        """Time has passed; raise StoppedError if the others have ended."""
        self.shared.tick(now)
        self._go_on()

    def finish(self, now: int) -> None:
        """This build is over; the display is finished when all are."""

    def _go_on(self) -> None:
        if self.shared.stopped.is_set():
            raise StoppedError


def named(update: Update, target: str) -> Update:
    """Return the update as one of ``target``'s: ``[2/3] RUN x`` becomes ``[target 2/3] RUN x``."""

    def digest(one: str) -> str:
        # Steps of two builds may have one digest, and are two steps all the same.
        return f"{target} {one}"

    return Update(
        vertices=tuple(
            one._replace(
                digest=digest(one.digest),
                name=_name(one.name, target),
                inputs=tuple(map(digest, one.inputs)),
            )
            for one in update.vertices
        ),
        statuses=tuple(one._replace(vertex=digest(one.vertex)) for one in update.statuses),
        logs=tuple(one._replace(vertex=digest(one.vertex)) for one in update.logs),
        warnings=tuple(one._replace(vertex=digest(one.vertex)) for one in update.warnings),
    )


def _name(name: str, target: str) -> str:
    if not name:
        return name
    if name.startswith("[internal]"):
        return f"[{target} internal]{name.removeprefix('[internal]')}"
    match = _BRACKETS.fullmatch(name)
    return f"[{target} {match[1]}] {match[2]}" if match else f"[{target}] {name}"
