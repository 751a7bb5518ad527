"""``splunk``: to Splunk's HTTP Event Collector.

Events are JSON objects one after the other, at most a thousand in a request. With
``splunk-index-acknowledgment`` requests name a channel, and what the server has indexed is asked
for beside the next of them, so that it forgets the acknowledgements it keeps for us
(Splunk Enterprise, "Set up and use HTTP Event Collector").
"""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import sys
import uuid
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final

from boxship.runtime.logs import joining
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.httpcalls import HttpServer, Response
from boxship.runtime.logs.joining import Line
from boxship.runtime.logs.words import read_seconds, read_truth
from boxship.runtime.messages import LogFacts, LogTarget

_EVENTS: Final = "/services/collector/event/1.0"
_ACKNOWLEDGEMENTS: Final = "/services/collector/ack"
_PLAIN: Final = -2
_MOST_ASKED: Final = 1000
_TOO_LARGE: Final = 413
_BATCH: Final = Batch(seconds=5.0, entries=1000)
_TUNING: Final = "SPLUNK_LOGGING_DRIVER_POST_MESSAGES_"
_LONGEST: Final = 80 * 1024
"""Bytes of an event's line."""

Event = Callable[[Line], "str | dict[str, Any] | None"]
"""What stands under ``event``, of a line; None for one that the server would not take."""


def open_driver(target: LogTarget) -> SplunkDriver:
    """Make the requests ready, and see that the server takes them. OSError, DeliveryError."""
    options = target.options
    server = HttpServer(
        options["splunk-url"],
        ca=options.get("splunk-capath", ""),
        server_name=options.get("splunk-caname", ""),
        verify=not read_truth(options.get("splunk-insecureskipverify")),
    )
    fields = {"host": socket.gethostname()}
    for name in ("source", "sourcetype", "index"):
        if value := options.get(f"splunk-{name}", ""):
            fields[name] = value
    level = int(options.get("splunk-gzip-level") or -1)
    driver = SplunkDriver(
        server,
        options["splunk-token"],
        fields,
        event_of(options.get("splunk-format") or "inline", target.facts),
        level=level if read_truth(options.get("splunk-gzip")) else _PLAIN,
        acknowledged=read_truth(options.get("splunk-index-acknowledgment")),
        batch=_tuned_batch(os.environ),
    )
    if read_truth(options.get("splunk-verify-connection") or "true"):
        try:
            driver.verify()
        except BaseException:
            driver.close()
            raise
    return driver


def _tuned_batch(environment: Mapping[str, str]) -> Batch:
    """Return how events are collected; variables say more, as far as they are understood."""
    batch = _BATCH
    with contextlib.suppress(ValueError):
        batch = batch._replace(seconds=read_seconds(environment.get(f"{_TUNING}FREQUENCY"), 5.0))
    with contextlib.suppress(ValueError):
        entries = int(environment.get(f"{_TUNING}BATCH_SIZE", ""))
        batch = batch._replace(entries=max(entries, 1))
    return batch


def event_of(form: str, facts: LogFacts) -> Event:
    """Return the function that makes events in a form: ``inline``, ``json`` or ``raw``."""
    if form == "raw":
        pairs = (f"{name}={value}" for name, value in facts.attributes.items())
        prefix = "".join(f"{word} " for word in (facts.tag, *pairs) if word)
        return lambda line: prefix + _text(line) if line.text.strip() else None
    common: dict[str, Any] = {}
    if facts.tag:
        common["tag"] = facts.tag
    if facts.attributes:
        common["attrs"] = facts.attributes
    read = _parsed if form == "json" else _text
    return lambda line: {"line": read(line), "source": line.stream, **common}


def _text(line: Line) -> str:
    return line.text.decode(errors="replace")


def _parsed(line: Line) -> Any:
    """Return the line as JSON, if it is that."""
    try:
        return json.loads(line.text)
    except ValueError:  # also of bytes that are no UTF-8
        return _text(line)


