"""``fluentd``: to Fluentd or Fluent Bit, by the Forward protocol, version 1.

A message per entry, in MessagePack, and if it is asked for an answer to each::

    ──► [TAG, TIME, {"log": …, "source": …, "container_id": …, …}, {"chunk": ID}]
    ◄── {"ack": ID}                    without answers the last map is empty

TIME is in whole seconds, or with ``fluentd-sub-second-precision`` an extension of seconds and
nanoseconds (https://github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1).
"""

from __future__ import annotations

import base64
import math
import os
import struct
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from boxship.runtime.logs.attempts import Attempts
from boxship.runtime.logs.driver import TIMEOUT, Batch, DeliveryError, Entry
from boxship.runtime.logs.msgpack import Extension, IncompleteError, Value, pack, unpack_texts
from boxship.runtime.logs.stream import Stream, connect
from boxship.runtime.logs.words import read_address, read_seconds, read_truth, reason
from boxship.runtime.messages import LogFacts, LogTarget

_PORT: Final = 24224
_HOST: Final = "127.0.0.1"
_ENDLESS: Final = 2**31 - 1
_HALF: Final = TIMEOUT / 2
_EVENT_TIME: Final = 0


def open_driver(target: LogTarget) -> FluentdDriver:
    """Connect to the server, unless ``fluentd-async`` is on. DeliveryError."""
    options = target.options
    where = read_address(options.get("fluentd-address") or _HOST, scheme="tcp", port=_PORT)
    security = None
    if where.scheme == "tls":
        from boxship.runtime.logs.tls import client_context

        security = client_context()
    asynchronous = any(read_truth(options.get(f"fluentd-async{end}")) for end in ("", "-connect"))
    interval = options.get("fluentd-async-reconnect-interval") if asynchronous else None
    most = int(options.get("fluentd-max-retries") or _ENDLESS)
    wait = options.get("fluentd-retry-wait")
    driver = FluentdDriver(
        Stream(partial(connect, where, security)),
        target.facts,
        Attempts(most, read_seconds(wait, 0) if wait else None, growing=True),
        acknowledged=read_truth(options.get("fluentd-request-ack")),
        precise=read_truth(options.get("fluentd-sub-second-precision")),
        write_patience=_patience(options.get("fluentd-write-timeout")),
        read_patience=_patience(options.get("fluentd-read-timeout")),
        anew_after=read_seconds(interval, 0.0) or math.inf,
    )
    if not asynchronous:
        driver.open()
    return driver


def _patience(text: str | None) -> float:
    """Return seconds; no time limit is ours, since nothing may wait for ever."""
    return min(read_seconds(text, 0.0) or _HALF, _HALF)


class FluentdDriver:
    """A connection to a server, and what is the same in all records of the container."""

    batch = Batch()
    kept = 0

    def __init__(
        self,
        way: Stream,
        facts: LogFacts,
        attempts: Attempts,
        *,
        acknowledged: bool = False,
        precise: bool = False,
        write_patience: float = _HALF,
        read_patience: float = _HALF,
        anew_after: float = math.inf,
    ) -> None:
        self._way, self._tag, self._attempts = way, facts.tag, attempts
        self._acknowledged, self._precise = acknowledged, precise
        self._write_patience, self._read_patience = write_patience, read_patience
        self._anew_after, self._since = anew_after, time.monotonic()
        self._common: dict[str, Value] = {
            "container_id": facts.container_id,
            "container_name": f"/{facts.container_name}",
        }
        self._attributes: dict[str, Value] = dict(facts.attributes)

    def open(self) -> None:
        """Connect. DeliveryError."""
        try:
            self._way.open()
        except OSError as error:
            raise self._attempts.failed(error) from error

    def send(self, entries: Sequence[Entry]) -> None:
        if time.monotonic() - self._since > self._anew_after:
            self._way.close()  # its name may stand for another server by now
            self._since = time.monotonic()
        try:
            self._send(entries)
        except (OSError, DeliveryError) as error:
            raise self._attempts.failed(error) from error
        self._attempts.succeeded()

    def _send(self, entries: Sequence[Entry]) -> None:
        if not self._acknowledged:
            frames = [self._frame(entry, {}) for entry in entries]
            self._way.send(frames, patience=self._write_patience)
            return
        chunks = [base64.b64encode(os.urandom(16)).decode() for _ in entries]
        frames = [self._frame(e, {"chunk": c}) for e, c in zip(entries, chunks, strict=True)]
        try:
            self._way.send(frames, patience=self._write_patience)
        except DeliveryError as error:  # written is not acknowledged
            raise DeliveryError(str(error)) from error
        self._await_answers(chunks)

    def _frame(self, entry: Entry, option: Value) -> bytes:
        record: dict[str, Value] = {**self._common, "source": entry.stream, "log": entry.line}
        record |= self._attributes
        if (piece := entry.partial) is not None:
            record["partial_message"] = "true"
            record["partial_id"] = piece.id
            record["partial_ordinal"] = str(piece.ordinal)
            record["partial_last"] = "true" if piece.last else "false"
        return pack([self._tag, self._time(entry.time_ns), record, option])

    def _time(self, at: int) -> Value:
        seconds, nanoseconds = divmod(at, 1_000_000_000)
        if not self._precise:
            return seconds
        return Extension(_EVENT_TIME, struct.pack(">II", seconds, nanoseconds))

    def _await_answers(self, chunks: Sequence[str]) -> None:
        """Wait until all messages are acknowledged. DeliveryError tells how many were."""
        deadline = time.monotonic() + self._read_patience
        got: set[str] = set()
        data = b""
        try:
            while not got.issuperset(chunks):
                data += self._way.receive(max(deadline - time.monotonic(), 0.001))
                while data:
                    try:
                        answer, length = unpack_texts(data)
                    except IncompleteError:
                        break
                    got.add(answer.get("ack", ""))
                    data = data[length:]
        except (OSError, ValueError) as error:
            self._way.close()
            first = next(n for n, chunk in enumerate(chunks) if chunk not in got)
            message = f"fluentd: no acknowledgement: {reason(error)}"
            raise DeliveryError(message, delivered=first) from error

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self._way.close()
