"""Splunk's HTTP Event Collector, with a server that answers as it does."""

import gzip
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from boxship.runtime.logs import splunk
from boxship.runtime.logs.driver import DeliveryError, Entry, Partial
from support.loglisteners import AT, FACTS, Reply, Request, entries, http, target

EVENTS = "/services/collector/event/1.0"


def objects(body: bytes) -> list[Any]:
    """JSON values one after the other."""
    text, found = body.decode(), []
    while text:
        value, end = json.JSONDecoder().raw_decode(text)
        found.append(value)
        text = text[end:].lstrip()
    return found


def accepting(request: Request) -> Reply:
    return Reply()


ATTRS = {"team": "ci", "_own": "2"}


@pytest.mark.parametrize(
    ("form", "tag", "line", "event"),
    [
        ("", "t", "hi", {"line": "hi", "source": "stdout", "tag": "t", "attrs": ATTRS}),
        ("inline", "", '{"a":1}', {"line": '{"a":1}', "source": "stdout", "attrs": ATTRS}),
        (
            "json",
            "t",
            '{"a":1}',
            {"line": {"a": 1}, "source": "stdout", "tag": "t", "attrs": ATTRS},
        ),
        ("json", "", "no json", {"line": "no json", "source": "stdout", "attrs": ATTRS}),
        ("raw", "t", "hi", "t team=ci _own=2 hi"),
        ("raw", "", "hi", "team=ci _own=2 hi"),
    ],
)
def test_events(form: str, tag: str, line: str, event: Any) -> None:
    with http() as server:
        options = {"splunk_format": form, "splunk_source": "s", "splunk_sourcetype": "st"}
        wanted = target(
            "splunk",
            replace(FACTS, tag=tag),
            splunk_url=server.url,
            splunk_token="secret",
            splunk_index="main",
            **options,
        )
        with closing(splunk.open_driver(wanted)) as driver:
            driver.send(entries(line))
    verified, sent = server.requests
    assert (verified.method, verified.path) == ("OPTIONS", EVENTS)
    assert (sent.method, sent.path) == ("POST", EVENTS)
    assert sent.headers["authorization"] == "Splunk secret"
    (message,) = objects(sent.body)
    assert message.pop("host")
    assert message == {
        "event": event,
        "time": "1767323045.123456",
        "source": "s",
        "sourcetype": "st",
        "index": "main",
    }


def test_compressed_and_without_what_raw_can_not_have() -> None:
    with http() as server:
        wanted = target(
            "splunk",
            splunk_url=server.url,
            splunk_token="t",
            splunk_format="raw",
            splunk_gzip="true",
            splunk_gzip_level="9",
            splunk_verify_connection="false",
        )
        with closing(splunk.open_driver(wanted)) as driver:
            driver.send(entries("one", "  ", "two"))
            driver.send(entries(" "))
    (sent,) = server.requests
    assert sent.headers["content-encoding"] == "gzip"
    events = [message["event"] for message in objects(gzip.decompress(sent.body))]
    assert events == ["web/1 team=ci _own=2 one", "web/1 team=ci _own=2 two"]


def test_acknowledgements_are_asked_for_on_the_channel() -> None:
    def answer(request: Request) -> Reply:
        if request.path == EVENTS:
            return Reply(body=b'{"text":"Success","code":0,"ackId":7}')
        return Reply(body=b'{"acks":{"7":true}}')

    with http(answer) as server:
        wanted = target(
            "splunk",
            splunk_url=server.url,
            splunk_token="t",
            splunk_index_acknowledgment="true",
        )
        with closing(splunk.open_driver(wanted)) as driver:
            driver.send(entries("x"))
    _, sent, asked = server.requests
    channel = sent.headers["x-splunk-request-channel"]
    assert asked.path == f"/services/collector/ack?channel={channel}"
    assert asked.json == {"acks": [7]}


def test_a_long_line_is_one_event() -> None:
    pieces = [
        Entry("stdout", AT, b"a" * 10, Partial("i", 1, last=False)),
        Entry("stderr", AT, b"between"),
        Entry("stdout", AT, b"b", Partial("i", 2, last=True)),
        Entry("stdout", AT, b"open", Partial("j", 1, last=False)),
    ]
    with http() as server:
        wanted = target("splunk", splunk_url=server.url, splunk_token="t")
        with closing(splunk.open_driver(wanted)) as driver:
            driver.send(pieces)
            assert driver.kept == 1
            driver.flush()
            assert driver.kept == 0
    lines = [m["event"]["line"] for r in server.requests for m in objects(r.body)]
    assert lines == ["between", "a" * 10 + "b", "open"]


