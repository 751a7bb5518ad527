"""A budget for the logs of all containers together: over it, the oldest rotated files go first.

What is being written is never touched; that is bounded by ``max-size`` of each log. So a budget
that is smaller than what is being written can't be kept, which the daemon's log says.
"""

import asyncio
import contextlib
import heapq
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass

from boxship.base.units import format_decimal_size
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.logsegment import rotated

_log = logging.getLogger(__name__)
_PERIOD = 10.0
"""Seconds between two looks; a disk that is written at 100 MB/s gets 1 GB meanwhile."""


@dataclass(frozen=True)
class RotatedFile:
    """A file that could go."""

    path: str
    size: int
    written_ns: int


@dataclass(frozen=True)
class Log:
    """A container's log: what is being written, and what was before, the oldest first."""

    container_id: str
    current: int
    rotated: tuple[RotatedFile, ...] = ()


@dataclass(frozen=True)
class Cut:
    """What is to go, and the bytes by which the budget is exceeded nevertheless."""

    files: tuple[tuple[str, RotatedFile], ...]
    """With the ids of their containers."""
    excess: int = 0


def plan(logs: Iterable[Log], budget: int) -> Cut:
    """Choose what has to go, of each log from its oldest end. Pure."""
    logs = list(logs)
    total = sum(log.current + sum(file.size for file in log.rotated) for log in logs)
    heads = [(log.rotated[0].written_ns, n, 0) for n, log in enumerate(logs) if log.rotated]
    heapq.heapify(heads)
    chosen = []
    while total > budget and heads:
        _, n, index = heapq.heappop(heads)
        files = logs[n].rotated
        chosen.append((logs[n].container_id, files[index]))
        total -= files[index].size
        if index + 1 < len(files):
            heapq.heappush(heads, (files[index + 1].written_ns, n, index + 1))
    return Cut(tuple(chosen), max(0, total - budget))


async def keep(context: Context) -> None:
    """Keep the budget, as long as there is one."""
    exceeded = False
    while budget := context.settings.log_budget:
        excess = await enforce(context, budget)
        if excess and not exceeded:
            _log.warning(
                "logs take %s more than log-budget, all of it in files that are being written",
                format_decimal_size(excess),
            )
        exceeded = bool(excess)
        await asyncio.sleep(_PERIOD)


async def enforce(context: Context, budget: int) -> int:
    """Remove what is over the budget; return the bytes that are still over it."""
    containers = {container.id: container for container in context.shelf}
    cut = await asyncio.to_thread(_cut, context, list(containers.values()), budget)
    freed: dict[str, list[RotatedFile]] = {}
    for container_id, file in cut.files:
        freed.setdefault(container_id, []).append(file)
    for container_id, files in freed.items():
        _tell(context, containers[container_id], files)
    return cut.excess


def _cut(context: Context, containers: list[Container], budget: int) -> Cut:
    cut = plan([log for one in containers if (log := _look(context, one)) is not None], budget)
    for _, file in cut.files:
        with contextlib.suppress(FileNotFoundError):  # rotated away, or its container is gone
            os.unlink(file.path)
    return cut


def _look(context: Context, container: Container) -> Log | None:
    place = log_place(container.record, context.paths)
    if place is None:
        return None
    try:
        current = os.stat(place.path).st_size
        paths = rotated(place.path)
    except FileNotFoundError:  # nothing was printed yet, or its container is gone
        return None
    found = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            status = os.stat(path)
            found.append(RotatedFile(path, status.st_size, status.st_mtime_ns))
    return Log(container.id, current, tuple(found))


def _tell(context: Context, container: Container, files: list[RotatedFile]) -> None:
    size = sum(file.size for file in files)
    record = container.record
    _log.info(
        "log-budget: removed %d old log files of container %s, %s",
        len(files),
        record.name,
        format_decimal_size(size),
    )
    told = {"files": str(len(files)), "reclaimed": str(size)}
    context.announcer.say(record, "log-trim", told)
