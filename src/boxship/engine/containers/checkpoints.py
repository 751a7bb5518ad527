"""Checkpoints of containers: made, listed, removed; ``start`` brings one back.

A checkpoint is a directory, named as the person called it, in the container's own directory or in
one that the request names; see ``boxship.runtime.checkpoint`` for what is in it. It is made under
another name and renamed, so that what is listed is whole.
"""

import asyncio
import contextlib
import os
import re
import shutil

from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.containers import states
from boxship.engine.containers.checks.modes import joined_container
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container, locked
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.settings import BUILT_IN_RUNTIME
from boxship.runtime import checkpoint
from boxship.runtime.blueprint import Plan
from boxship.runtime.messages import Json

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_UNFINISHED = ".unfinished-"


def listing(context: Context, container: Container, directory: str = "") -> list[str]:
    """Return the names, in order. NotFoundError: there is no such directory."""
    place = _place(context, container.id, directory)
    try:
        with os.scandir(place) as entries:
            found = [e.name for e in entries if _NAME.fullmatch(e.name) and _is_one(e.path)]
    except FileNotFoundError:
        if directory:
            raise NotFoundError(f"checkpoint directory {directory} does not exist") from None
        return []
    except OSError as error:
        raise InvalidArgumentError(f"checkpoint directory {directory}: {error.strerror}") from error
    return sorted(found)


async def remove(context: Context, container: Container, name: str, directory: str = "") -> None:
    """Remove one. NotFoundError: there is none of that name.

    InvalidArgumentError: it is something else, which may be anything of the host's.
    """
    async with locked(container):
        images = find(context, container, name, directory)
        if not _is_one(images):
            raise InvalidArgumentError(f"{images} is not a checkpoint")
        await asyncio.to_thread(shutil.rmtree, images)


def find(context: Context, container: Container, name: str, directory: str = "") -> str:
    """Return where it is. NotFoundError."""
    images = f"{_place(context, container.id, directory)}/{name}"
    if not _NAME.fullmatch(name) or not os.path.isdir(images):
        raise NotFoundError(
            f"checkpoint {name} does not exist for container {container.record.name}"
        )
    return images


async def create(
    context: Context, container: Container, name: str, directory: str = "", *, leave: bool = False
) -> None:
    """Save what the container does; it ends thereby unless it is to be left running.

    See :meth:`ContainerService.checkpoint` for the errors; after any of them it runs on.
    """
    if not _NAME.fullmatch(name):
        raise InvalidArgumentError(
            f"Invalid checkpoint ID ({name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed"
        )
    place = _place(context, container.id, directory)
    async with locked(container):
        record = container.record
        _check(record)
        plan = Plan.from_plain(_plan(context, record))
        await asyncio.to_thread(_dump, context, record, plan, (place, name), leave)
        if not leave:  # what is to come is no end for its restart policy
            state = states.stopped_by_user(record.state)
            context.shelf.save(container, states.step(record, state), "checkpoint")
        context.announcer.say(container.record, "checkpoint")


def _check(record: ContainerRecord) -> None:
    if record.status is Status.PAUSED:
        raise ConflictError(f"Container {record.name} is paused, unpause it before a checkpoint")
    if not record.state.alive:
        raise ConflictError(f"Container {record.name} not running")
    for what, there in (
        ("a terminal", record.config.tty),
        ("another runtime than Boxship's", record.host.runtime not in (None, "", BUILT_IN_RUNTIME)),
        (
            "networks with interfaces",
            any(endpoint.interface for endpoint in record.endpoints),
        ),
        (
            "namespaces of another container",
            any(
                joined_container(mode)
                for mode in (record.host.network_mode, record.host.pid_mode, record.host.ipc_mode)
            ),
        ),
    ):
        if there:
            raise InvalidArgumentError(
                f"Cannot checkpoint container {record.name}: it has {what}, "
                "which checkpoints do not cover"
            )


def _plan(context: Context, record: ContainerRecord) -> Json:
    return context.planner.plan(record, context.snapshots.mount(record.id), context.shelf)


def _dump(
    context: Context, record: ContainerRecord, plan: Plan, target: tuple[str, str], leave: bool
) -> None:
    """Make the directory and have CRIU fill it; blocking."""
    place, name = target
    if os.path.lexists(f"{place}/{name}"):
        raise ConflictError(
            f"checkpoint with name {name} already exists for container {record.name}"
        )
    unfinished = f"{place}/{_UNFINISHED}{name}"
    is_new = not os.path.exists(place)
    log = f"{context.paths.of(record.id).directory}/checkpoint.log"
    try:
        shutil.rmtree(unfinished, ignore_errors=True)
        os.makedirs(unfinished, 0o700)
        checkpoint.dump(plan, record.state.pid, unfinished, log, leave_running=leave)
        os.rename(unfinished, f"{place}/{name}")
    except (BoxshipError, OSError) as error:
        shutil.rmtree(unfinished, ignore_errors=True)
        if is_new:
            with contextlib.suppress(OSError):
                os.rmdir(place)
        if isinstance(error, UnavailableError):
            raise
        message = f"Cannot checkpoint container {record.name}: {error}"
        raise InternalError(message) from error


def restoring(context: Context, record: ContainerRecord, images: str, plan: Json) -> Json:
    """Return the plan of a start from a checkpoint. InvalidArgumentError: it is none of ours."""
    if any(endpoint.interface for endpoint in record.endpoints):
        raise InvalidArgumentError(
            "a container on networks with interfaces cannot be restored: disconnect it from them"
        )
    if record.config.tty:
        raise InvalidArgumentError("a container with a terminal cannot be restored")
    if record.host.runtime not in (None, "", BUILT_IN_RUNTIME):
        raise InvalidArgumentError(
            f"a container of the runtime {record.host.runtime} cannot be restored"
        )
    log = f"{context.paths.of(record.id).directory}/restore.log"
    try:
        restored: Json = checkpoint.restoring(Plan.from_plain(plan), images, log).to_plain()
    except (OSError, ValueError) as error:
        raise InvalidArgumentError(f"{images} is not a checkpoint: {error}") from error
    return restored


def _place(context: Context, container_id: str, directory: str) -> str:
    """Return where checkpoints are. InvalidArgumentError: where that is depends on who looks."""
    if directory and not os.path.isabs(directory):
        raise InvalidArgumentError(f"checkpoint directory {directory} is not an absolute path")
    return directory or f"{context.paths.of(container_id).directory}/checkpoints"


def _is_one(images: str) -> bool:
    """Tell whether a checkpoint of ours is there, and not behind a link."""
    return not os.path.islink(images) and os.path.isfile(f"{images}/{checkpoint.SAVED}")