class RefusedLineError(Exception):
    """The server takes the lines before the one of that number, and not that one."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class SplunkDriver:
    """A collector and the token for it. ``level`` of gzip: -1 is zlib's own choice."""

    most_events: ClassVar[int] = sys.maxsize
    """In a request, as far as the server, or a proxy before it, has refused longer ones. Of all
    drivers: after a refusal the sender makes a new one, and a process has one target."""

    def __init__(
        self,
        server: HttpServer,
        token: str,
        fields: Mapping[str, str],
        event: Event,
        *,
        level: int = _PLAIN,
        acknowledged: bool = False,
        batch: Batch = _BATCH,
    ) -> None:
        self.batch = batch._replace(entries=min(batch.entries, SplunkDriver.most_events))
        self._server, self._fields, self._event, self._level = server, fields, event, level
        self._authorization = {"Authorization": f"Splunk {token}"}
        self._pending: list[int] = []
        self._pieces = joining.NOTHING
        self._count = 0
        self._headers = dict(self._authorization)
        if level != _PLAIN:
            self._headers["Content-Encoding"] = "gzip"
        self._channel = str(uuid.uuid4()) if acknowledged else ""
        if acknowledged:
            self._headers["X-Splunk-Request-Channel"] = self._channel

    def verify(self) -> None:
        """See that the server is one. OSError, DeliveryError."""
        response = self._server.request("OPTIONS", _EVENTS, {})
        if response.status != 200:
            raise DeliveryError(f"splunk: failed to verify connection - {response.excerpt()}")

    @property
    def kept(self) -> int:
        return self._count - min((p.first for p in self._pieces.values()), default=self._count)

    def send(self, entries: Sequence[Entry]) -> None:
        lines, pieces = joining.join(self._pieces, entries, _LONGEST, self._count)
        try:
            self._post(lines)
        except RefusedLineError as error:
            # The entries up to the last piece of that line are done with.
            done = bisect_left(
                range(len(entries) + 1),
                error.line + 1,
                key=lambda n: len(joining.join(self._pieces, entries[:n], _LONGEST)[0]),
            )
            pieces = joining.join(self._pieces, entries[:done], _LONGEST)[1]
            self._count += done
            self._pieces = joining.done_with(pieces, self._count)
            raise DeliveryError(str(error), delivered=done - 1, refused=True) from error
        self._pieces = pieces
        self._count += len(entries)

    def _post(self, lines: Sequence[Line]) -> None:
        events = [(number, self._encode(line)) for number, line in enumerate(lines)]
        sent = [(number, data) for number, data in events if data]
        if not sent:
            return
        body = b"".join(data for _, data in sent)
        if self._level != _PLAIN:
            body = gzip.compress(body, self._level if self._level >= 0 else 6, mtime=0)
        response = self._server.request("POST", _EVENTS, self._headers, body)
        if response.status == _TOO_LARGE and len(sent) > 1:
            SplunkDriver.most_events = len(sent) // 2
            raise DeliveryError(_failure(response), retry_after=0)
        if response.status != 200:
            raise _refusal(response, [number for number, _ in sent])
        if self._channel:
            self._ask_what_is_indexed(response)

    def _encode(self, line: Line) -> bytes:
        event = self._event(line)
        if event is None:
            return b""
        message = {
            "event": event,
            "time": f"{line.time_ns // 1000 / 1_000_000:f}",
            **self._fields,
        }
        return json.dumps(message, separators=(",", ":")).encode()

    def _ask_what_is_indexed(self, response: Response) -> None:
        number = _object(response).get("ackId")
        if isinstance(number, int):
            self._pending = [*self._pending, number][-_MOST_ASKED:]
        body = json.dumps({"acks": self._pending}).encode()
        path = f"{_ACKNOWLEDGEMENTS}?channel={self._channel}"
        try:
            told = _object(self._server.request("POST", path, self._authorization, body))
        except OSError:
            return  # it is asked again beside the next batch, which has been taken
        known = told.get("acks")
        if isinstance(known, dict):
            self._pending = [n for n in self._pending if known.get(str(n)) is not True]

    def flush(self) -> None:
        """Deliver lines whose end has not come."""
        for line in self._pieces.values():
            with contextlib.suppress(RefusedLineError):
                self._post([line])
        self._pieces = joining.NOTHING

    def close(self) -> None:
        self._server.close()


def _refusal(response: Response, numbers: Sequence[int]) -> DeliveryError | RefusedLineError:
    """Return what a refusal means: of a single event if the server names one, else of none."""
    message = _failure(response)
    invalid = _object(response).get("invalid-event-number")
    if response.status == 400 and isinstance(invalid, int) and 0 <= invalid < len(numbers):
        return RefusedLineError(message, numbers[invalid])
    if response.status == _TOO_LARGE and len(numbers) == 1:
        return RefusedLineError(message, numbers[0])
    return DeliveryError(message)


def _failure(response: Response) -> str:
    return f"splunk: failed to send event - {response.excerpt()}"


def _object(response: Response) -> dict[str, Any]:
    try:
        value = json.loads(response.body)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
