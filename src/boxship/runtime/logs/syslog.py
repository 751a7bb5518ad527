"""``syslog``: to a syslog server or to the machine's own, over UDP, TCP, TLS or a socket file.

A message by ``syslog-format``; ``P`` is 8 * facility + severity (3 for stderr, 6 for stdout)::

    (none)         <P>Jan  2 03:04:05 TAG[PID]: LINE               what libc's syslog(3) writes
    rfc3164        <P>Jan  2 03:04:05 HOST TAG[PID]: LINE
    rfc5424        <P>1 2026-01-02T03:04:05Z HOST TAG PID TAG - LINE
    rfc5424micro   the same, with microseconds

Each ends with a newline, also as a datagram; by RFC 5425, over TLS and with one of the last two,
its length stands in front.
"""

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final

from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.stream import Datagrams, Stream, connect
from boxship.runtime.logs.words import Address, read_address, reason
from boxship.runtime.messages import LogTarget

_PORT: Final = 514
_LOCAL: Final = ("/dev/log", "/var/run/syslog", "/var/run/log")
"""Where the machine's own syslog may listen."""

_FACILITIES: Final[Mapping[str, int]] = {
    name: code
    for code, name in enumerate(
        (
            *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
            *("authpriv", "ftp", "", "", "", ""),
            *(f"local{number}" for number in range(8)),
        )
    )
    if name
}
_DAEMON: Final = 3
_SEVERITIES: Final = {"stderr": 3, "stdout": 6}

Head = Callable[[int, int], str]
"""What stands before a line, of its priority and its time in nanoseconds."""


def open_driver(target: LogTarget) -> "SyslogDriver":
    """Connect to the server. OSError, or DeliveryError if the machine has no syslog."""
    options = target.options
    address = options.get("syslog-address", "")
    where = read_address(address, scheme="udp", port=_PORT) if address else _find_local()
    form = options.get("syslog-format", "")
    security = None
    if where.scheme == "tcp+tls":
        from boxship.runtime.logs.tls import client_context

        security = client_context(
            ca=options.get("syslog-tls-ca-cert", ""),
            certificate=options.get("syslog-tls-cert", ""),
            key=options.get("syslog-tls-key", ""),
            verify="syslog-tls-skip-verify" not in options,
        )
    opener = partial(connect, where, security)
    lossy = where.scheme in ("udp", "unixgram")
    driver = SyslogDriver(
        Datagrams(opener) if lossy else Stream(opener),
        head_of(form, target.facts.tag, socket.gethostname(), os.getpid()),
        facility_of(options.get("syslog-facility", "")),
        counted=security is not None and form.startswith("rfc5424"),
    )
    driver.open()
    return driver


def _find_local() -> Address:
    for path in _LOCAL:
        for scheme in ("unixgram", "unix"):
            where = Address(scheme, path=path)
            try:
                connect(where).close()
            except OSError:
                continue
            return where
    raise DeliveryError("Unix syslog delivery error")


def facility_of(text: str) -> int:
    """Return the code of a facility, given by name or by code; ``daemon`` if it is not given."""
    if not text:
        return _DAEMON
    code = _FACILITIES.get(text)
    return int(text) if code is None else code


def head_of(form: str, tag: str, host: str, pid: int) -> Head:
    """Return the function that begins messages of a form."""
    if form.startswith("rfc5424"):
        tag = _word(tag)
        precision = "microseconds" if form == "rfc5424micro" else "seconds"
        return lambda priority, at: (
            f"<{priority}>1 {_timestamp(at, precision)} {host} {tag} {pid} {tag} - "
        )
    place = f"{host} " if form == "rfc3164" else ""
    return lambda priority, at: f"<{priority}>{_stamp(at)} {place}{tag}[{pid}]: "


def _word(tag: str) -> str:
    """Return a tag as a field of the header: printable ASCII without blanks (RFC 5424, 6)."""
    return "".join(c if "!" <= c <= "~" else "_" for c in tag) or "-"


def _stamp(at: int) -> str:
    moment = time.localtime(at // 1_000_000_000)
    return time.strftime("%b ", moment) + f"{moment.tm_mday:2} " + time.strftime("%H:%M:%S", moment)


def _timestamp(at: int, precision: str) -> str:
    seconds, nanoseconds = divmod(at, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds).astimezone()
    text = moment.replace(microsecond=nanoseconds // 1000).isoformat(timespec=precision)
    return text.removesuffix("+00:00") + "Z" if text.endswith("+00:00") else text


class SyslogDriver:
    """A way to a syslog server. ``counted``: with each message's length in front."""

    batch = Batch()
    kept = 0

    def __init__(
        self, way: Stream | Datagrams, head: Head, facility: int, *, counted: bool = False
    ) -> None:
        self._way, self._head, self._facility, self._counted = way, head, facility, counted

    def open(self) -> None:
        """Connect. OSError."""
        self._way.open()

    def send(self, entries: Sequence[Entry]) -> None:
        # A line without text is no message; its empty frame makes the counts agree.
        frames = [self._frame(entry) if entry.line else b"" for entry in entries]
        if isinstance(self._way, Stream):
            self._way.send(frames)
            return
        for number, frame in enumerate(frames):
            try:
                if frame:
                    self._way.send(frame)
            except OSError as error:  # nobody waits for a datagram to arrive
                raise DeliveryError(reason(error), delivered=number, refused=True) from error

    def _frame(self, entry: Entry) -> bytes:
        priority = self._facility * 8 + _SEVERITIES[entry.stream]
        message = self._head(priority, entry.time_ns).encode() + entry.line + b"\n"
        return b"%d %s" % (len(message), message) if self._counted else message

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._way.close()
