"""Log driver plugins: entries go through a named pipe to the plugin, which is told of it by HTTP.

::

    sender                                                   plugin
      │ mkfifo <directory>/<random>                             │
      │ POST /LogDriver.StartLogging {"File": …, "Info": …} ───►│ opens the pipe
      │ length: u32, big endian │ LogEntry (protobuf) ═════════►│
      │ closes the pipe ═══════════════════════════════════════►│ end of file
      │ POST /LogDriver.StopLogging {"File": …} ───────────────►│

    LogEntry                        PartialLogEntryMetadata
      1 source   string               1 last     bool
      2 time     int64, ns            2 id       string
      3 line     bytes                3 ordinal  int32
      4 partial  bool
      5 metadata PartialLogEntryMetadata

The sender itself asks, and not the daemon, so a plugin that is started again is told again, whether
a daemon lives or not. What lay unread in the pipe when a plugin died counts as delivered.

Specified by Docker's "Docker log driver plugins" and its ``api/types/plugins/logdriver``.
"""

from __future__ import annotations

import errno
import http.client
import json
import os
import select
import socket
import stat
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from boxship.runtime.logs.driver import TIMEOUT, Batch, DeliveryError, Driver, Entry
from boxship.runtime.messages import LogFacts, LogTarget

_CONTENT_TYPE: Final = "application/vnd.docker.plugins.v1.2+json"
_LONGEST_ANSWER: Final = 1 << 20
_OPENING: Final = 0.01
"""Seconds between looks whether the plugin has opened the pipe."""

_ITSELF: Final = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITING: Final = os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC


class PluginDriver:
    """One container's pipe to a plugin."""

    batch = Batch(seconds=0.05, entries=1000)
    kept = 0

    def __init__(self, target: LogTarget) -> None:
        self._address = target.address
        self._driver = target.driver
        self._name = name = os.urandom(16).hex()
        directory = target.directory or "/run/boxship/logging"
        self._seen = f"{target.seen_directory or directory}/{name}"
        self._pipe = -1
        self._directory = _directory(directory, target.seen_directory)
        try:
            self._begin(info_of(target), time.monotonic() + TIMEOUT)
        except BaseException:
            self._leave()
            raise

    def _begin(self, info: object, until: float) -> None:
        os.mkfifo(self._name, 0o600, dir_fd=self._directory)
        # The plugin may put something else in its place: what is opened is what was made.
        made = os.open(self._name, _ITSELF, dir_fd=self._directory)
        try:
            if not stat.S_ISFIFO(os.fstat(made).st_mode):
                raise DeliveryError(f"log plugin {self._driver} has removed the pipe {self._seen}")
            self._ask("LogDriver.StartLogging", {"File": self._seen, "Info": info}, until)
            self._pipe = self._opened(made, until)
        finally:
            os.close(made)

    def _leave(self) -> None:
        with suppress(OSError):  # the plugin may have taken it away, or put something in its place
            os.unlink(self._name, dir_fd=self._directory)
        os.close(self._directory)

    def send(self, entries: Sequence[Entry]) -> None:
        """Write entries to the pipe. DeliveryError: the plugin does not read, or has gone."""
        until = time.monotonic() + TIMEOUT
        for number, entry in enumerate(entries):
            try:
                self._write(framed(entry), until)
            except OSError as error:
                raise DeliveryError(
                    f"log plugin {self._driver}: {error}", delivered=number
                ) from error

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """End the pipe, then tell the plugin, which has read all that is in it by then or never."""
        if self._pipe < 0:
            return
        os.close(self._pipe)
        self._pipe = -1
        try:
            self._ask("LogDriver.StopLogging", {"File": self._seen}, time.monotonic() + TIMEOUT)
        except (DeliveryError, OSError):
            pass  # it has gone, or will notice by the end of the pipe
        finally:
            self._leave()

    def _write(self, data: bytes, until: float) -> None:
        view = memoryview(data)
        poll = select.poll()
        poll.register(self._pipe, select.POLLOUT)
        while view:
            left = until - time.monotonic()
            if left <= 0 or not poll.poll(1000 * left):
                raise TimeoutError(f"it has not read its pipe for {TIMEOUT:g} seconds")
            try:
                view = view[os.write(self._pipe, view) :]
            except BlockingIOError:  # less room than PIPE_BUF
                time.sleep(_OPENING)

    def _opened(self, made: int, until: float) -> int:
        """Return the pipe's writing end, which can be opened once the plugin reads."""
        while True:
            try:
                return os.open(f"/proc/self/fd/{made}", _WRITING)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
            if time.monotonic() >= until:
                raise DeliveryError(
                    f"log plugin {self._driver} has not opened the pipe {self._seen}"
                )
            time.sleep(_OPENING)

    def _ask(self, method: str, wish: object, until: float) -> None:
        connection = _Connection(self._address, max(0.1, until - time.monotonic()))
        try:
            body = json.dumps(wish).encode()
            connection.request("POST", f"/{method}", body, {"Content-Type": _CONTENT_TYPE})
            answer = connection.getresponse()
            content = answer.read(_LONGEST_ANSWER)
        except http.client.HTTPException as error:
            raise DeliveryError(
                f"log plugin {self._driver} answers {method} with nonsense: {error!r}"
            ) from error
        except OSError as error:
            raise DeliveryError(
                f"log plugin {self._driver} at {self._address}: {method}: {error}"
            ) from error
        finally:
            connection.close()
        refusal = _refusal(answer.status, content)
        if refusal:
            raise DeliveryError(f"log plugin {self._driver}: {method}: {refusal}")


