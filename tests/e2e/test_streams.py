"""Attach, exec and logs as byte streams over the API, without a client in between."""

import socket
import threading

import pytest

from support.api import unframe
from support.engine import Engine
from support.waiting import eventually

pytestmark = pytest.mark.privileged


def everything(connection: socket.socket, start: bytes = b"") -> bytes:
    """Read until the other side closes."""
    chunks = [start]
    while chunk := connection.recv(65536):
        chunks.append(chunk)
    return b"".join(chunks)


def test_attach_before_start_sees_every_byte(engine: Engine) -> None:
    container = engine.api.create("echo", Cmd=["sh", "-c", "echo first; echo second >&2"])
    connection, rest = engine.api.hijack(
        f"/containers/{container}/attach", stream=1, stdout=1, stderr=1
    )
    with connection:
        engine.api.start(container)
        assert unframe(everything(connection, rest)) == {1: b"first\n", 2: b"second\n"}


def test_half_close_is_the_end_of_input(engine: Engine) -> None:
    config = {"Cmd": ["sh", "-c", "wc -c; echo done"], "OpenStdin": True, "StdinOnce": True}
    container = engine.api.create("count", **config)
    connection, rest = engine.api.hijack(
        f"/containers/{container}/attach", stream=1, stdin=1, stdout=1
    )
    with connection:
        engine.api.start(container)
        connection.sendall(b"x" * 1_000_000)
        connection.shutdown(socket.SHUT_WR)
        assert unframe(everything(connection, rest)) == {1: b"1000000\ndone\n"}


def test_a_slow_reader_holds_the_container_and_loses_nothing(engine: Engine) -> None:
    """The reader waits until the container can't go on, then takes all of it."""
    size = 30_000_000
    pour = f"head -c {size} /dev/zero; echo poured >/tmp/end"
    container = engine.api.create("pour", Cmd=["sh", "-c", pour], Tty=False)
    connection, rest = engine.api.hijack(f"/containers/{container}/attach", stream=1, stdout=1)
    with connection:
        engine.api.start(container)
        assert unframe(everything(connection, rest))[1] == bytes(size)
    assert engine.api.wait(container) == 0


def test_two_readers_see_the_same(engine: Engine) -> None:
    config = {"Cmd": ["sh", "-c", "read go; seq 1 20000"], "OpenStdin": True}
    container = engine.api.create("both", **config)
    path = f"/containers/{container}/attach"
    first, rest_of_first = engine.api.hijack(path, stream=1, stdin=1, stdout=1)
    second, rest_of_second = engine.api.hijack(path, stream=1, stdout=1)
    seen: dict[str, bytes] = {}

    def listen() -> None:
        seen["second"] = everything(second, rest_of_second)

    with first, second:
        engine.api.start(container)
        listener = threading.Thread(target=listen)
        listener.start()
        first.sendall(b"go\n")
        seen["first"] = everything(first, rest_of_first)
        listener.join(20)
    wanted = b"".join(b"%d\n" % number for number in range(1, 20001))
    assert unframe(seen["first"])[1] == wanted
    assert unframe(seen["second"])[1] == wanted


def test_detach_keys_leave_the_container_running(engine: Engine) -> None:
    container = engine.api.create("shell", Cmd=["cat"], OpenStdin=True, Tty=True)
    engine.api.start(container)
    connection, rest = engine.api.hijack(
        f"/containers/{container}/attach", stream=1, stdin=1, stdout=1, detachKeys="ctrl-x,q"
    )
    with connection:
        connection.sendall(b"hello\n\x18q")
        everything(connection, rest)
    assert engine.api.inspect(container)["State"]["Running"]


def test_exec_streams_and_exit_code(engine: Engine) -> None:
    container = engine.api.create("host", Cmd=["sleep", "1000"])
    engine.api.start(container)
    config = {
        "Cmd": ["sh", "-c", "cat; echo err >&2; exit 11"],
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
    }
    created = engine.api.post(f"/containers/{container}/exec", config)
    assert created.status == 201
    execution = created.json()["Id"]
    connection, rest = engine.api.hijack(f"/exec/{execution}/start", {"Detach": False})
    with connection:
        connection.sendall(b"through\n")
        connection.shutdown(socket.SHUT_WR)
        assert unframe(everything(connection, rest)) == {1: b"through\n", 2: b"err\n"}

    def ended() -> bool:
        return not engine.api.get(f"/exec/{execution}/json").json()["Running"]

    eventually(ended, "the end of the exec")
    assert engine.api.get(f"/exec/{execution}/json").json()["ExitCode"] == 11


def test_a_vanished_reader_does_not_hold_the_container(engine: Engine) -> None:
    container = engine.api.create("pour", Cmd=["sh", "-c", "head -c 10000000 /dev/zero"])
    connection, _ = engine.api.hijack(f"/containers/{container}/attach", stream=1, stdout=1)
    engine.api.start(container)
    connection.close()
    assert engine.api.wait(container) == 0


def test_a_long_line_is_kept_whole(engine: Engine) -> None:
    container = engine.api.create("long", Cmd=["sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x"])
    engine.api.start(container)
    engine.api.wait(container)
    assert engine.api.logs(container) == b"x" * 100_000


def test_logs_of_bytes_that_are_not_text(engine: Engine) -> None:
    container = engine.api.create("quotes", Cmd=["printf", '"\\\\\\t<&>\\001 \\303\\244\\n'])
    engine.api.start(container)
    engine.api.wait(container)
    assert engine.api.logs(container) == '"\\\t<&>\x01 ä\n'.encode()


def test_wait_for_the_next_exit_and_removal(engine: Engine) -> None:
    container = engine.api.create("gone", Cmd=["true"])
    path = f"/containers/{container}/wait"
    with (
        engine.api.stream("POST", path, query={"condition": "next-exit"}) as ended,
        engine.api.stream("POST", path, query={"condition": "removed"}) as removed,
    ):
        assert ended.status == removed.status == 200  # headers come before the event
        engine.api.start(container)
        assert b'"StatusCode":0' in ended.read()
        engine.api.remove(container)
        assert b'"StatusCode":0' in removed.read()
