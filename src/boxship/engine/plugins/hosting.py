"""Processes of plugins that come as Python packages: started when first asked for, found again.

::

    <exec-root>/hosted/<name>.sock     where it listens
    <exec-root>/hosted/<name>.pid      its process, which outlives the daemon

Containers outlive the daemon, and what they log to or have mounted has to as well. So a daemon that
comes later uses a process that answers, and starts another one where none does.
"""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time

from boxship.base.files import write_atomic
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.errors import PluginUnreachableError

_log = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds for a process to listen: it imports whatever its package needs."""
_LAST_WORDS = 2.0
_MOMENT = 0.02


class Hosts:
    """Belongs to the event loop; whoever calls it asks for one name at a time."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._started: dict[str, int] = {}
        """Process ids of those that this daemon has started."""

    async def endpoint(self, name: str) -> Endpoint:
        """Return where a package's plugin listens. PluginUnreachableError: it ends at once."""
        path = f"{self._directory}/{name}.sock"
        if not await asyncio.to_thread(_answers, path):
            await self._start(name, path)
        return Endpoint(path=path)

    async def _start(self, name: str, path: str) -> None:
        before = self._started.pop(name, 0)
        if before:
            _log.warning("plugin %s does not answer and is started again", name)
            await asyncio.to_thread(_end, before, path)
        os.makedirs(self._directory, 0o700, exist_ok=True)
        pid = self._started[name] = _spawn(name, path)
        write_atomic(f"{self._directory}/{name}.pid", f"{pid}\n".encode(), durable=False)
        until = asyncio.get_running_loop().time() + _PATIENCE
        while not await asyncio.to_thread(_answers, path):
            code = _exit_code(pid)
            if code is not None:
                del self._started[name]
                raise PluginUnreachableError(
                    f"plugin {name} ended with exit code {code}: its reason is in the daemon's log"
                )
            if asyncio.get_running_loop().time() > until:
                raise PluginUnreachableError(
                    f"plugin {name} does not listen after {_PATIENCE:g} seconds"
                )
            await asyncio.sleep(_MOMENT)

    def stop(self) -> None:
        """End all processes, also those that an earlier daemon has started. Blocking."""
        self._started.clear()
        with contextlib.suppress(FileNotFoundError):
            for entry in os.listdir(self._directory):
                name, ending = os.path.splitext(entry)
                if ending == ".pid":
                    path = f"{self._directory}/{name}"
                    with contextlib.suppress(OSError, ValueError):
                        with open(f"{path}.pid", encoding="ascii") as file:
                            _end(int(file.read()), f"{path}.sock")
                        os.unlink(f"{path}.pid")


def _spawn(name: str, path: str) -> int:
    """Start a host, and return its process id. It gets nothing of the daemon's but its log.

    Its session is its own: signals to the daemon's process group are not for it.
    """
    program = [sys.executable, "-m", "boxship.plugin.host", name, path]
    nothing = (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)
    return os.posix_spawn(sys.executable, program, os.environ, file_actions=[nothing], setsid=True)


def _end(pid: int, path: str) -> None:
    """Have a host end; one that is another process by now is left alone."""
    if not _is_host(pid, path):
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return
    os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + _LAST_WORDS
    while not _has_ended(pid, path):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(_MOMENT)


def _has_ended(pid: int, path: str) -> bool:
    """Tell whether it has, and be rid of it where we have started it."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return not _is_host(pid, path)


def _exit_code(pid: int) -> int | None:
    """Return how a process of ours has ended; ``None``: it has not."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def _answers(path: str) -> bool:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
            probe.settimeout(1)
            probe.connect(path)
    except OSError:
        return False
    return True


def _is_host(pid: int, path: str) -> bool:
    """Tell whether a process is the one that was started for a socket: ids are used again."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return file.read().split(b"\0")[-2:-1] == [os.fsencode(path)]
    except OSError:
        return False
