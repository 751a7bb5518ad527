"""DNS from both ends: questions from any place, and a name server in any place (RFC 1035)."""

import itertools
import random
import selectors
import socket
import struct
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from support.places import Place

EMBEDDED = "127.0.0.11"
A, PTR, AAAA, OPT = 1, 12, 28, 41
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
_RECURSIVE, _AUTHORITATIVE, _TRUNCATED, _RESPONSE = 0x0100, 0x0400, 0x0200, 0x8000
_ids = itertools.count(random.randrange(1 << 15))


@dataclass(frozen=True)
class Answer:
    code: int
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    truncated: bool = False
    has_edns: bool = False


def ask(
    place: Place, name: str, kind: int = A, *, server: str = EMBEDDED, tcp: bool = False,
    edns: int = 0, timeout: float = 5.0,
) -> Answer:  # fmt: skip
    """Ask from a place; ``edns`` is the size of datagrams that we say we take."""
    question = _question(name, kind, edns)
    if tcp:
        with place.connect(server, 53, timeout=timeout) as connection:
            connection.sendall(struct.pack("!H", len(question)) + question)
            (size,) = struct.unpack("!H", _exactly(connection, 2))
            reply = _exactly(connection, size)
    else:
        with place.open_socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout)
            asking.connect((server, 53))
            asking.send(question)
            reply = asking.recv(65535)
    assert reply[:2] == question[:2], "the answer to another question"
    return _parse(reply)


def addresses(place: Place, name: str, kind: int = A) -> list[str]:
    """Sorted; nothing if there is no such name."""
    return sorted(ask(place, name, kind).addresses)


def pointer(address: str) -> str:
    """The name to ask for in order to get an IPv4 address's name."""
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


@dataclass
class Nameserver:
    """Answers for a few names, by UDP and TCP; `with` it serves in ``place``.

    ``code`` answers every question with that error; ``mute`` hears and says nothing; with ``large``
    datagrams are cut off, so that the client has to come by TCP.
    """

    place: Place
    names: Mapping[str, str] = field(default_factory=dict)
    code: int = NOERROR
    mute: bool = False
    large: bool = False
    heard: list[str] = field(default_factory=list)
    callers: set[str] = field(default_factory=set)

    def __enter__(self) -> Self:
        self._selector = selectors.DefaultSelector()
        self._end, self._wake = socket.socketpair()
        self._datagrams = self.place.listener(socket.SOCK_DGRAM, 53)
        self._streams = self.place.listener(socket.SOCK_STREAM, 53)
        for readable in (self._end, self._datagrams, self._streams):
            self._selector.register(readable, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._wake.close()
        self._thread.join()
        for owned in (self._end, self._datagrams, self._streams, self._selector):
            owned.close()

    def _work(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._end:
                    return
                with suppress(OSError):
                    self._serve_datagram() if key.fileobj is self._datagrams else self._serve()

    def _serve_datagram(self) -> None:
        question, caller = self._datagrams.recvfrom(4096)
        if reply := self._reply(question, caller[0], cut=self.large):
            self._datagrams.sendto(reply, caller)

    def _serve(self) -> None:
        connection, caller = self._streams.accept()
        with connection:
            connection.settimeout(2)
            (size,) = struct.unpack("!H", _exactly(connection, 2))
            if reply := self._reply(_exactly(connection, size), caller[0], cut=False):
                connection.sendall(struct.pack("!H", len(reply)) + reply)

    def _reply(self, question: bytes, caller: str, *, cut: bool) -> bytes:
        name, end = _name(question, 12)
        (kind,) = struct.unpack_from("!H", question, end)
        self.heard.append(name.lower())
        self.callers.add(caller.removeprefix("::ffff:"))
        if self.mute:
            return b""
        address = self.names.get(name.lower())
        code = self.code or (NXDOMAIN if address is None else NOERROR)
        records = b""
        if code == NOERROR and kind == A and address is not None and not cut:
            records = struct.pack("!HHHIH", 0xC00C, A, 1, 60, 4) + socket.inet_aton(address)
        flags = _RESPONSE | _RECURSIVE | 0x80 | (_TRUNCATED if cut else 0) | code
        head = question[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0)
        return head + question[12 : end + 4] + records


def _question(name: str, kind: int, edns: int) -> bytes:
    labels = b"".join(bytes([len(part)]) + part for part in name.encode().split(b"."))
    head = struct.pack(
        "!HHHHHH", next(_ids) & 0xFFFF, _RECURSIVE, 1, 0, 0, 1 if edns else 0
    )  # fmt: skip
    extra = struct.pack("!BHHIH", 0, OPT, edns, 0, 0) if edns else b""
    return head + labels + b"\0" + struct.pack("!HH", kind, 1) + extra


def _parse(reply: bytes) -> Answer:
    _, flags, questions, *counts = struct.unpack_from("!HHHHHH", reply)
    assert flags & _RESPONSE, "not an answer"
    at = 12
    for _ in range(questions):
        at = _name(reply, at)[1] + 4
    found: list[str] = []
    names: list[str] = []
    has_edns = False
    for _ in range(sum(counts)):
        _, at = _name(reply, at)
        kind, _, _, size = struct.unpack_from("!HHIH", reply, at)
        at += 10
        if kind == A:
            found.append(socket.inet_ntop(socket.AF_INET, reply[at : at + size]))
        elif kind == AAAA:
            found.append(socket.inet_ntop(socket.AF_INET6, reply[at : at + size]))
        elif kind == PTR:
            names.append(_name(reply, at)[0])
        has_edns |= kind == OPT
        at += size
    return Answer(flags & 15, tuple(found), tuple(names), bool(flags & _TRUNCATED), has_edns)


def _name(message: bytes, at: int) -> tuple[str, int]:
    """The name at an offset, and where it ends."""
    labels: list[str] = []
    end = 0
    while size := message[at]:
        if size >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from("!H", message, at)[0] & 0x3FFF
            continue
        labels.append(message[at + 1 : at + 1 + size].decode())
        at += 1 + size
    return ".".join(labels), end or at + 1


def _exactly(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        data = connection.recv(size - len(received))
        assert data, f"closed after {received!r}"
        received += data
    return received