@pytest.mark.parametrize(
    ("answer", "delivered", "refused"),
    [
        (lambda _: Reply(503, b'{"text":"Server is busy","code":9}'), 0, False),
        (lambda _: Reply(403, b'{"text":"Invalid token","code":4}'), 0, False),
        (lambda _: Reply(400, b'{"text":"No","code":12,"invalid-event-number":1}'), 1, True),
    ],
)
def test_refusals(answer: Callable[[Request], Reply], delivered: int, refused: bool) -> None:
    with http() as server:
        wanted = target("splunk", splunk_url=server.url, splunk_token="t")
        with closing(splunk.open_driver(wanted)) as driver:
            server.answer = answer
            with pytest.raises(DeliveryError, match="failed to send event") as failure:
                driver.send(entries("a", "b", "c"))
    assert (failure.value.delivered, failure.value.refused) == (delivered, refused)


def test_a_request_that_is_too_large_has_half_as_many_events_the_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(splunk.SplunkDriver, "most_events", 1000)
    with http() as server:
        wanted = target("splunk", splunk_url=server.url, splunk_token="t")
        with closing(splunk.open_driver(wanted)) as driver:
            assert driver.batch.entries == 1000
            server.answer = lambda _: Reply(413)
            with pytest.raises(DeliveryError, match="failed to send event") as failure:
                driver.send(entries("a", "b", "c", "d"))
            assert (failure.value.delivered, failure.value.refused) == (0, False)
        server.answer = accepting
        with closing(splunk.open_driver(wanted)) as driver:
            assert driver.batch.entries == 2
            server.answer = lambda _: Reply(413)
            with pytest.raises(DeliveryError) as failure:
                driver.send(entries("too long by itself"))
            assert (failure.value.delivered, failure.value.refused) == (0, True)


def test_a_refused_line_and_the_beginning_of_another() -> None:
    """What is told of the entries up to the refused one is true for all streams."""
    pieces = [
        Entry("stderr", AT, b"open ", Partial("i", 1, last=False)),
        *entries("good", "bad", "not tried"),
    ]
    with http() as server:
        wanted = target("splunk", splunk_url=server.url, splunk_token="t")
        with closing(splunk.open_driver(wanted)) as driver:
            server.answer = lambda _: Reply(400, b'{"invalid-event-number":1}')
            with pytest.raises(DeliveryError) as failure:
                driver.send(pieces)
            assert (failure.value.delivered, failure.value.refused) == (2, True)
            assert driver.kept == 0  # the sender counts the entries before as done
            server.answer = accepting
            driver.send(
                [*entries("again"), Entry("stderr", AT, b"end", Partial("i", 2, last=True))]
            )
    lines = [message["event"]["line"] for message in objects(server.requests[-1].body)]
    assert lines == ["again", "open end"]


def test_a_server_that_is_none_is_told_when_the_driver_is_opened() -> None:
    with http(lambda _: Reply(404, b"not here")) as server:
        wanted = target("splunk", splunk_url=server.url, splunk_token="t")
        with pytest.raises(DeliveryError, match=r"failed to verify connection - 404 .* not here"):
            splunk.open_driver(wanted)
    with pytest.raises(OSError, match=r"OPTIONS http://127.0.0.1:.*refused"):
        splunk.open_driver(wanted)


def test_an_authority_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    wanted = target(
        "splunk",
        splunk_url="https://127.0.0.1:1",
        splunk_token="t",
        splunk_capath=str(tmp_path / "none.pem"),
    )
    with pytest.raises(OSError, match=r"cannot read the CA .*none.pem"):
        splunk.open_driver(wanted)


@pytest.mark.parametrize(
    ("frequency", "size", "batch"),
    [("", "", (5.0, 1000)), ("1500ms", "10", (1.5, 10)), ("often", "many", (5.0, 1000))],
)
def test_batches_are_tuned_by_variables(
    frequency: str, size: str, batch: tuple[float, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPLUNK_LOGGING_DRIVER_POST_MESSAGES_FREQUENCY", frequency)
    monkeypatch.setenv("SPLUNK_LOGGING_DRIVER_POST_MESSAGES_BATCH_SIZE", size)
    wanted = target(
        "splunk",
        splunk_url="http://127.0.0.1:1",
        splunk_token="t",
        splunk_verify_connection="false",
    )
    with closing(splunk.open_driver(wanted)) as driver:
        assert (driver.batch.seconds, driver.batch.entries) == batch
