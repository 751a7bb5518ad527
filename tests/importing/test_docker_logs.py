"""dockerd's logs, of every driver that keeps one, as lines of json-file."""

import gzip
import struct
from pathlib import Path

import pytest

from boxship.importing.logs import log_files
from boxship.importing.root import DockerRoot

ID = "a" * 64
TIME_NS = 1_600_000_000_123_456_789


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    return varint(number << 3) + varint(value)


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def message(line: bytes, *, partial: bool = False, source: bytes = b"stdout") -> bytes:
    body = field(1, source) + field(2, TIME_NS) + field(3, line)
    body += field(4, 1) + field(5, field(2, b"id")) if partial else b""
    return struct.pack(">I", len(body)) + body + struct.pack(">I", len(body))


def entry(log: str, stream: str = "stdout") -> bytes:
    time = "2020-09-13T12:26:40.123456789Z"
    return f'{{"log": "{log}", "stream": "{stream}", "time": "{time}"}}\n'.encode()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    found = tmp_path / "containers" / ID
    (found / "local-logs").mkdir(parents=True)
    return found


def files(place: Path) -> list[bytes]:
    numbered = list(log_files(DockerRoot(str(place.parents[1])), ID))
    assert [number for number, _ in numbered] == list(range(len(numbered)))
    return [b"".join(lines) for _, lines in numbered]


def test_lines_of_json_stay_as_they_are(place: Path) -> None:
    (place / f"{ID}-json.log").write_bytes(b"newest\n")
    (place / f"{ID}-json.log.1").write_bytes(b"older\n")
    (place / f"{ID}-json.log.2.gz").write_bytes(gzip.compress(b"oldest\n"))
    assert files(place) == [b"newest\n", b"older\n", b"oldest\n"]


@pytest.mark.parametrize("name", ["local-logs/container.log", "container-cached.log"])
def test_messages_become_lines(place: Path, name: str) -> None:
    (place / name).write_bytes(message(b"one") + message(b"two", source=b"stderr"))
    older = message(b"begun", partial=True) + message(b" and ended")
    (place / f"{name}.1.gz").write_bytes(gzip.compress(older))
    assert files(place) == [
        entry("one\\n") + entry("two\\n", "stderr"), entry("begun") + entry(" and ended\\n")
    ]  # fmt: skip


TOO_LONG = struct.pack(">I", 2) + b"\x0a\x7f" + struct.pack(">I", 2)


@pytest.mark.parametrize("end", [b"\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x05ab", TOO_LONG])
def test_what_is_not_whole_ends_it(place: Path, end: bytes) -> None:
    (place / "container-cached.log").write_bytes(message(b"whole") + end + message(b"lost"))
    assert files(place) == [entry("whole\\n")]


def test_an_archive_that_is_cut_off_ends_there(place: Path) -> None:
    (place / f"{ID}-json.log").write_bytes(b"")
    (place / f"{ID}-json.log.1.gz").write_bytes(gzip.compress(b"lines\n" * 1000)[:-12])
    first, second = files(place)
    assert first == b""
    assert b"lines\n".startswith(second[:6])


def test_there_may_be_none(place: Path) -> None:
    assert files(place) == []
