"""``awslogs``: to Amazon CloudWatch Logs.

Requests are JSON, signed (``awssigning.py``), the operation in a header. The group and the stream
are made if they are missing and may be; lines that belong together, by a pattern or by the date
that begins an event, become one event (``awsevents.py``).
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

from boxship.runtime.logs import joining
from boxship.runtime.logs.awscredentials import Identity, find_region
from boxship.runtime.logs.awsevents import LONGEST, Event, batches, date_pattern, events_of
from boxship.runtime.logs.awssigning import signed
from boxship.runtime.logs.driver import Batch, DeliveryError, Entry
from boxship.runtime.logs.httpcalls import HttpServer, Response
from boxship.runtime.logs.words import read_truth
from boxship.runtime.messages import LogTarget

_SERVICE: Final = "logs"
_VERSION: Final = "Logs_20140328"
_JSON: Final = "application/x-amz-json-1.1"
_BATCH_BYTES: Final = 600_000
"""Less than a request may have, for what else counts in it: one request does for a batch."""
_EXPIRED: Final = frozenset({"ExpiredTokenException", "UnrecognizedClientException"})


class ServiceError(DeliveryError):
    """The service has refused a request; ``code`` is its word for the reason."""

    def __init__(self, operation: str, response: Response) -> None:
        try:
            told = json.loads(response.body)
        except ValueError:
            told = {}
        self.told: dict[str, Any] = told if isinstance(told, dict) else {}
        self.code = str(self.told.get("__type", "")).rpartition("#")[2]
        text = self.told.get("message") or self.told.get("Message") or response.excerpt()
        super().__init__(f"{operation}: {self.code or response.status}: {text}")


def open_driver(target: LogTarget) -> AwslogsDriver:
    """Make the stream, if it may be made and is missing. OSError, DeliveryError."""
    options = target.options
    region = options.get("awslogs-region") or find_region(os.environ)
    endpoint = options.get("awslogs-endpoint") or f"https://logs.{region}.{_domain(region)}"
    identity = Identity(options.get("awslogs-credentials-endpoint", ""), os.environ)
    service = Service(endpoint, region, identity)
    driver = AwslogsDriver(
        service,
        group=options["awslogs-group"],
        stream=options.get("awslogs-stream") or target.facts.tag,
        begins=_beginning(options),
        batch=Batch(
            seconds=float(options.get("awslogs-force-flush-interval-seconds") or 5),
            entries=int(options.get("awslogs-max-buffered-events") or 4096),
            bytes=_BATCH_BYTES,
        ),
        form=options.get("awslogs-format", ""),
        may_make_group=read_truth(options.get("awslogs-create-group")),
        may_make_stream=read_truth(options.get("awslogs-create-stream") or "true"),
    )
    try:
        driver.make_stream()
    except (OSError, DeliveryError) as error:
        driver.close()
        raise DeliveryError(f"failed to create Cloudwatch log stream: {error}") from error
    return driver


def _domain(region: str) -> str:
    return "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"


def _beginning(options: Mapping[str, str]) -> re.Pattern[str] | None:
    """Return what matches the first line of an event, if events may have several."""
    if form := options.get("awslogs-datetime-format"):
        return re.compile(date_pattern(form))
    pattern = options.get("awslogs-multiline-pattern")
    return re.compile(pattern) if pattern else None


class Service:
    """CloudWatch Logs of a region."""

    def __init__(self, endpoint: str, region: str, identity: Identity) -> None:
        parts = urlsplit(endpoint)
        self._server = HttpServer(endpoint)
        self._host, self._path = parts.netloc, parts.path or "/"
        self._region, self._identity = region, identity

    def call(
        self, operation: str, wish: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Carry an operation out. OSError, ServiceError."""
        body = json.dumps(wish, separators=(",", ":"), ensure_ascii=False).encode()
        complete = signed(
            method="POST",
            host=self._host,
            path=self._path,
            headers={
                "Content-Type": _JSON,
                "X-Amz-Target": f"{_VERSION}.{operation}",
                **(headers or {}),
            },
            body=body,
            credentials=self._identity.credentials(),
            region=self._region,
            service=_SERVICE,
            at=time.time(),
        )
        response = self._server.request("POST", self._path, complete, body)
        if response.status == 200:
            answer = json.loads(response.body or b"{}")
            return answer if isinstance(answer, dict) else {}
        error = ServiceError(operation, response)
        if error.code in _EXPIRED:
            self._identity.forget()
        raise error

    def close(self) -> None:
        """Close the connection."""
        self._server.close()


