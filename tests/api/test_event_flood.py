"""Many events to many listeners, one of which doesn't read."""

import selectors
import socket

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


def flood(api, events):
    """Publish a second's events in hundredths, as fast as the loop goes round."""

    def some(first):
        for number in range(first, first + A_SECOND // 100):
            api.events.publish(EventType.CONTAINER, "start", str(number), {"name": "web"})
        if first + A_SECOND // 100 < events:
            api.loop.call_soon(some, first + A_SECOND // 100)

    api.call(lambda: some(0))


def read_all(socks, until):
    """Read from all of them until each has had that many lines; return what each has got."""
    got = {sock: bytearray() for sock in socks}
    missing = dict.fromkeys(socks, until)
    with selectors.DefaultSelector() as selector:
        for sock in socks:
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
    return list(got.values())


def test_a_listener_that_does_not_read_is_cut_off_and_nobody_else_loses_one(api):
    events = A_SECOND * SECONDS
    assert events > BACKLOG
    stuck = listen(api)
    stuck.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    socks = [listen(api) for _ in range(LISTENERS)]
    try:
        flood(api, events)
        got = read_all(socks, events)
    finally:
        for sock in socks:
            sock.close()
    expected = [b'"ID":"%d"' % number for number in range(events)]
    assert all(want in line for want, line in zip(expected, got[0].splitlines(), strict=True))
    assert all(other == got[0] for other in got)
    with stuck:
        lines = 0
        while data := stuck.recv(1 << 20):
            lines += data.count(b"\n")
    assert 0 < lines < events
