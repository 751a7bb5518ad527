"""``gelf``: to Graylog and others, in the Graylog Extended Log Format 1.1.

Over UDP a message is compressed and, if it is longer than a datagram should be, cut into at most
128 chunks; over TCP it is plain and ends with a NUL (https://go2docs.graylog.org, "GELF")::

    chunk   1e 0f │ id: 8 bytes │ number: u8 │ how many: u8 │ a part of the compressed message
"""

import gzip
import json
import os
import socket
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, Final

from boxship.base.clock import format_ns
from boxship.runtime.logs.attempts import Attempts
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.stream import Datagrams, Stream, connect
from boxship.runtime.logs.words import read_address, reason
from boxship.runtime.messages import LogFacts, LogTarget

_PORT: Final = 12201
_DATAGRAM: Final = 1420  # of which a chunk's header takes 12: fits an Ethernet frame in a tunnel
_CHUNK: Final = _DATAGRAM - 12
_MOST_CHUNKS: Final = 128
_FASTEST: Final = 1
_LEVELS: Final = {"stderr": 3, "stdout": 6}
_ATTEMPTS: Final = 3

Compress = Callable[[bytes], bytes]


def open_driver(target: LogTarget) -> "GelfDatagrams | GelfStream":
    """Find the target, over TCP connect to it. OSError, DeliveryError."""
    options = target.options
    where = read_address(options["gelf-address"], scheme="udp", port=_PORT)
    opener = partial(connect, where)
    common = common_fields(target.facts, socket.gethostname())
    if where.scheme == "udp":
        compress = compressor(
            options.get("gelf-compression-type") or "gzip",
            int(options.get("gelf-compression-level") or _FASTEST),
        )
        driver: GelfDatagrams | GelfStream = GelfDatagrams(Datagrams(opener), common, compress)
    else:
        most = int(options.get("gelf-tcp-max-reconnect") or _ATTEMPTS)
        pause = float(options.get("gelf-tcp-reconnect-delay") or 1)
        driver = GelfStream(Stream(opener), common, Attempts(most, pause))
    driver.open()
    return driver


def compressor(kind: str, level: int) -> Compress:
    """Return how messages are compressed: ``gzip``, ``zlib`` or ``none``."""
    if kind == "gzip":
        return lambda data: gzip.compress(data, level, mtime=0)
    if kind == "zlib":
        return lambda data: zlib.compress(data, level)
    return lambda data: data


def common_fields(facts: LogFacts, host: str) -> dict[str, Any]:
    """Return the fields that all messages of a container share."""
    fields = {
        "version": "1.1",
        "host": host,
        "_container_id": facts.container_id,
        "_container_name": facts.container_name,
        "_image_id": facts.image_id,
        "_image_name": facts.image_name,
        "_command": facts.command,
        "_tag": facts.tag,
        "_created": format_ns(facts.created_ns),
    }
    for name, value in facts.attributes.items():
        fields[name if name.startswith("_") else f"_{name}"] = value
    return fields


def encode(common: dict[str, Any], entry: Entry) -> bytes:
    """Return the message for an entry."""
    fields = {
        **common,
        "short_message": entry.line.decode(errors="replace"),
        "timestamp": entry.time_ns // 1_000_000 / 1000,
        "level": _LEVELS[entry.stream],
    }
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")


def chunks(message: bytes) -> Iterator[bytes]:
    """Cut a message into datagrams; one that fits is not cut. DeliveryError if it is too long."""
    if len(message) <= _DATAGRAM:
        yield message
        return
    count = -(-len(message) // _CHUNK)
    if count > _MOST_CHUNKS:
        raise DeliveryError(
            f"gelf: a message of {len(message)} bytes takes more than {_MOST_CHUNKS} chunks",
            refused=True,
        )
    head = b"\x1e\x0f" + os.urandom(8)
    for number in range(count):
        yield head + bytes((number, count)) + message[number * _CHUNK : (number + 1) * _CHUNK]


class GelfDatagrams:
    """Messages over UDP. Nobody waits for a datagram to arrive: what can't be sent is lost."""

    batch = Batch()
    kept = 0

    def __init__(self, way: Datagrams, common: dict[str, Any], compress: Compress) -> None:
        self._way, self._common, self._compress = way, common, compress

    def open(self) -> None:
        """Find the target's address. OSError."""
        try:
            self._way.open()
        except OSError as error:
            raise _unreachable(error) from error

    def send(self, entries: Sequence[Entry]) -> None:
        for number, entry in enumerate(entries):
            if not entry.line:
                continue  # a message without a text is none, says the format
            try:
                for chunk in chunks(self._compress(encode(self._common, entry))):
                    self._way.send(chunk)
            except (OSError, DeliveryError) as error:
                raise DeliveryError(reason(error), delivered=number, refused=True) from error

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._way.close()


class GelfStream:
    """Messages over TCP. After some failures in a row the entry at hand is given up."""

    batch = Batch()
    kept = 0

    def __init__(self, way: Stream, common: dict[str, Any], attempts: Attempts) -> None:
        self._way, self._common, self._attempts = way, common, attempts

    def open(self) -> None:
        """Connect. DeliveryError."""
        try:
            self._way.open()
        except OSError as error:
            raise self._attempts.failed(_unreachable(error)) from error

    def send(self, entries: Sequence[Entry]) -> None:
        # An entry without text takes part with an empty frame, so that the counts agree.
        frames = [encode(self._common, e) + b"\0" if e.line else b"" for e in entries]
        try:
            self._way.send(frames)
        except (OSError, DeliveryError) as error:
            raise self._attempts.failed(error) from error
        self._attempts.succeeded()

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._way.close()


def _unreachable(error: OSError) -> OSError:
    return OSError(f"gelf: cannot connect to GELF endpoint: {error}")
