"""CloudWatch Logs: signatures by AWS's examples, streams, batches, events of several lines."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from boxship.runtime.logs import awslogs
from boxship.runtime.logs.awscredentials import Identity, find_region
from boxship.runtime.logs.awsevents import (
    LONGEST,
    MOST_BYTES,
    MOST_EVENTS,
    Event,
    batches,
    date_pattern,
    events_of,
)
from boxship.runtime.logs.awssigning import Credentials, signed
from boxship.runtime.logs.driver import DeliveryError, Entry, Partial
from boxship.runtime.logs.joining import Line
from support.loglisteners import AT, Reply, Request, entries, http, target

MILLISECONDS = AT // 1_000_000
EXAMPLE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


@pytest.mark.parametrize(
    ("headers", "body", "names", "signature"),
    [
        (
            {},
            b"",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
        ),
        (
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
)
def test_signatures_of_the_test_suite_of_aws(
    headers: dict[str, str], body: bytes, names: str, signature: str
) -> None:
    """Its cases post-vanilla and post-x-www-form-urlencoded."""
    complete = signed(
        method="POST",
        host="example.amazonaws.com",
        path="/",
        headers=headers,
        body=body,
        credentials=EXAMPLE,
        region="us-east-1",
        service="service",
        at=1_440_938_160,  # 2015-08-30T12:36:00Z
    )
    assert complete["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


class CloudWatch:
    """The operations, as far as they are needed."""

    def __init__(self, *groups: str) -> None:
        self.streams: dict[str, list[str]] = {group: [] for group in groups}
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.errors: list[str] = []
        """Words for what the next puts are refused for."""

    def answer(self, request: Request) -> Reply:
        assert request.headers["content-type"] == "application/x-amz-json-1.1"
        assert "Credential=AKID/" in request.headers["authorization"]
        operation = request.headers["x-amz-target"].removeprefix("Logs_20140328.")
        self.calls.append((operation, request.json))
        return getattr(self, operation)(**request.json)  # type: ignore[no-any-return]

    def CreateLogGroup(self, *, logGroupName: str) -> Reply:  # noqa: N802, N803
        self.streams[logGroupName] = []
        return Reply(body=b"")

    def CreateLogStream(self, *, logGroupName: str, logStreamName: str) -> Reply:  # noqa: N802, N803
        if logGroupName not in self.streams:
            return refusal("ResourceNotFoundException")
        if logStreamName in self.streams[logGroupName]:
            return refusal("ResourceAlreadyExistsException")
        self.streams[logGroupName].append(logStreamName)
        return Reply(body=b"")

    def PutLogEvents(self, **wish: Any) -> Reply:  # noqa: N802
        if self.errors:
            return refusal(self.errors.pop(0))
        if wish["logStreamName"] not in self.streams[wish["logGroupName"]]:
            return refusal("ResourceNotFoundException")
        return Reply(body=b'{"nextSequenceToken":"1"}')

    def events(self) -> list[dict[str, Any]]:
        return [e for name, wish in self.calls if name == "PutLogEvents" for e in wish["logEvents"]]


def refusal(code: str) -> Reply:
    body = b'{"__type":"com.amazonaws#%s","message":"no","expectedSequenceToken":"9"}'
    return Reply(400, body % code.encode())


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def opened(url: str, **options: str) -> awslogs.AwslogsDriver:
    named = {"awslogs_region": "r", "awslogs_group": "g", "awslogs_stream": "s", **options}
    return awslogs.open_driver(target("awslogs", awslogs_endpoint=url, **named))


def test_the_stream_is_made_and_gets_events() -> None:
    cloud = CloudWatch("g")
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        driver.send([*entries("one", ""), *entries("zwei ü", stream="stderr")])
        assert driver.kept == 0
    assert cloud.streams == {"g": ["s"]}
    assert cloud.events() == [
        {"timestamp": MILLISECONDS, "message": "one"},
        {"timestamp": MILLISECONDS, "message": "zwei ü"},
    ]
    assert server.requests[-1].headers.get("x-amzn-logs-format") is None


def test_the_group_is_made_if_it_may_be_and_the_tag_names_the_stream() -> None:
    cloud = CloudWatch()
    with http(cloud.answer) as server:
        with pytest.raises(DeliveryError, match=r"create Cloudwatch log stream: .*NotFound"):
            opened(server.url)
        options = {"awslogs_create_group": "true", "awslogs_stream": ""}
        opened(server.url, **options, awslogs_format="json/emf").close()
        opened(server.url, **options).close()
    assert cloud.streams == {"g": ["web/1"]}


def test_a_stream_that_may_not_be_made_is_not() -> None:
    cloud = CloudWatch("g")
    with http(cloud.answer) as server:
        opened(server.url, awslogs_create_stream="false").close()
    assert cloud.calls == []


@pytest.mark.parametrize(
    ("error", "puts"),
    [("InvalidSequenceTokenException", 2), ("DataAlreadyAcceptedException", 1)],
)
def test_sequence_tokens_of_old_services(error: str, puts: int) -> None:
    cloud = CloudWatch("g")
    cloud.errors = [error]
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        driver.send(entries("x"))
        driver.send(entries("y"))
    tokens = [wish.get("sequenceToken") for name, wish in cloud.calls if name == "PutLogEvents"]
    assert tokens == ([None, "9", "1"] if puts == 2 else [None, "9"])


def test_a_stream_that_somebody_removed_is_made_again() -> None:
    cloud = CloudWatch("g")
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        cloud.streams["g"].clear()
        driver.send(entries("x"))
    assert cloud.streams == {"g": ["s"]}


def test_an_event_that_is_refused_does_not_hold_up_the_others() -> None:
    cloud = CloudWatch("g")
    cloud.errors = ["InvalidParameterException"] * 2  # of all, then of the first half
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        with pytest.raises(DeliveryError) as failure:
            driver.send(entries("a", "b"))
        assert (failure.value.delivered, failure.value.refused) == (1, True)
    assert cloud.events()[-1]["message"] == "b"


def test_a_service_that_is_busy_is_asked_again_by_the_sender() -> None:
    cloud = CloudWatch("g")
    cloud.errors = ["ThrottlingException"]
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        with pytest.raises(DeliveryError, match="ThrottlingException: no") as failure:
            driver.send(entries("a"))
        assert (failure.value.delivered, failure.value.refused) == (0, False)


def test_credentials_that_have_ended_are_looked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = CloudWatch("g")
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        cloud.errors = ["ExpiredTokenException"]
        monkeypatch.setenv("AWS_SESSION_TOKEN", "new")
        with pytest.raises(DeliveryError, match="ExpiredTokenException"):
            driver.send(entries("a"))
        driver.send(entries("a"))
    tokens = [request.headers.get("x-amz-security-token") for request in server.requests]
    assert tokens == [None, None, "new"]


@pytest.mark.parametrize(
    "options",
    [{"awslogs_multiline_pattern": "^BEGIN"}, {"awslogs_datetime_format": r"\[%b %d, %Y %H:%M\]"}],
)
def test_lines_that_belong_together(options: dict[str, str]) -> None:
    first = "BEGIN" if "awslogs_multiline_pattern" in options else "x [Jan 02, 2026 03:04]"
    cloud = CloudWatch("g")
    with http(cloud.answer) as server, closing(opened(server.url, **options)) as driver:
        driver.send(entries("before", f"{first} 1", "  more"))
        assert driver.kept == 2
        driver.send(entries("  and more", f"{first} 2"))
        assert driver.kept == 1
        driver.flush()
        assert driver.kept == 0
    assert [event["message"] for event in cloud.events()] == [
        "before\n",
        f"{first} 1\n  more\n  and more\n",
        f"{first} 2\n",
    ]


def test_pieces_of_a_line_are_one_event() -> None:
    cloud = CloudWatch("g")
    pieces = [
        Entry("stdout", AT, b"a", Partial("i", 1, last=False)),
        Entry("stdout", AT + 10**9, b"b", Partial("i", 2, last=True)),
    ]
    with http(cloud.answer) as server, closing(opened(server.url)) as driver:
        driver.send(pieces[:1])
        assert driver.kept == 1
        driver.send(pieces[1:])
        assert driver.kept == 0
    assert cloud.events() == [{"timestamp": MILLISECONDS, "message": "ab"}]


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("%Y-%m-%d %H:%M:%S", "2026-01-02 03:04:05"),
        ("%d/%b/%y %I:%M %p %Z", "02/Jan/26 03:04 AM CEST"),
        ("%A %B %j %z", "Friday January 002 +0100"),
        ("%F %T%L", "2026-01-02 03:04:05.123"),
        ("%%", "%"),
    ],
)
def test_dates(form: str, text: str) -> None:
    assert re.fullmatch(date_pattern(form), text)
    assert not re.search(date_pattern(form), "no such thing")


def test_limits_of_batches() -> None:
    many = [Event(n, 1, b"x") for n in range(MOST_EVENTS + 1)]
    assert [len(batch) for batch in batches(many)] == [MOST_EVENTS, 1]
    large = [Event(n, 1, bytes(LONGEST)) for n in range(5)]
    assert [len(batch) for batch in batches(large)] == [4, 1]
    assert all(sum(e.size for e in batch) <= MOST_BYTES for batch in batches(large))
    far = [Event(0, 0, b"x"), Event(1, 25 * 3600 * 1000, b"y")]
    assert [len(batch) for batch in batches(far)] == [1, 1]
    mixed = [Event(0, 2, b"later"), Event(1, 1, b"earlier"), Event(2, 2, b"last")]
    ((first, second, third),) = batches(mixed)
    assert [first.text, second.text, third.text] == [b"earlier", b"later", b"last"]


def test_an_event_is_no_longer_than_it_may_be() -> None:
    lines = [Line(n, "stdout", AT, b"x" * (LONGEST // 2)) for n in range(3)]
    events, held = events_of(None, lines, re.compile("never"))
    assert [event.first for event in events] == [0, 1]
    assert held is not None
    assert held.first == 2
    (event,), _ = events_of(None, [Line(0, "stdout", AT, b"\xff" * LONGEST)], None)
    assert len(event.text) <= LONGEST
    assert event.text.decode() == "\ufffd" * (LONGEST // 3)


def test_credentials_are_looked_for_in_order(tmp_path: Path) -> None:
    shared = tmp_path / "credentials"
    shared.write_text("[default]\naws_access_key_id = F\naws_secret_access_key = s\n[other]\n")
    none = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none")}

    def ask(method: str, base: str, path: str, headers: Any) -> str:
        if path.endswith("/security-credentials/"):
            return "role\n"
        if "token" in path:
            return "T"
        key = f"{base}{path}"
        return f'{{"AccessKeyId":"{key}","SecretAccessKey":"s","Token":"t"}}'

    def key(environment: dict[str, str], endpoint: str = "") -> str:
        return Identity(endpoint, environment, ask).credentials().key

    environment = {"AWS_ACCESS_KEY_ID": "E", "AWS_SECRET_ACCESS_KEY": "s"}
    assert key(environment, "/creds") == "http://169.254.170.2/creds"
    assert key(environment) == "E"
    assert key({"AWS_SHARED_CREDENTIALS_FILE": str(shared)}) == "F"
    relative = {**none, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/x"}
    assert key(relative) == "http://169.254.170.2/v2/x"
    assert key({**none, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://h:1/p"}) == "http://h:1/p"
    assert key(none).endswith("/meta-data/iam/security-credentials/role")


def test_the_region_is_that_of_the_environment_or_the_instance() -> None:
    def ask(method: str, base: str, path: str, headers: Any) -> str:
        return "T" if method == "PUT" else "eu-1\n"

    def fail(method: str, base: str, path: str, headers: Any) -> str:
        raise OSError("nobody")

    assert find_region({"AWS_REGION": "here"}, fail) == "here"
    assert find_region({}, ask) == "eu-1"
    with pytest.raises(DeliveryError, match="Cannot determine region for awslogs driver: nobody"):
        find_region({}, fail)