class AwslogsDriver:
    """A stream of a group, and the lines that wait for others of their event."""

    def __init__(
        self,
        service: Service,
        *,
        group: str,
        stream: str,
        begins: re.Pattern[str] | None,
        batch: Batch,
        form: str = "",
        may_make_group: bool = False,
        may_make_stream: bool = True,
    ) -> None:
        self.batch = batch
        self._service, self._begins = service, begins
        self._where = {"logGroupName": group, "logStreamName": stream}
        self._headers = {"x-amzn-logs-format": form} if form else {}
        self._may_make_group, self._may_make_stream = may_make_group, may_make_stream
        self._pieces = joining.NOTHING
        self._held: Event | None = None
        self._count = 0
        self._token: str | None = None

    def make_stream(self) -> None:
        """Make the stream, and its group, unless they are there or may not be made."""
        if not self._may_make_stream:
            return
        try:
            self._make("CreateLogStream", self._where)
        except ServiceError as error:
            if error.code != "ResourceNotFoundException" or not self._may_make_group:
                raise
            self._make("CreateLogGroup", {"logGroupName": self._where["logGroupName"]})
            self._make("CreateLogStream", self._where)

    def _make(self, operation: str, wish: Mapping[str, str]) -> None:
        try:
            self._service.call(operation, wish)
        except ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise

    @property
    def kept(self) -> int:
        firsts = [line.first for line in self._pieces.values()]
        if self._held is not None:
            firsts.append(self._held.first)
        return self._count - min(firsts, default=self._count)

    def send(self, entries: Sequence[Entry]) -> None:
        lines, pieces = joining.join(self._pieces, entries, LONGEST, self._count)
        events, held = events_of(self._held, lines, self._begins)
        refused = self._deliver(events)
        self._count += len(entries)
        self._pieces, self._held = pieces, held
        if refused is not None:  # the others are delivered, and none is to come again
            self._pieces = joining.done_with(pieces, self._count)
            self._held = held and held._replace(first=self._count)
            raise DeliveryError(str(refused), delivered=len(entries) - 1, refused=True)

    def flush(self) -> None:
        """Deliver the event that might have gone on."""
        lines = list(self._pieces.values())
        events, held = events_of(self._held, lines, self._begins)
        self._deliver([*events, held] if held is not None else events)
        self._pieces, self._held = joining.NOTHING, None

    def _deliver(self, events: Sequence[Event]) -> ServiceError | None:
        """Deliver events; return why some of them are not wanted, if so."""
        refused = None
        for batch in batches(events):
            refused = self._put(batch) or refused
        return refused

    def _put(self, events: Sequence[Event]) -> ServiceError | None:
        """Put a batch; one that is refused for its contents is put half by half."""
        try:
            self._put_all(events)
        except ServiceError as error:
            if error.code != "InvalidParameterException":
                raise
            if len(events) == 1:
                return error
            half = len(events) // 2
            first = self._put(events[:half])
            return self._put(events[half:]) or first
        return None

    def _put_all(self, events: Sequence[Event]) -> None:
        wish: dict[str, Any] = {
            **self._where,
            "logEvents": [{"timestamp": e.at, "message": e.text.decode()} for e in events],
        }
        try:
            self._token = self._put_once(wish)
        except ServiceError as error:
            if error.code == "DataAlreadyAcceptedException":
                self._token = error.told.get("expectedSequenceToken")
            elif error.code == "InvalidSequenceTokenException":
                self._token = error.told.get("expectedSequenceToken")
                self._token = self._put_once(wish)
            elif error.code == "ResourceNotFoundException" and self._may_make_stream:
                self._token = None
                self.make_stream()  # somebody has removed it
                self._token = self._put_once(wish)
            else:
                raise

    def _put_once(self, wish: Mapping[str, Any]) -> str | None:
        token = {"sequenceToken": self._token} if self._token else {}
        answer = self._service.call("PutLogEvents", {**wish, **token}, self._headers)
        following = answer.get("nextSequenceToken")
        return following if isinstance(following, str) else None

    def close(self) -> None:
        self._service.close()
