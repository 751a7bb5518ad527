"""The D-Bus client, and a scope's start against a peer that plays bus and systemd."""

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boxship.kernel import processes
from boxship.runtime.blueprint import Scope
from boxship.runtime.cgroups import dbus, systemd
from boxship.runtime.cgroups.dbus import Message
from boxship.runtime.cgroups.tree import CgroupError
from support.boxes import in_a_shim

SCOPE = Scope("boxship-c1.scope", "system.slice", (("Delegate", "b", "true"), ("Slice", "s", "x")))
JOB = "/org/freedesktop/systemd1/job/7"


@pytest.mark.parametrize(
    ("signature", "body"),
    [
        ("s", ("text",)),
        ("ybuitx", (1, True, 2, -3, 4, -5)),
        ("a(sv)", ([("PIDs", ("au", [1, 2])), ("Delegate", ("b", True))],)),
        ("ssa(sv)a(sa(sv))", ("u", "fail", [("X", ("t", 2**64 - 1))], [])),
        ("aasog", ([["a"], []], "/x", "a{}"[:2])),
        ("v", (("(sas)", ("a", ["b"])),)),
    ],
)
def test_messages_survive_the_wire(signature: str, body: tuple[Any, ...]) -> None:
    message = Message(dbus.METHOD_CALL, 5, "/p", "i.f", "M", "d.e", signature=signature, body=body)
    raw = dbus.encode(message)
    assert dbus.wanted(raw) == len(raw)
    assert dbus.decode(raw) == message


def test_bytes_as_the_specification_has_them() -> None:
    raw = dbus.encode(Message(dbus.METHOD_CALL, 1, "/", member="M", signature="u", body=(7,)))
    assert raw[:16] == b"l\x01\x00\x01\x04\x00\x00\x00\x01\x00\x00\x00'\x00\x00\x00"
    assert raw[16:26] == b"\x01\x01o\x00\x01\x00\x00\x00/\x00"
    assert raw[-4:] == b"\x07\x00\x00\x00"


@pytest.mark.parametrize("cut", [17, 30, 60])
def test_rubbish_is_no_message(cut: int) -> None:
    raw = dbus.encode(Message(dbus.METHOD_CALL, 1, "/", "a.b", "M", signature="s", body=("x" * 9,)))
    with pytest.raises(ValueError, match="D-Bus"):
        dbus.decode(raw[:cut])


class Peer:
    """Plays a bus with systemd on it, for one connection."""

    def __init__(self, end: socket.socket, result: str, refuse: str = "") -> None:
        self._end, self._result, self._refuse, self._data = end, result, refuse, b""
        self.asked: list[Message] = []

    def run(self) -> None:
        line = self._end.recv(100)
        assert line == b"\0AUTH EXTERNAL " + str(os.geteuid()).encode().hex().encode() + b"\r\n"
        self._end.sendall(b"OK 1234\r\n")
        self._data = self._end.recv(7)
        assert self._data == b"BEGIN\r\n"
        self._data = b""
        while message := self._next():
            self.asked.append(message)
            self._answer(message)

    def _next(self) -> Message | None:
        while len(self._data) < (size := dbus.wanted(self._data)):
            more = self._end.recv(3)  # in small pieces, as a stream may come
            if not more:
                return None
            self._data += more
        raw, self._data = self._data[:size], self._data[size:]
        return dbus.decode(raw)

    def _answer(self, message: Message) -> None:
        if message.member == self._refuse:
            self._send(Message(dbus.ERROR, 1, error="x.Denied", reply=message.serial,
                               signature="s", body=("no such luck",)))  # fmt: skip
        elif message.member == "StartTransientUnit":
            for job in ("/other", JOB):
                body = (7, job, SCOPE.unit, self._result if job == JOB else "failed")
                self._send(Message(dbus.SIGNAL, 1, "/x", "m", "JobRemoved",
                                   signature="uoss", body=body))  # fmt: skip
            self._send(Message(dbus.METHOD_RETURN, 1, reply=message.serial,
                               signature="o", body=(JOB,)))  # fmt: skip
        else:
            self._send(Message(dbus.METHOD_RETURN, 1, reply=message.serial))

    def _send(self, message: Message) -> None:
        self._end.sendall(dbus.encode(message))


Served = Callable[..., tuple[socket.socket, Peer]]


@pytest.fixture
def served() -> Iterator[Served]:
    started: list[tuple[socket.socket, socket.socket, threading.Thread]] = []

    def serve(result: str = "done", refuse: str = "") -> tuple[socket.socket, Peer]:
        ours, theirs = socket.socketpair()
        peer = Peer(theirs, result, refuse)
        thread = threading.Thread(target=peer.run)
        thread.start()
        started.append((ours, theirs, thread))
        return ours, peer

    yield serve
    for ours, theirs, thread in started:
        ours.close()
        thread.join()
        theirs.close()


def start(connection: socket.socket) -> None:
    bus = systemd.Bus(connection)
    bus.greet()
    systemd.start_unit(bus, SCOPE, 4711)


def test_a_unit_is_asked_for_and_waited_for(served: Served) -> None:
    connection, peer = served()
    start(connection)
    assert [message.member for message in peer.asked] == [
        "Hello", "AddMatch", "Subscribe", "StartTransientUnit",
    ]  # fmt: skip
    unit, mode, properties, more = peer.asked[-1].body
    assert (unit, mode, more) == (SCOPE.unit, "fail", [])
    assert dict(properties) == {
        "Delegate": ("b", True), "Slice": ("s", "x"), "PIDs": ("au", [4711]),
    }  # fmt: skip


def test_a_unit_that_cannot_be_started(served: Served) -> None:
    connection, _ = served(result="failed")
    with pytest.raises(OSError, match="'failed'"):
        start(connection)


def test_systemds_words_are_passed_on(served: Served) -> None:
    connection, _ = served(refuse="StartTransientUnit")
    with pytest.raises(OSError, match="no such luck"):
        start(connection)


def test_without_a_bus_it_is_said_and_nobody_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nosuch/bus")
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nosuch/bus")
    before = _children()
    with pytest.raises(CgroupError, match=r"boxship-c1\.scope: systemd: No such file"):
        systemd.start_scope(SCOPE)
    assert _children() == before


def _children() -> set[str]:
    """Return the pids of ours; the suite may have a daemon of its own."""
    return set(Path("/proc/thread-self/children").read_text().split())


def test_the_placeholder_goes_while_a_created_container_waits() -> None:
    """What has been born meanwhile has inherited all that is open, until it executes."""

    def work() -> int:
        placeholder = systemd._place_holder()
        waiting = processes.fork_into()
        if waiting == 0:
            signal.pause()
        try:
            signal.alarm(10)
            placeholder.release()
            return os.waitpid(waiting, os.WNOHANG)[0]
        finally:
            os.kill(waiting, signal.SIGKILL)
            os.waitpid(waiting, 0)

    assert in_a_shim(work) == 0
