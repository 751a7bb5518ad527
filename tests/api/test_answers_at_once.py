"""Answers that need no task: to clients that read slowly, ask much at once, or leave."""

import socket

import pytest
from msgspec import json, structs

from support.waiting import eventually

MANY = 3000
PING = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n"
LIST = b"GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\n\r\n"


class Reader:
    """Answers of one connection, one after the other."""

    def __init__(self, sock: socket.socket) -> None:
        self._file = sock.makefile("rb")

    def next(self) -> tuple[int, bytes]:
        status = int(self._file.readline().split()[1])
        length = 0
        while (line := self._file.readline()) != b"\r\n":
            name, _, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        return status, self._file.read(length)


@pytest.fixture
def crowd(api):
    """So many containers that their list fits into no socket."""
    web = next(iter(api.containers.records.values()))
    api.containers.records |= {
        f"{number:064}": structs.replace(web, id=f"{number:064}") for number in range(MANY)
    }
    return api


def test_an_answer_that_is_not_read_holds_up_the_next_and_nobody_else(crowd):
    with crowd.client.connect() as slow:
        slow.sendall(LIST)
        slow.sendall(PING * 2)
        assert crowd.client.request("GET", "/_ping").body == b"OK"
        reader = Reader(slow)
        status, body = reader.next()
        assert status == 200
        assert len(json.decode(body)) > MANY
        assert [reader.next(), reader.next()] == [(200, b"OK")] * 2


def test_many_requests_at_once_are_answered_in_their_order(api):
    with api.client.connect() as sock:
        sock.sendall((PING + b"GET /nowhere HTTP/1.1\r\nHost: d\r\n\r\n") * 1000)
        reader = Reader(sock)
        statuses = [reader.next()[0] for _ in range(2000)]
    assert statuses == [200, 404] * 1000


def test_a_client_that_leaves_before_it_has_all_of_its_answer_costs_nothing(crowd):
    for _ in range(5):
        with crowd.client.connect() as sock:
            sock.sendall(LIST)
            assert sock.recv(16)
    eventually(lambda: not crowd.server.connections, "the end of connections without clients")


def test_nothing_is_made_for_a_client_that_has_not_read_what_there_is(crowd):
    with crowd.client.connect() as slow:
        for _ in range(5):
            slow.sendall(LIST)
            assert crowd.client.request("GET", "/_ping").body == b"OK"
        assert [what for what, _ in crowd.containers.asked] == ["list"]
        reader = Reader(slow)
        assert [reader.next()[0] for _ in range(5)] == [200] * 5


def test_a_client_that_has_closed_its_side_gets_its_answer(crowd):
    with crowd.client.connect() as sock:
        sock.sendall(LIST)
        sock.shutdown(socket.SHUT_WR)
        status, body = Reader(sock).next()
        assert status == 200
        assert len(json.decode(body)) > MANY


def test_a_head_is_answered_without_its_body(api):
    with api.client.connect() as sock:
        sock.sendall(b"HEAD /_ping HTTP/1.1\r\nHost: d\r\n\r\n" + PING)
        head = b""
        while head.count(b"\r\n\r\n") < 2 or not head.endswith(b"OK"):
            data = sock.recv(4096)
            assert data, head
            head += data
    assert head.count(b"OK") == 3  # two status lines, and one body
