"""What is kept of a container's output and what is not, and beginning its log anew."""

import asyncio
import contextlib
import glob
import os
from dataclasses import dataclass

from boxship.base.errors import ConflictError, InternalError, InvalidArgumentError
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.logconfig import log_place
from boxship.engine.containers.shimlink import ShimGoneError
from boxship.runtime.logs.losses import Losses, forget_losses, read_losses
from boxship.runtime.messages import State, StateQuery

_REOPENS = 3
"""The protocol of the first shims that notice when their log was removed."""


@dataclass(frozen=True)
class LogFileState:
    """A file of a log: its path, and its bytes on the disk."""

    path: str
    size: int


@dataclass(frozen=True)
class LogState:
    """A log as it is. ``trouble`` is what keeps its target from taking more just now."""

    driver: str
    files: tuple[LogFileState, ...]
    losses: Losses
    waits: bool = False
    """The container's output waits for the target, and with it whoever writes."""
    trouble: str = ""


async def state(context: Context, container: Container) -> LogState:
    """Look at a container's log."""
    record = container.record
    place = log_place(record, context.paths)
    told = await _ask(container)
    return LogState(
        driver=record.host.log_config.type,
        files=await asyncio.to_thread(files_of, place.path) if place is not None else (),
        losses=read_losses(context.paths.of(record.id).directory),
        waits=told is not None and told.log_waits,
        trouble=told.log_trouble if told is not None else "",
    )


def lost_lines(context: Context, container: Container) -> int:
    """Return how many lines did not get into a container's log. It takes one look at a file."""
    return read_losses(context.paths.of(container.id).directory).lines


async def clear(context: Context, container: Container) -> int:
    """Forget what was logged until now; return the bytes that came free.

    The container goes on: its shim begins a new file with the next entry, and who follows the log
    gets what is written from then on. InvalidArgumentError: no log is kept here; ConflictError:
    the container's shim is of a version that would not notice.
    """
    record = container.record
    place = log_place(record, context.paths)
    if place is None:
        driver = record.host.log_config.type
        raise InvalidArgumentError(f"log driver {driver} keeps no log here that could be cleared")
    told = await _ask(container)
    if told is not None and told.protocol < _REOPENS:
        raise ConflictError(
            f"container {record.name} was started by an earlier version, which can't clear its "
            "log while it runs: restart the container first"
        )
    try:
        freed = await asyncio.to_thread(_remove, place.path)
        forget_losses(context.paths.of(record.id).directory)
    except OSError as error:
        raise InternalError(f"the log of {record.name} can't be cleared: {error}") from error
    context.announcer.say(record, "log-clear", {"reclaimed": str(freed)})
    return freed


def files_of(path: str) -> tuple[LogFileState, ...]:
    """Return the files of a log that are there, the current one first."""
    found = []
    for name in sorted(_names(path)):
        with contextlib.suppress(FileNotFoundError):
            found.append(LogFileState(name, os.stat(name).st_size))
    return tuple(found)


def _names(path: str) -> list[str]:
    return glob.glob(f"{glob.escape(path)}*")


def _remove(path: str) -> int:
    """Remove the files, the current one first: it is the one that others come from.

    The others twice: a rotation on its way may just be giving one of them another name.
    """
    freed = _unlink(path)
    for _ in range(2):
        freed += sum(_unlink(name) for name in _names(path) if name != path)
    return freed


def _unlink(path: str) -> int:
    try:
        size = os.stat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size


async def _ask(container: Container) -> State | None:
    """Return what its shim says; None when it has none."""
    link = container.shim
    if link is None:
        return None
    try:
        reply = await link.request(StateQuery())
    except ShimGoneError:
        return None
    return reply if isinstance(reply, State) else None
