"""Answers that last: header first, body when there is something, an end when the client goes."""

import gc
import socket
import threading
import weakref

import msgspec
import pytest

from boxship.engine.containers.requests import LogLine, LogQuery, WaitCondition, WaitOutcome
from boxship.model.event import EventType


def open_stream(api, path, method="GET"):
    sock = api.client.connect()
    sock.sendall(f"{method} {path} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return sock, head.decode()


def chunk(sock):
    """Read one chunk; empty at the stream's end."""
    size = b""
    while not size.endswith(b"\r\n"):
        size += sock.recv(1)
    data = b""
    while len(data) < int(size, 16) + 2:
        data += sock.recv(int(size, 16) + 2 - len(data))
    return data[:-2]


def test_wait_sends_its_header_before_the_container_ends(api):
    sock, head = open_stream(api, "/containers/web/wait?condition=next-exit", "POST")
    with sock:
        assert head.startswith("HTTP/1.1 200 OK")
        assert "Transfer-Encoding: chunked" in head
        assert ("wait", WaitCondition.NEXT_EXIT) in api.containers.asked
        api.containers.end(WaitOutcome(137))
        assert msgspec.json.decode(chunk(sock)) == {"StatusCode": 137}
        assert chunk(sock) == b""


def test_wait_tells_an_error(api):
    sock, _ = open_stream(api, "/containers/web/wait", "POST")
    with sock:
        api.containers.end(WaitOutcome(1, "it broke"))
        assert msgspec.json.decode(chunk(sock)) == {
            "StatusCode": 1,
            "Error": {"Message": "it broke"},
        }


def test_wait_for_a_removal_that_failed_had_no_body_before_1_34(api):
    for version, body in (("1.33", b""), ("1.34", b'{"StatusCode":1,"Error":{"Message":"it')):
        sock, _ = open_stream(api, f"/v{version}/containers/web/wait?condition=removed", "POST")
        with sock:
            api.containers.end(WaitOutcome(1, "it broke"))
            assert chunk(sock).startswith(body)
        api.containers.waiting.clear()


def test_wait_of_nothing_is_404_and_a_bad_condition_400(api):
    assert api.client.request("POST", "/containers/nope/wait").status == 404
    answer = api.client.request("POST", "/containers/web/wait?condition=x")
    assert (answer.status, answer.message) == (400, 'invalid condition: "x"')


def test_wait_is_given_up_when_the_client_leaves(api):
    sock, _ = open_stream(api, "/containers/web/wait", "POST")
    sock.close()
    assert api.containers.log_closed.wait(10), "the registered wait was not cancelled"


def test_followed_logs_are_given_up_when_the_client_leaves(api):
    api.containers.follow_forever = True
    sock, _ = open_stream(api, "/containers/web/logs?stdout=1&follow=1")
    assert api.containers.registered.wait(10)
    sock.close()
    assert api.containers.log_closed.wait(10), "the log is still being read"


def test_followed_logs_send_their_header_before_the_first_line(api):
    api.containers.follow_forever = True
    sock, head = open_stream(api, "/v1.56/containers/web/logs?stdout=1&follow=1")
    sock.close()
    assert "application/vnd.docker.multiplexed-stream" in head


def test_log_lines_are_frames_each(api):
    api.containers.batches = [
        [LogLine("one\n", "stdout", "T1"), LogLine("zwei: ß\n", "stderr", "T2")],
        [LogLine("three\n", "stdout", "T3")],
    ]
    answer = api.client.request("GET", "/containers/web/logs?stdout=1&stderr=1&timestamps=1&tail=7")
    two = "T2 zwei: ß\n".encode()
    assert answer.body == (
        b"\x01\0\0\0\0\0\0\x07T1 one\n"
        + b"\x02\0\0\0\0\0\0"
        + bytes([len(two)])
        + two
        + b"\x01\0\0\0\0\0\0\x09T3 three\n"
    )
    assert ("logs", LogQuery(tail=7)) in api.containers.asked


def test_logs_of_a_terminal_are_raw(api):
    api.containers.batches = [[LogLine("one\r\n"), LogLine("two\r\n")]]
    answer = api.client.request("GET", "/containers/term/logs?stdout=1")
    assert answer.body == b"one\r\ntwo\r\n"
    assert answer.headers["Content-Type"] == "application/vnd.docker.raw-stream"


def test_logs_of_neither_stream_are_refused(api):
    answer = api.client.request("GET", "/containers/web/logs?follow=1")
    assert answer.status == 400
    assert answer.message == "Bad parameters: you must choose at least one stream"


def test_a_slow_reader_of_logs_is_waited_for(api):
    """Nothing is queued without bound: the log is read no faster than the client reads."""
    sent = []
    line = LogLine("x" * 65535 + "\n")

    class Batches:
        def __init__(self):
            self.made = 0

        def __iter__(self):
            for number in range(400):
                sent.append(number)
                yield [line]

    api.containers.batches = Batches()
    sock, _ = open_stream(api, "/containers/web/logs?stdout=1")
    with sock:
        sock.recv(1)
        _until_still(sent)
        assert len(sent) < 100, "the log ran ahead of its reader"
        total = 1
        while data := sock.recv(1 << 20):
            total += len(data)
            if total > 400 * 65536:
                break
    assert len(sent) == 400


def _until_still(sent):
    """Wait until the number of batches hasn't changed for a while."""
    still = threading.Event()
    before = -1
    while before != len(sent):
        before = len(sent)
        still.wait(0.2)


def test_events_come_as_they_happen_and_old_ones_by_since(api):
    api.call(lambda: api.events.publish(EventType.CONTAINER, "create", "a" * 64, {"name": "web"}))
    sock, head = open_stream(api, "/v1.51/events?since=1")
    with sock:
        assert "application/json" in head
        first = msgspec.json.decode(chunk(sock))
        assert (first["Type"], first["Action"], first["status"]) == ("container",) + ("create",) * 2
        api.call(lambda: api.events.publish(EventType.IMAGE, "tag", "x", {}))
        assert msgspec.json.decode(chunk(sock))["Actor"] == {"ID": "x", "Attributes": {}}


def test_events_are_filtered_and_end_at_until(api):
    def publish():
        api.events.publish(EventType.CONTAINER, "start", "a" * 64, {"name": "web"})
        api.events.publish(EventType.CONTAINER, "die", "a" * 64, {"name": "web"})
        api.events.publish(EventType.CONTAINER, "start", "b" * 64, {"name": "db"})

    api.call(publish)
    path = '/events?since=1&until=1800000001&filters={"event":["start"],"container":{"web":true}}'
    answer = api.client.request("GET", path.replace('"', "%22"))
    lines = [msgspec.json.decode(line) for line in answer.body.splitlines()]
    assert [(line["Action"], line["Actor"]["ID"][0]) for line in lines] == [("start", "a")]
    assert "status" not in lines[0]


def test_until_alone_asks_for_all_of_the_past(api):
    api.call(lambda: api.events.publish(EventType.IMAGE, "tag", "x", {}))
    answer = api.client.request("GET", "/events?until=1800000000")
    assert [msgspec.json.decode(line)["Action"] for line in answer.body.splitlines()] == ["tag"]


def test_unknown_event_filter(api):
    answer = api.client.request("GET", "/events?filters=%7B%22colour%22:[%22red%22]%7D")
    assert (answer.status, answer.message) == (400, "invalid filter 'colour'")


def test_a_client_that_leaves_is_no_listener_any_more(api):
    sock, _ = open_stream(api, "/events")
    assert len(api.events._subscriptions) == 1
    assert msgspec.json.decode(api.client.request("GET", "/info").body)["NEventsListener"] == 1
    sock.close()
    for _ in range(100):
        if not api.events._subscriptions:
            return
        threading.Event().wait(0.05)
    pytest.fail("the subscription was kept")


def test_a_client_that_leaves_before_until_leaves_no_timer(api):
    """A timer would keep the subscription until then, which may be in years."""
    sock, _ = open_stream(api, "/events?until=1800500000")
    (kept,) = [weakref.ref(subscription) for subscription in api.events._subscriptions]
    sock.close()
    for _ in range(100):
        gc.collect()
        if kept() is None:
            return
        threading.Event().wait(0.05)
    pytest.fail("something still knows the subscription")


def test_half_closing_ends_an_endless_stream_but_not_a_short_answer(api):
    with api.client.connect() as sock:
        sock.sendall(b"GET /events HTTP/1.1\r\nHost: d\r\n\r\n")
        sock.recv(1)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass
    with api.client.connect() as sock:
        sock.sendall(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        data = b""
        while part := sock.recv(65536):
            data += part
    assert data.endswith(b"OK")
