"""The machine that runs: systemd's part of an installation, and a daemon that runs already.

A daemon of before is replaced, never stopped: on SIGUSR2 it leaves its containers to the next one
(``daemon/main.py``). systemd sends that by itself when a service is restarted (``units.py``).
"""

import fcntl
import os
import select
import shutil
import signal
import socket
import subprocess
from dataclasses import dataclass

from boxship.base.errors import UnavailableError

PID_FILE = "/run/boxship/boxshipd.pid"
_SYSTEMD = "/run/systemd/system"
_SERVICE, _SOCKET = "boxship.service", "boxship.socket"
_LIVING = ("active", "activating", "reloading", "deactivating")
_PATIENCE = 120.0
_LOG = "/run/boxship/boxshipd.log"


@dataclass(frozen=True)
class Changed:
    """What an installation has changed of what systemd or a daemon may have in memory."""

    units: bool
    socket: bool
    code: bool


@dataclass(frozen=True)
class Running:
    """A daemon that holds the default pid file, and how it was called."""

    pid: int
    arguments: tuple[str, ...]


def has_systemd() -> bool:
    """Tell whether systemd runs this machine (sd_booted(3))."""
    return os.path.isdir(_SYSTEMD) and shutil.which("systemctl") is not None


def settle(changed: Changed, program: str) -> list[str]:
    """Have the machine run what is installed now; return what was done, as lines."""
    if has_systemd():
        return _settle_systemd(changed)
    daemon = running()
    if daemon is None or not changed.code:
        return []
    replace(daemon, program)
    return [f"replaced the daemon (pid {daemon.pid}); containers run on"]


def _settle_systemd(changed: Changed) -> list[str]:
    done = []
    if changed.units:
        _systemctl("daemon-reload")
    active = _state(_SERVICE) in _LIVING
    other = None if active else running()
    if other is not None:
        make_room(other)
        done.append(f"replaced the daemon (pid {other.pid}), which systemd had not started")
    if active and changed.socket:
        _systemctl("restart", _SOCKET, _SERVICE)
    elif active and (changed.units or changed.code):
        _systemctl("restart", _SERVICE)
    else:
        _systemctl("start", _SOCKET, *([_SERVICE] if other is not None else []))
        return done
    if active and (changed.units or changed.code or changed.socket):
        done.append("replaced the daemon; containers run on")
    return done


def stop() -> None:
    """Stop the daemon, and its socket, as the configuration says about containers."""
    if has_systemd():
        units = [unit for unit in (_SOCKET, _SERVICE) if _state(unit) in _LIVING]
        if units:
            _systemctl("stop", *units)
    daemon = running()
    if daemon is not None:
        _end(daemon, signal.SIGTERM)


def reload_units() -> None:
    """Let systemd see which units there are now."""
    if has_systemd():
        _systemctl("daemon-reload")


def running(path: str = PID_FILE) -> Running | None:
    """Return the daemon that holds the lock of its pid file, None if nobody does."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = int(os.pread(descriptor, 32, 0) or b"0")
        return Running(pid, _arguments(pid)) if pid else None
    else:
        return None
    finally:
        os.close(descriptor)


def _arguments(pid: int) -> tuple[str, ...]:
    """Return the daemon's own command line: behind the interpreter, its options and the script."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = [os.fsdecode(word) for word in stream.read().split(b"\0")[:-1]]
    except FileNotFoundError:
        return ()
    for index, word in enumerate(words):
        if os.path.basename(word) == "boxshipd":
            return tuple(words[index:])
    return ("boxshipd",)


def replace(daemon: Running, program: str, log: str = _LOG) -> None:
    """Have ``program`` go on in the daemon's place, as it was called; containers run on.

    UnavailableError: the one doesn't end, or the other doesn't serve.
    """
    make_room(daemon)
    _start([program, *daemon.arguments[1:]], log)


def make_room(daemon: Running) -> None:
    """Have the daemon leave, its containers running. UnavailableError: it doesn't."""
    _end(daemon, signal.SIGUSR2)


def _end(daemon: Running, number: signal.Signals) -> None:
    try:
        descriptor = os.pidfd_open(daemon.pid)
    except ProcessLookupError:
        return
    try:
        signal.pidfd_send_signal(descriptor, number)
        ended, _, _ = select.select([descriptor], [], [], _PATIENCE)
    finally:
        os.close(descriptor)
    if not ended:
        raise UnavailableError(
            f"the daemon (pid {daemon.pid}) does not end after {_PATIENCE:.0f} s: look at its log, "
            f"end it by kill -9 {daemon.pid} (containers run on) and call this again"
        )


def _start(command: list[str], log: str) -> None:
    """Start a daemon and wait until it serves, as systemd would. UnavailableError: it ended."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as told:
        told.bind("")  # the kernel finds an abstract name
        name = "@" + told.getsockname()[1:].decode()
        with open(log, "ab") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, cwd="/", env={**os.environ, "NOTIFY_SOCKET": name},
            )  # fmt: skip
        ended = os.pidfd_open(process.pid)
        try:
            awaited = [told.fileno(), ended]
            while ended not in (happened := select.select(awaited, [], [], _PATIENCE)[0]):
                if not happened:
                    break
                if b"READY=1" in told.recv(4096).splitlines():
                    process.returncode = 0  # it lives on; nothing is left to be said about it
                    return
        finally:
            os.close(ended)
    what = f"ended with {process.wait()}" if happened else f"is silent for {_PATIENCE:.0f} s"
    raise UnavailableError(f"{command[0]} {what}: see {log}")


def _state(unit: str) -> str:
    done = subprocess.run(
        ["systemctl", "is-active", unit], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def _systemctl(*arguments: str) -> None:
    done = subprocess.run(
        ["systemctl", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise UnavailableError(f"systemctl {' '.join(arguments)}: {done.stderr.strip()}")
