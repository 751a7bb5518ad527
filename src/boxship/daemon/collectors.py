"""Plugins that collect the engine's metrics: given a socket, told when there is something to read.

::

    active (enabled, or found by its socket)  → the socket listens → MetricsCollector.StartMetrics
    disabled, or the daemon ends              → MetricsCollector.StopMetrics

The socket is made for the first of them. One that refuses is left alone, which the log tells.
"""

import asyncio
import contextlib
import logging
import os
import socket
from typing import TYPE_CHECKING

from boxship.api.http.server import Server
from boxship.base.errors import BoxshipError
from boxship.engine.plugins import measuring
from boxship.engine.plugins.entry import PluginEntry
from boxship.plugin.capability import Capability

if TYPE_CHECKING:
    from boxship.engine.plugins.provider import Provider
    from boxship.plugin.metrics import MetricsCollector

_log = logging.getLogger(__name__)

_FAREWELL = 0.5
"""Seconds that a collector may hold up its own end, or the daemon's."""


class Collectors:
    """The collectors of one daemon. Belongs to the event loop."""

    def __init__(self, server: Server, exec_root: str) -> None:
        """``server`` is to answer ``/metrics`` alone."""
        self._server = server
        self._directory = measuring.directory(exec_root)
        self._link = measuring.link(exec_root)
        self._open = False
        self._starting: dict[str, asyncio.Task[None]] = {}
        self._started: dict[str, Provider] = {}
        self._waking: asyncio.Task[None] | None = None

    def watch(self, plugins: PluginEntry) -> None:
        """Begin: with those that are active, and those that say where they listen."""
        plugins.watch(self)
        if plugins.is_any:
            self._waking = asyncio.get_running_loop().create_task(plugins().wake())

    def came(self, provider: "Provider") -> None:
        """Somebody is active; collectors are told in a task of their own."""
        if Capability.METRICS in provider.capabilities:
            task = asyncio.get_running_loop().create_task(self._start(provider))
            self._starting[provider.name] = task

    async def goes(self, provider: "Provider") -> None:
        """Somebody is about to end. Raises nothing."""
        starting = self._starting.pop(provider.name, None)
        if starting is not None:
            starting.cancel()
            await asyncio.wait([starting])
        if self._started.pop(provider.name, None) is not None:
            try:
                await _collector(provider).stop(within=_FAREWELL)
            except BoxshipError as error:
                _log.warning("metrics plugin %s: %s", provider.name, error)

    async def close(self) -> None:
        """Tell all of them; the socket's names go. The server is closed by whose it is."""
        tasks = [*self._starting.values(), *filter(None, [self._waking])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.gather(*map(self.goes, tuple(self._started.values())))
        if self._open:
            for path in (self._link, f"{self._directory}/{measuring.SOCKET}"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(path)

    async def _start(self, provider: "Provider") -> None:
        try:
            await self._listen()
            await _collector(provider).start()
        except (BoxshipError, OSError) as error:
            _log.warning("metrics plugin %s is not started: %s", provider.name, error)
        else:
            self._started[provider.name] = provider

    async def _listen(self) -> None:
        if self._open:
            return
        self._open = True
        try:
            await self._server.listen(_bound(self._directory, self._link))
        except BaseException:
            self._open = False
            raise


def _collector(provider: "Provider") -> "MetricsCollector":
    from boxship.plugin.metrics import MetricsCollector  # noqa: PLC0415 - loaded if plugins are

    return MetricsCollector(provider.client)


def _bound(directory: str, link: str) -> socket.socket:
    """Return the socket, for its owner alone; what an earlier daemon left is replaced. OSError."""
    path = f"{directory}/{measuring.SOCKET}"
    os.makedirs(directory, 0o755, exist_ok=True)
    for left in (path, link):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(left)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    before = os.umask(0o177)
    try:
        sock.bind(path)
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(before)
    os.symlink(os.path.relpath(path, os.path.dirname(link)), link)
    return sock
