"""``local`` logs: frames of many lines, torn ones, and files that are compressed meanwhile."""

import os
from contextlib import closing
from pathlib import Path

import pytest

from boxship.engine.containers import logsegment
from boxship.engine.containers.logforms import Frames
from boxship.engine.containers.logreader import LogPlace, LogReading
from boxship.engine.containers.requests import LogQuery
from boxship.runtime.logs import frames
from boxship.runtime.logs.compression import Compression
from boxship.runtime.logs.file import LogFile
from boxship.runtime.logs.lines import LineCutter, Piece
from boxship.runtime.messages import LogConfig, LogPosition

TIME = 1_700_000_000 * 10**9


def write(path: Path, *chunks: bytes, max_size: int = -1, compress: bool = False) -> None:
    """Write each chunk as one frame, of stdout."""
    config = LogConfig(
        path=str(path), max_size=max_size, max_file=9, form="local", compress=compress
    )
    log, cutter = LogFile(config), LineCutter()
    for number, chunk in enumerate(chunks):
        for piece in cutter.feed(chunk):
            log.append_frame(frames.encode(1, TIME + number, piece), piece)
        if log._compression is not None:
            os.waitid(os.P_PID, log._compression._pid, os.WEXITED | os.WNOWAIT)
    log.close()


def read(path: Path, query: LogQuery | None = None, until: LogPosition | None = None) -> list[str]:
    found: list[str] = []
    with closing(LogReading(LogPlace(str(path), Frames()), query or LogQuery(), until=until)) as r:
        while (batch := r.more()) is not None:
            found += [line.log for line in batch]
    return found


CHUNKS = tuple(b"".join(b"%d.%d\n" % (n, line) for line in range(n)) for n in range(1, 30))
LINES = [line.decode() for chunk in CHUNKS for line in chunk.splitlines(keepends=True)]


@pytest.mark.parametrize("compress", [False, True])
def test_tails_begin_within_frames_and_files(tmp_path: Path, compress: bool) -> None:
    path = tmp_path / "log"
    write(path, *CHUNKS, max_size=700, compress=compress)
    assert read(path) == LINES
    assert len(list(tmp_path.glob("log.*.gz"))) == (len(list(tmp_path.iterdir())) - 1) * compress
    for tail in (0, 1, 28, 29, 30, 31, 200, len(LINES) - 1, len(LINES), len(LINES) + 1):
        assert read(path, LogQuery(tail=tail)) == LINES[len(LINES) - min(tail, len(LINES)) :]


def test_bytes_that_are_no_text_come_back_as_they_were(tmp_path: Path) -> None:
    write(tmp_path / "log", b"\xff\x00\xe2\x82\r\x0b\n", b"\x1c\n")
    lines = read(tmp_path / "log")
    assert [line.encode("utf-8", "surrogateescape") for line in lines] == [
        b"\xff\x00\xe2\x82\r\x0b\n",
        b"\x1c\n",
    ]


@pytest.mark.parametrize("cut", [1, 4, 5, 20, 23, 24, 30])
def test_what_a_crash_has_torn_is_cut_off_before_more_is_written(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "log"
    write(path, b"first\n", b"second one\n")
    os.truncate(path, path.stat().st_size - cut)
    assert read(path) == ["first\n"]
    write(path, b"third\n")
    assert read(path) == ["first\n", "third\n"]


def test_what_is_no_frame_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, b"first\n")
    with path.open("ab") as file:
        file.write(b"\0" * 100)
    assert read(path) == ["first\n"]
    assert read(path, LogQuery(tail=1)) == []  # from the end, nothing makes sense
    write(path, b"second\n")
    assert read(path) == ["first\n", "second\n"]


def test_a_compressed_file_is_known_by_its_first_bytes_too(tmp_path: Path) -> None:
    """An inode is used again when what had it was compressed."""
    path = tmp_path / "log"
    write(path, *CHUNKS, max_size=700, compress=True)
    segments = logsegment.open_segments(str(path))
    try:
        for one in segments:
            assert [other for other in segments if one.is_same(other)] == [one]
        last, packed = segments[-1], segments[0]
        packed.inode = last.inode
        assert not last.is_same(packed)
    finally:
        logsegment.close_all(segments)


def test_a_position_holds_when_its_file_was_compressed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, b"one\n")
    position = LogPosition(inode=path.stat().st_ino, offset=path.stat().st_size)
    write(path, b"two\n")
    path.rename(f"{path}.1")
    compression = Compression(f"{path}.1")
    os.waitid(os.P_PID, compression._pid, os.WEXITED | os.WNOWAIT)
    assert compression.is_over()
    assert [one.name for one in tmp_path.iterdir()] == ["log.1.gz"]
    assert read(path) == ["one\n", "two\n"]
    assert read(path, until=position) == ["one\n"]


def test_damaged_compression_gives_what_can_be_had(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, *CHUNKS, max_size=700, compress=True)
    victim = min(tmp_path.glob("*.gz"), key=lambda one: int(one.name.split(".")[1]))
    victim.write_bytes(victim.read_bytes()[:60])
    got = read(path)
    assert set(got) < set(LINES)
    assert got[-1] == LINES[-1]


def test_a_frame_says_which_part_of_a_line_it_is() -> None:
    for piece in (Piece(b"x" * 9, 3, True), Piece(b"x\n"), Piece(b"a\nb\n", 1)):
        decoded = frames.decode(frames.encode(2, TIME, piece))
        assert decoded is not None
        assert decoded[0] == frames.Frame(2, TIME, piece)
        whole = frames.encode(2, TIME, piece)
        assert [frames.decode(whole[:cut]) for cut in range(len(whole))] == [None] * len(whole)
