"""A daemon on demand: the default socket with nobody behind it gets one.

::

    connect ─ fails ─► lock /run/boxship/boxshipd.starting ─ connect again ─ fails ─► start boxshipd
            └ answers            (a second client waits here)       └ answers        wait for socket

The daemon gets a session of its own and outlives the client. Readiness is probed by connecting:
the socket file appears before anybody listens on it, so watching for the file would not do.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from boxship.base.errors import UnavailableError
from boxship.client.endpoint import Endpoint, UnixEndpoint
from boxship.client.errors import DaemonUnreachableError
from boxship.client.transport import Connection, connect

PATIENCE = 30.0  # seconds until a started daemon must answer
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1
_LOG_TAIL = 2000


def connect_or_start(endpoint: Endpoint, command: Sequence[str] | None = None) -> Connection:
    """A connection to the daemon at the default socket; start it if there is none.

    ``command`` is what to start, the installed boxshipd if not given.
    """
    try:
        return connect(endpoint)
    except DaemonUnreachableError as error:
        if not isinstance(endpoint, UnixEndpoint) or isinstance(error.__cause__, PermissionError):
            raise
        if os.geteuid() != 0:
            raise DaemonUnreachableError(
                f"no daemon answers at {endpoint}, and only root can start one: "
                "run 'sudo boxshipd', or name another daemon with -H or BOXSHIP_HOST"
            ) from error
    return _start(endpoint, command or daemon_command())


def _start(endpoint: UnixEndpoint, command: Sequence[str]) -> Connection:
    directory = os.path.dirname(endpoint.path)
    os.makedirs(directory, mode=0o711, exist_ok=True)
    with _exclusive(os.path.join(directory, "boxshipd.starting")):
        try:
            return connect(endpoint)  # another client was faster
        except DaemonUnreachableError:
            pass
        log = os.path.join(directory, "boxshipd.log")
        sys.stderr.write(f"boxship: no daemon at {endpoint}, starting boxshipd (log: {log})\n")
        sys.stderr.flush()
        daemon = _spawn(command, log)
        return _wait_for(endpoint, daemon, log)


@contextmanager
def _exclusive(path: str) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def daemon_command() -> list[str]:
    """``boxshipd`` beside this program, or on PATH, or this interpreter with the module."""
    beside = os.path.join(os.path.dirname(os.path.realpath(sys.argv[0])), "boxshipd")
    if os.access(beside, os.X_OK):
        return [beside]
    found = shutil.which("boxshipd")
    if found:
        return [found]
    return [sys.executable, "-c", "from boxship.daemon.main import main; main()"]


def _spawn(command: Sequence[str], log: str) -> "subprocess.Popen[bytes]":
    with open(log, "ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            cwd="/",
        )


def _wait_for(endpoint: UnixEndpoint, daemon: "subprocess.Popen[bytes]", log: str) -> Connection:
    deadline = time.monotonic() + PATIENCE
    pause = _FIRST_PAUSE
    while time.monotonic() < deadline:
        try:
            connection = connect(endpoint)
        except DaemonUnreachableError:
            pass
        else:
            daemon.returncode = 0  # it lives on; nothing is left to be said about it at our exit
            return connection
        code = daemon.poll()
        if code is not None:
            raise UnavailableError(f"boxshipd ended with code {code} at once:\n{_tail(log)}")
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise UnavailableError(f"boxshipd does not answer after {PATIENCE:.0f} s; see {log}")


def _tail(log: str) -> str:
    with open(log, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _LOG_TAIL))
        return file.read().decode("utf-8", "replace").strip()