def _directory(path: str, seen: str) -> int:
    """Open the directory for pipes, which is made if it is not there. OSError.

    What the plugin sees of it (``seen``) is the plugin's to write: there links are not followed.
    """
    theirs: list[str] = []
    while seen not in ("", "/") and os.path.basename(path) == os.path.basename(seen):
        theirs.insert(0, os.path.basename(path))
        path, seen = os.path.dirname(path), os.path.dirname(seen)
    os.makedirs(path, 0o700, exist_ok=True)
    place = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in theirs:
        above = place
        try:
            with suppress(FileExistsError):
                os.mkdir(name, 0o700, dir_fd=above)
            place = os.open(name, _ITSELF | os.O_DIRECTORY, dir_fd=above)
        finally:
            os.close(above)
    return place


def open_driver(target: LogTarget) -> Driver:
    """Have the plugin at ``target.address`` read a pipe. DeliveryError, OSError: it does not."""
    return PluginDriver(target)


def framed(entry: Entry) -> bytes:
    """Return an entry as it goes through the pipe."""
    source = entry.stream.encode()
    message = b"\x0a%b%b\x10%b\x1a%b%b" % (
        _varint(len(source)),
        source,
        _varint(entry.time_ns),
        _varint(len(entry.line)),
        entry.line,
    )
    if entry.partial is not None:
        piece = entry.partial
        name = piece.id.encode()
        metadata = b"%b\x12%b%b\x18%b" % (
            b"\x08\x01" if piece.last else b"",
            _varint(len(name)),
            name,
            _varint(piece.ordinal),
        )
        message += b"\x20\x01\x2a%b%b" % (_varint(len(metadata)), metadata)
    return len(message).to_bytes(4, "big") + message


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def info_of(target: LogTarget) -> dict[str, object]:
    """Return what Docker's ``logger.Info`` says of a container, as far as drivers here know it."""
    facts: LogFacts = target.facts
    created = datetime.fromtimestamp(facts.created_ns // 1_000_000_000, UTC)
    entrypoint, _, arguments = facts.command.partition(" ")
    return {
        "Config": target.options,
        "ContainerID": facts.container_id,
        "ContainerName": f"/{facts.container_name}",
        "ContainerEntrypoint": entrypoint,
        "ContainerArgs": arguments.split(),
        "ContainerImageID": facts.image_id,
        "ContainerImageName": facts.image_name,
        "ContainerCreated": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "ContainerEnv": [],
        "ContainerLabels": facts.attributes,
        "LogPath": "",
        "DaemonName": facts.daemon_name,
    }


def _refusal(status: int, content: bytes) -> str:
    """Return what the plugin says against it; empty: nothing."""
    try:
        said = json.loads(content) if content.strip() else {}
    except ValueError:
        said = {}
    words = said.get("Err") if isinstance(said, dict) else ""
    if words or status == 200:
        return str(words or "")
    return content[:200].decode(errors="replace") or f"HTTP status {status}"


class _Connection(http.client.HTTPConnection):
    """HTTP to an address as spec files write it: a path, or ``tcp://host:port``."""

    def __init__(self, address: str, timeout: float) -> None:
        super().__init__("plugin.localhost", timeout=timeout)
        self._address = address

    def connect(self) -> None:
        if self._address.startswith("/"):
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._address)
            return
        scheme, _, place = self._address.partition("://")
        host, _, port = place.rpartition(":")
        if scheme != "tcp":
            raise OSError(errno.EPROTONOSUPPORT, "log plugins are reached by unix or plain TCP")
        self.sock = socket.create_connection((host.strip("[]"), int(port)), self.timeout)
