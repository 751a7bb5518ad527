"""``journald``: to the machine's journal, by its native protocol.

A datagram per entry, of fields: ``NAME=value`` and a newline, or for a value with newlines
``NAME``, a newline, its length as 64 bits, little endian, itself, and a newline. One that is too
large for a datagram is written to a sealed memory file whose descriptor is sent instead
(https://systemd.io/JOURNAL_NATIVE_PROTOCOL/).
"""

import array
import contextlib
import errno
import fcntl
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from boxship.base.clock import format_ns
from boxship.base.ids import short_id
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.stream import Datagrams, connect
from boxship.runtime.logs.words import Address, reason
from boxship.runtime.messages import LogFacts, LogTarget

SOCKET: Final = "/run/systemd/journal/socket"

_PRIORITIES: Final = {"stderr": b"3", "stdout": b"6"}
_TOO_LARGE: Final = frozenset({errno.EMSGSIZE, errno.ENOBUFS})
_SEALS: Final = (
    fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
)  # fmt: skip


def open_driver(target: LogTarget, path: str = SOCKET) -> "JournaldDriver":
    """Connect to the journal. DeliveryError if there is none."""
    driver = JournaldDriver(
        Datagrams(partial(connect, Address("unixgram", path=path))), target.facts
    )
    try:
        driver.open()
    except OSError as error:
        raise DeliveryError(f"journald is not enabled on this host: {error}") from error
    return driver


def field_name(text: str) -> str:
    """Return a name that the journal takes: upper case, digits and, not in front, underscores."""
    name = "".join(c if "A" <= c <= "Z" or "0" <= c <= "9" else "_" for c in _upper(text))
    return name.lstrip("_")


def _upper(text: str) -> str:
    return "".join(c.upper() if "a" <= c <= "z" else c for c in text)


def encode(fields: Mapping[str, bytes]) -> bytes:
    """Return the fields of an entry as a datagram has them."""
    return b"".join(
        b"%s\n%s%s\n" % (name.encode(), struct.pack("<Q", len(value)), value)
        if b"\n" in value
        else b"%s=%s\n" % (name.encode(), value)
        for name, value in fields.items()
    )


class JournaldDriver:
    """A socket of the journal, and what all entries of the container have in common."""

    batch = Batch()
    kept = 0

    def __init__(self, journal: Datagrams, facts: LogFacts) -> None:
        self._journal = journal
        fields = {
            "CONTAINER_ID": short_id(facts.container_id),
            "CONTAINER_ID_FULL": facts.container_id,
            "CONTAINER_NAME": facts.container_name,
            "CONTAINER_TAG": facts.tag,
            "IMAGE_NAME": facts.image_name,
            "SYSLOG_IDENTIFIER": facts.tag,
            **{field_name(name): value for name, value in facts.attributes.items()},
        }
        self._common = encode({name: value.encode() for name, value in fields.items() if name})

    def open(self) -> None:
        """Connect. OSError."""
        self._journal.open()

    def send(self, entries: Sequence[Entry]) -> None:
        for number, entry in enumerate(entries):
            try:
                self._send_one(self._common + encode(_fields(entry)))
            except OSError as error:
                raise DeliveryError(reason(error), delivered=number) from error

    def _send_one(self, datagram: bytes) -> None:
        try:
            self._journal.send(datagram)
        except OSError as error:
            if error.errno not in _TOO_LARGE:
                raise
            _send_as_file(self._journal.open(), datagram)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._journal.close()


def _fields(entry: Entry) -> dict[str, bytes]:
    fields = {
        "MESSAGE": entry.line,
        "PRIORITY": _PRIORITIES[entry.stream],
        "SYSLOG_TIMESTAMP": format_ns(entry.time_ns).encode(),
    }
    if (piece := entry.partial) is not None:
        fields["CONTAINER_PARTIAL_ID"] = piece.id.encode()
        fields["CONTAINER_PARTIAL_ORDINAL"] = b"%d" % piece.ordinal
        fields["CONTAINER_PARTIAL_LAST"] = b"true" if piece.last else b"false"
        if not piece.last:
            fields["CONTAINER_PARTIAL_MESSAGE"] = b"true"
    return fields


def _send_as_file(journal: socket.socket, data: bytes) -> None:
    with contextlib.closing(_Sealed(data)) as file:
        descriptors = array.array("i", [file.fd])
        journal.sendmsg([], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])


class _Sealed:
    """A file in memory that nobody can change any more."""

    def __init__(self, data: bytes) -> None:
        self.fd = os.memfd_create("journal-entry", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        with open(self.fd, "wb", closefd=False) as file:
            file.write(data)
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, _SEALS)

    def close(self) -> None:
        os.close(self.fd)
