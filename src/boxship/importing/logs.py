"""A container's log as json-file's lines, the form in which logs are handed over.

Of other drivers there is what dockerd keeps itself, in the format of ``local``: for that driver
below ``local-logs/container.log``, for those that send it away in ``container-cached.log``. It is
made of messages, each between its length (u32, big endian) and its length once more::

    LogEntry { 1: source  2: time in nanoseconds  3: line  4: partial }

(protocol buffers; moby api/types/plugins/logdriver/entry.proto, daemon/logger/local.)
"""

import gzip
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import IO, cast

from boxship.base.clock import format_ns
from boxship.importing.root import DockerRoot
from boxship.storage.chunks import CHUNK

_LENGTH = struct.Struct(">I")
_LARGEST = 1 << 24
_VARINT, _BYTES = 0, 2
_SOURCE, _TIME, _LINE, _PARTIAL = 1, 2, 3, 4

Read = Callable[[IO[bytes]], Iterator[bytes]]


def log_files(root: DockerRoot, container_id: str) -> Iterator[tuple[int, Iterator[bytes]]]:
    """Yield the numbers of a log's files, 0 for the latest, with their lines."""
    for path, read in (
        (root.log(container_id), _pieces),
        (root.container(container_id, "local-logs", "container.log"), _entries),
        (root.container(container_id, "container-cached.log"), _entries),
    ):
        found = list(_rotated(path))
        if found:
            for number, name in enumerate(found):
                yield number, _lines(name, read)
            return


def _rotated(path: str) -> Iterator[str]:
    """Yield a log's files, the latest first."""
    number = 0
    while True:
        name = f"{path}.{number}" if number else path
        found = next((each for each in (name, f"{name}.gz") if os.path.exists(each)), "")
        if not found:
            return
        yield found
        number += 1


def _lines(path: str, read: Read) -> Iterator[bytes]:
    cut_off = suppress(EOFError, zlib.error, gzip.BadGzipFile)  # by a full disk
    with cut_off, _opened(path) as file:
        yield from read(file)


def _opened(path: str) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path)) if path.endswith(".gz") else open(path, "rb")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(CHUNK):
        yield piece


def _entries(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a line of JSON for each message, up to one that is not whole."""
    while len(head := file.read(_LENGTH.size)) == _LENGTH.size:
        (length,) = _LENGTH.unpack(head)
        message = file.read(length) if length <= _LARGEST else b""
        if len(message) != length or file.read(_LENGTH.size) != head:
            return
        try:
            yield _as_json(message)
        except (IndexError, TypeError, ValueError):
            return


def _as_json(message: bytes) -> bytes:
    fields = dict(_fields(message))
    line, source, time_ns = fields.get(_LINE, b""), fields.get(_SOURCE, b""), fields.get(_TIME, 0)
    if not (isinstance(line, bytes) and isinstance(source, bytes) and isinstance(time_ns, int)):
        raise TypeError("a field is of another kind")
    text = line.decode(errors="replace") + ("" if fields.get(_PARTIAL) else "\n")
    entry = {"log": text, "stream": source.decode(), "time": format_ns(time_ns)}
    return json.dumps(entry).encode() + b"\n"


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Yield fields by number; of protocol buffers there are no others in it than these two."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        value, at = _varint(message, at)
        if key & 7 == _BYTES and at + value <= len(message):
            yield key >> 3, message[at : at + value]
            at += value
        elif key & 7 == _VARINT:
            yield key >> 3, value
        else:
            raise ValueError("no field of these messages")


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
