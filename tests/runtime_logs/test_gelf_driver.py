"""GELF, read as its specification says: chunks, compression, fields."""

import gzip
import json
import os
import zlib
from contextlib import closing
from typing import Any

import pytest

from boxship.runtime.logs import gelf
from boxship.runtime.logs.driver import DeliveryError
from support.loglisteners import FACTS, accepted, datagrams, entries, read_until, stream, target


def read(datagram: bytes) -> dict[str, Any]:
    if datagram.startswith(b"\x1f\x8b"):
        datagram = gzip.decompress(datagram)
    elif not datagram.startswith(b"{"):
        datagram = zlib.decompress(datagram)
    return dict(json.loads(datagram))


@pytest.mark.parametrize("kind", ["", "gzip", "zlib", "none"])
def test_a_message(kind: str) -> None:
    with datagrams() as receiver:
        port = receiver.getsockname()[1]
        wanted = target(
            "gelf",
            gelf_address=f"udp://127.0.0.1:{port}",
            **({"gelf_compression_type": kind, "gelf_compression_level": "9"} if kind else {}),
        )
        with closing(gelf.open_driver(wanted)) as driver:
            driver.send(entries("", b"h\xc3\xb6llo\xff"))
            message = read(receiver.recv(65536))
    assert message.pop("host")
    assert message == {
        "version": "1.1",
        "short_message": "höllo\ufffd",
        "timestamp": 1767323045.123,
        "level": 6,
        "_container_id": FACTS.container_id,
        "_container_name": "web",
        "_image_id": "sha256:fedc",
        "_image_name": "busybox:1",
        "_command": "sh -c true",
        "_tag": "web/1",
        "_created": "2026-01-02T03:04:05.500000000Z",
        "_team": "ci",
        "_own": "2",
    }


def test_a_long_message_comes_in_chunks() -> None:
    text = os.urandom(6000).hex()
    with datagrams() as receiver:
        port = receiver.getsockname()[1]
        wanted = target("gelf", gelf_address=f"udp://127.0.0.1:{port}")
        with closing(gelf.open_driver(wanted)) as driver:
            driver.send(entries(text, stream="stderr"))
            first = receiver.recv(65536)
            count = first[11]
            datagrams_ = [first, *(receiver.recv(65536) for _ in range(count - 1))]
    assert count > 1
    assert {datagram[:2] for datagram in datagrams_} == {b"\x1e\x0f"}
    assert len({datagram[2:10] for datagram in datagrams_}) == 1
    assert [datagram[10] for datagram in datagrams_] == list(range(count))
    assert max(map(len, datagrams_)) <= 1420
    message = read(b"".join(datagram[12:] for datagram in datagrams_))
    assert (message["short_message"], message["level"]) == (text, 3)


def test_more_than_128_chunks_are_refused() -> None:
    with pytest.raises(DeliveryError, match="more than 128 chunks") as refusal:
        list(gelf.chunks(bytes(128 * 1408 + 1)))
    assert refusal.value.refused


def test_over_tcp_messages_end_with_nul() -> None:
    with stream() as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with (
            closing(gelf.open_driver(target("gelf", gelf_address=address))) as driver,
            closing(accepted(listener)) as connection,
        ):
            driver.send(entries("one", "", "two"))
            got = read_until(connection, lambda data: data.count(b"\0") == 2)
    assert [read(part)["short_message"] for part in got.split(b"\0")[:2]] == ["one", "two"]


def test_over_tcp_somebody_has_to_be_there() -> None:
    with stream() as listener:
        address = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(DeliveryError, match=r"^gelf: cannot connect to GELF endpoint: dial tcp"):
        gelf.open_driver(target("gelf", gelf_address=address))
