"""Fluentd's Forward protocol, its MessagePack read and written by the msgpack library."""

import socket
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
import pytest

from boxship.runtime.logs import fluentd
from boxship.runtime.logs.attempts import Attempts
from boxship.runtime.logs.driver import DeliveryError, Entry, Partial
from boxship.runtime.logs.msgpack import Extension, IncompleteError, pack, unpack_texts
from support.loglisteners import AT, FACTS, accepted, entries, stream, target


@pytest.fixture(autouse=True)
def _no_failures_yet() -> None:
    Attempts(0, None).succeeded()


def messages(connection: socket.socket, count: int) -> list[Any]:
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)
    got: list[Any] = []
    while len(got) < count:
        data = connection.recv(65536)
        assert data
        unpacker.feed(data)
        got += unpacker
    return got


@pytest.mark.parametrize("address", ["tcp", "plain", "unix"])
def test_messages(address: str, tmp_path: Path) -> None:
    with stream(tmp_path / "fluent" if address == "unix" else None) as listener:
        where = (
            f"unix://{listener.getsockname()}"
            if address == "unix"
            else f"{'tcp://' if address == 'tcp' else ''}127.0.0.1:{listener.getsockname()[1]}"
        )
        with (
            closing(fluentd.open_driver(target("fluentd", fluentd_address=where))) as driver,
            closing(accepted(listener)) as connection,
        ):
            piece = Entry("stderr", AT, b"half", Partial("f" * 64, 1, last=False))
            driver.send([*entries("hello"), piece])
            first, second = messages(connection, 2)
    common = {"container_id": FACTS.container_id, "container_name": "/web"}
    attributes = {"team": "ci", "_own": "2"}
    assert first == [
        "web/1",
        AT // 10**9,
        {**common, "source": "stdout", "log": "hello", **attributes},
        {},
    ]
    assert second[2] == {
        **common,
        **attributes,
        "source": "stderr",
        "log": "half",
        "partial_message": "true",
        "partial_id": "f" * 64,
        "partial_ordinal": "1",
        "partial_last": "false",
    }


def test_sub_second_precision_is_an_extension() -> None:
    with stream() as listener:
        wanted = target(
            "fluentd",
            fluentd_address=f"127.0.0.1:{listener.getsockname()[1]}",
            fluentd_sub_second_precision="true",
        )
        with (
            closing(fluentd.open_driver(wanted)) as driver,
            closing(accepted(listener)) as connection,
        ):
            driver.send(entries("hello"))
            ((_, time, _, _),) = messages(connection, 1)
    assert time.code == 0
    assert time.data == (AT // 10**9).to_bytes(4, "big") + (AT % 10**9).to_bytes(4, "big")


@pytest.mark.parametrize("answered", [3, 2])
def test_acknowledgements(answered: int) -> None:
    """Each message is answered, or the server goes away before the last answer."""
    with stream() as listener:

        def serve() -> None:
            with closing(accepted(listener)) as connection:
                for message in messages(connection, 3)[:answered]:
                    connection.sendall(msgpack.packb({"ack": message[3]["chunk"]}))
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)

        server = threading.Thread(target=serve)
        server.start()
        wanted = target(
            "fluentd",
            fluentd_address=f"127.0.0.1:{listener.getsockname()[1]}",
            fluentd_request_ack="true",
        )
        try:
            with closing(fluentd.open_driver(wanted)) as driver:
                if answered == 3:
                    driver.send(entries("a", "b", "c"))
                else:
                    with pytest.raises(DeliveryError, match="no acknowledgement") as failure:
                        driver.send(entries("a", "b", "c"))
                    assert failure.value.delivered == 2
        finally:
            server.join()


def test_who_is_asynchronous_does_not_need_a_server_to_begin_with() -> None:
    with stream() as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(DeliveryError, match=r"^dial tcp 127.0.0.1:"):
        fluentd.open_driver(target("fluentd", fluentd_address=address))
    wanted = target("fluentd", fluentd_address=address, fluentd_async="true")
    with (
        closing(fluentd.open_driver(wanted)) as driver,
        pytest.raises(DeliveryError, match=r"dial tcp 127.0.0.1:"),
    ):
        driver.send(entries("x"))


@pytest.mark.parametrize(
    "value",
    [
        *(None, True, False, 0, 127, 128, 2**32 - 1, 2**32, -5),
        *("", "x" * 31, "x" * 32, "x" * 256, "x" * 65536, "ü"),
        *([], list(range(15)), list(range(16)), list(range(65536))),
        *({}, {str(n): n for n in range(15)}, {str(n): n for n in range(16)}),
    ],
    ids=lambda value: f"{type(value).__name__}-{str(value)[:12]}",
)
def test_packing(value: Any) -> None:
    assert msgpack.unpackb(pack(value)) == value


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 16, 17])
def test_packing_extensions(size: int) -> None:
    assert msgpack.unpackb(pack(Extension(5, bytes(size)))) == msgpack.ExtType(5, bytes(size))


def test_unpacking_answers() -> None:
    answer = {"ack": "x" * 300, "other": "y"}
    data = msgpack.packb(answer)
    for cut in range(len(data)):
        with pytest.raises(IncompleteError):
            unpack_texts(data[:cut])
    assert unpack_texts(data + b"more") == (answer, len(data))
    assert unpack_texts(msgpack.packb(answer, use_bin_type=False)) == (answer, len(data))
    for wrong in (b"\x93abc", msgpack.packb({"ack": 1}), b"\xdf\xff\xff\xff\xff"):
        with pytest.raises(ValueError, match="an answer"):
            unpack_texts(wrong)


def test_attempts_are_limited_and_paused_by_options() -> None:
    with stream() as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    wanted = target(
        "fluentd",
        fluentd_address=address,
        fluentd_async="true",
        fluentd_max_retries="2",
        fluentd_retry_wait="2s",
    )
    told = []
    for _ in range(4):  # each failure is a new driver's, as with the sender
        with (
            closing(fluentd.open_driver(wanted)) as driver,
            pytest.raises(DeliveryError) as failure,
        ):
            driver.send(entries("x"))
        told.append((failure.value.refused, failure.value.retry_after))
    assert told == [(False, 2.0), (False, 3.0), (True, 4.5), (False, 2.0)]
