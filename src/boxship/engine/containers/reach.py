"""Reach a shim that another daemon started, and tell one that is gone from one that is slow.

On a busy machine, or with its log's disk stalled, a shim may take long to answer. Its container is
as healthy as any. Only these mean that there is no shim: no socket, nobody who listens at it, or a
process that has ended. ``exit.json`` settles everything without the shim.
"""

import asyncio
import errno
import os
import socket

from boxship.engine.containers import ending
from boxship.engine.containers.context import Context
from boxship.engine.containers.live import Container
from boxship.engine.containers.shimlink import ShimGoneError, ShimLink, ShimSilentError
from boxship.runtime.messages import State, StateQuery
from boxship.runtime.shim.directory import SOCKET

_NOBODY = (errno.ENOENT, errno.ECONNREFUSED)


async def call_shim(
    context: Context, container: Container, patience: float
) -> tuple[ShimLink, State] | None:
    """Connect to the container's shim and ask it how things are; None: it is gone, or of no use.

    ShimSilentError: it lives, does not answer, and has written nothing of an end.
    """
    directory = context.paths.shim(container.id)
    try:
        connection = await asyncio.to_thread(connect, directory, patience)
    except OSError as error:
        if error.errno in _NOBODY:
            return None
        _raise_if_silent(context, container, error)
        return None
    link = ShimLink(connection, ending.listener(context, container))
    try:
        state = await link.request(StateQuery(), patience=patience)
    except (ShimGoneError, ShimSilentError) as error:
        link.close()
        _raise_if_silent(context, container, error)
        return None
    except BaseException:
        link.close()
        raise
    if isinstance(state, State) and state.status != "idle":
        return link, state
    link.close()
    return None


def connect(directory: str, patience: float) -> socket.socket:
    """Connect to the shim that has this directory. Raise OSError; blocking."""
    # A socket's path may have 107 bytes only; through the directory's descriptor it has few.
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(patience)
        connection.connect(f"/proc/self/fd/{fd}/{SOCKET}")
    except BaseException:
        connection.close()
        raise
    finally:
        os.close(fd)
    return connection


def _raise_if_silent(context: Context, container: Container, error: Exception) -> None:
    has_ended = ending.recorded_exit(context, container.id) is not None
    if not has_ended and ending.shim_lives(context.paths.shim(container.id)):
        raise ShimSilentError(f"the shim of container {container.id} is silent") from error
