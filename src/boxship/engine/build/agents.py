"""A client's SSH agent behind a socket of this machine, for a step or for git."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from boxship.base.errors import UnavailableError
from boxship.engine.build.clientside import SshAgent, SshConnection

_CHUNK = 1 << 16


@asynccontextmanager
async def relayed(agent: SshAgent, path: str) -> AsyncIterator[None]:
    """Have the agent answer at the socket ``path``, which is made for root alone.

    UnavailableError: it can't be made there.
    """
    relay = _Relay(agent)
    server = await asyncio.start_unix_server(relay.serve, sock=_bound(path))
    try:
        yield
    finally:
        server.close()
        await relay.close()


def _bound(path: str) -> socket.socket:
    """Return a socket at ``path``, which may be longer than an address of a socket (107 bytes)."""
    directory, name = os.path.split(path)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        place = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            made.bind(f"/proc/self/fd/{place}/{name}")
        finally:
            os.close(place)
    except OSError as error:
        made.close()
        raise UnavailableError(f"a socket for the ssh agent can't be made: {error}") from error
    return made


class _Relay:
    """Hands each connection to a step's socket on to the client's agent."""

    def __init__(self, agent: SshAgent) -> None:
        self._agent = agent
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            connection = await self._agent.connect()
            try:
                answers = asyncio.create_task(_answer(connection, writer))
                while data := await reader.read(_CHUNK):
                    await connection.write(data)
                answers.cancel()
                await asyncio.gather(answers, return_exceptions=True)
            finally:
                await connection.close()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def close(self) -> None:
        """End what is still connected."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _answer(connection: SshConnection, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await connection.read():
            writer.write(data)
            await writer.drain()
    writer.close()
