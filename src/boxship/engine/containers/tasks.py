"""The launcher's end in the daemon: where shims come from.

The launcher is one process that does nothing but fork. Without it nothing new can be started, and
everything that runs goes on; so it is started again when it dies, and a start that falls into the
gap waits for the next one.
"""

import asyncio
import contextlib
import logging
import os
import select
import signal
import socket
from typing import Protocol

from boxship.base.errors import UnavailableError
from boxship.runtime import launcher_start

_log = logging.getLogger(__name__)
_PAUSE = 0.1
_PATIENCE = 5.0  # seconds a launcher may take to leave
_LONGEST_PAUSE = 10.0


class ShimSource(Protocol):
    """Makes shims. The real one is :class:`LauncherLink`; tests bring one of their own."""

    async def new_shim(self) -> socket.socket:
        """Return the daemon's end of a new shim's control connection. UnavailableError: can't."""
        ...

    def replace(self) -> None:
        """What was made last does not answer: make shims in another way from now on."""
        ...

    async def close(self) -> None:
        """Let go of the source; shims live on."""
        ...


class LauncherLink:
    """Starts the launcher, watches it, starts it again."""

    def __init__(self, run_directory: str) -> None:
        self._run_directory = run_directory
        self._connection: socket.socket | None = None
        self._pid = 0
        self._pidfd = -1
        self._pause = _PAUSE
        self._restart: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._closing = asyncio.Event()

    @property
    def pid(self) -> int:
        """The launcher's process id; 0 while there is none."""
        return self._pid

    async def open(self) -> None:
        """Start the launcher. Must be called before :meth:`new_shim`."""
        loop = asyncio.get_running_loop()
        pid, connection = await loop.run_in_executor(
            None, launcher_start.spawn_launcher, self._run_directory
        )
        self._pid, self._connection = pid, connection
        self._pidfd = os.pidfd_open(pid)
        loop.add_reader(self._pidfd, self._died)
        self._ready.set()

    async def new_shim(self) -> socket.socket:
        try:
            async with asyncio.timeout(_LONGEST_PAUSE):
                while (ours := self._ask()) is None:
                    await self._ready.wait()
        except TimeoutError:
            raise UnavailableError(
                "the launcher is gone and could not be started again yet"
            ) from None
        return ours

    def _ask(self) -> socket.socket | None:
        """Ask the launcher for a shim; None if it has to be started first."""
        if self._connection is None:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                launcher_start.request_shim(self._connection, theirs)
            except OSError as error:
                ours.close()
                _log.warning("the launcher does not answer: %s", error)
                self._ready.clear()  # until its end has been noticed and it runs again
                return None
        return ours

    def replace(self) -> None:
        """Kill a launcher that hangs; its end is noticed, and another is started."""
        if self._pidfd >= 0:
            _log.error("the launcher (pid %d) does not answer; killing it", self._pid)
            self._ready.clear()
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    async def close(self) -> None:
        """Hang up, which ends the launcher, and wait until it has gone."""
        self._closing.set()
        if self._restart is not None:
            await self._restart  # not cancelled: it may just be holding a new launcher
        if self._pidfd >= 0:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._pidfd)
            self._hang_up()
            await loop.run_in_executor(None, _end, self._pid, self._pidfd)
            self._forget()

    def _died(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        _log.error(
            "the launcher (pid %d) died; running containers are unaffected; starting another",
            self._pid,
        )
        self._ready.clear()
        self._hang_up()
        _reap(self._pid)
        self._forget()
        if not self._closing.is_set():
            self._restart = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        while not self._closing.is_set():
            try:
                await self.open()
            except OSError as error:
                _log.error("the launcher cannot be started: %s", error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), self._pause)
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
            else:
                _log.info("the launcher runs again as pid %d", self._pid)
                self._pause = _PAUSE
                return

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        if self._pidfd >= 0:
            os.close(self._pidfd)
        self._pid, self._pidfd = 0, -1


def _end(pid: int, pidfd: int) -> None:
    """Wait for a launcher that was told to leave; one that hangs is killed."""
    if not select.select([pidfd], [], [], _PATIENCE)[0]:
        _log.error("the launcher (pid %d) does not leave; killing it", pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    _reap(pid)


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)
