"""What log plugins give back is read entry by entry, and nonsense is told as that."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from boxship.plugin.client import PluginClient
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.entries import ReadEntry
from boxship.plugin.errors import PluginNonsenseError, PluginRefusedError
from boxship.plugin.log import LogPlugin
from boxship.runtime.logs.driver import Entry, Partial
from boxship.runtime.logs.plugin import framed
from support.fakeplugin import serving

ID = "ab" * 32


def read(tmp_path: Path, answer: Any) -> list[ReadEntry]:
    path = str(tmp_path / "p.sock")
    plugin = LogPlugin(PluginClient("p", Endpoint(path=path)))

    async def all_of_it() -> list[ReadEntry]:
        return [entry async for entry in plugin.read({}, {})]

    with serving(path, "LogDriver", {"LogDriver.ReadLogs": lambda _: answer}):
        return asyncio.run(all_of_it())


def stream(body: bytes) -> bytes:
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"


def test_entries_come_as_they_were_sent(tmp_path: Path) -> None:
    sent = [
        Entry("stdout", 1_700_000_000_123_456_789, b"one\xff"),
        Entry("stderr", 5, b"begin", Partial(ID, 1, False)),
        Entry("stderr", 5, b"end", Partial(ID, 2, True)),
    ]
    assert read(tmp_path, stream(b"".join(map(framed, sent)))) == [
        ReadEntry("stdout", 1_700_000_000_123_456_789, b"one\xff"),
        ReadEntry("stderr", 5, b"begin", True),
        ReadEntry("stderr", 5, b"end"),
    ]


def test_unknown_fields_are_passed_over(tmp_path: Path) -> None:
    message = b"\x1a\x01a" + b"\x49" + b"8" * 8 + b"\x55" + b"4" * 4 + b"\x30\x05"
    body = len(message).to_bytes(4, "big") + message
    assert read(tmp_path, stream(body)) == [ReadEntry("stdout", 0, b"a")]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"\x00\x00\x00\x05ab", "breaks off within an entry"),
        (b"\xff\x00\x00\x00", "bytes a line"),
        (b"\x00\x00\x00\x02\x1a\x09", "no entry"),
        (b"\x00\x00\x00\x01\x1f", "no entry"),
        (b"\x00\x00\x00\x02\x18\x01", "no entry"),
    ],
)
def test_nonsense_is_named(tmp_path: Path, body: bytes, words: str) -> None:
    with pytest.raises(PluginNonsenseError, match=words):
        read(tmp_path, stream(body))


def test_a_refusal_comes_before_any_entry(tmp_path: Path) -> None:
    answer = b'HTTP/1.1 500 No\r\nContent-Length: 18\r\n\r\n{"Err": "no disk"}'
    with pytest.raises(PluginRefusedError, match="ReadLogs: no disk"):
        read(tmp_path, answer)


@pytest.mark.parametrize(
    ("answer", "reads"), [({"Cap": {"ReadLogs": True}}, True), ({"Cap": {}}, False), (None, False)]
)
def test_whether_it_reads(tmp_path: Path, answer: Any, reads: bool) -> None:
    path = str(tmp_path / "p.sock")
    plugin = LogPlugin(PluginClient("p", Endpoint(path=path)))
    answers = {"LogDriver.Capabilities": lambda _: answer} if answer else {}
    with serving(path, "LogDriver", answers):
        assert asyncio.run(plugin.reads()) is reads
