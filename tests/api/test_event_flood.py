"""Many events to many listeners, one of which doesn't read."""

import selectors
import socket
from contextlib import ExitStack

from boxship.engine.events.bus import BACKLOG
from boxship.model.event import EventType

LISTENERS = 20
A_SECOND = 5000
SECONDS = 4


def listen(api):
    sock = api.client.connect()
    sock.settimeout(30)
    sock.sendall(b"GET /v1.56/events HTTP/1.0\r\nHost: d\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += sock.recv(1)
    return sock


def flood(api, first):
    """Publish a second's events in hundredths, as fast as the loop goes round."""
    last = first + A_SECOND

    def some(first):
        for number in range(first, first + A_SECOND // 100):
            api.events.publish(EventType.CONTAINER, "start", str(number), {"name": "web"})
        if first + A_SECOND // 100 < last:
            api.loop.call_soon(some, first + A_SECOND // 100)

    api.call(lambda: some(first))


def read_on(got):
    """Read from all of them until each has had a second's lines."""
    missing = dict.fromkeys(got, A_SECOND)
    with selectors.DefaultSelector() as selector:
        for sock in got:
            selector.register(sock, selectors.EVENT_READ)
        while missing:
            ready = selector.select(30)
            assert ready, f"no more comes: {sorted(missing.values())}"
            for key, _ in ready:
                data = key.fileobj.recv(1 << 20)
                assert data, "a listener that reads was cut off"
                got[key.fileobj] += data
                missing[key.fileobj] -= data.count(b"\n")
                if missing[key.fileobj] <= 0:
                    selector.unregister(key.fileobj)
                    del missing[key.fileobj]


def test_a_listener_that_does_not_read_is_cut_off_and_nobody_else_loses_one(api):
    events = A_SECOND * SECONDS
    assert A_SECOND < BACKLOG < events  # who reads within a second can't be too far behind
    with ExitStack() as opened:
        stuck = opened.enter_context(listen(api))
        stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        got = {opened.enter_context(listen(api)): bytearray() for _ in range(LISTENERS)}
        for first in range(0, events, A_SECOND):
            flood(api, first)
            read_on(got)
        one, *others = got.values()
        expected = [b'"ID":"%d"' % number for number in range(events)]
        assert all(want in line for want, line in zip(expected, one.splitlines(), strict=True))
        assert all(other == one for other in others)
        lines = 0
        while data := stuck.recv(1 << 20):
            lines += data.count(b"\n")
        assert 0 < lines < events
