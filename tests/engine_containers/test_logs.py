"""Logs as the shim writes them, read back: whole, tailed, filtered, rotated away while reading."""

import asyncio
import contextlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxship.base.clock import SystemClock, format_ns, parse_rfc3339
from boxship.engine.containers import logforms, logreader, logs, logsegment
from boxship.engine.containers.logforms import JSON_LINES, Frames
from boxship.engine.containers.logreader import LogPlace, LogReading
from boxship.engine.containers.requests import LogLine, LogQuery
from boxship.runtime.logs import frames
from boxship.runtime.logs.file import LogFile
from boxship.runtime.logs.jsonfile import EntryEncoder
from boxship.runtime.logs.lines import Piece
from boxship.runtime.messages import LogConfig, LogPosition
from support.opened import until

SECOND = 10**9
START = parse_rfc3339("2026-05-01T10:00:00Z")


def write(
    path: Path,
    lines: Iterable[str],
    *,
    max_size: int = -1,
    max_file: int = 3,
    form: str = "json-file",
) -> None:
    """Write lines to alternating streams, one second apart."""
    log = LogFile(LogConfig(path=str(path), max_size=max_size, max_file=max_file, form=form))
    for number, line in enumerate(lines):
        piece, time_ns = Piece(line.encode() + b"\n"), START + number * SECOND
        if form == "json-file":
            stream = ("stdout", "stderr")[number % 2]
            log.append(EntryEncoder(stream).encode([piece], format_ns(time_ns).encode()))
        else:
            log.append_frame(frames.encode(1 + number % 2, time_ns, piece), piece)
    log.close()


def read(
    path: Path,
    query: LogQuery | None = None,
    until: LogPosition | None = None,
    form: str = "json-file",
) -> list[str]:
    found = batches(path, query or LogQuery(), until, form)
    return [line.log for batch in found for line in batch]


def batches(
    path: Path, query: LogQuery, until: LogPosition | None = None, form: str = "json-file"
) -> Iterator[list[LogLine]]:
    place = LogPlace(str(path), JSON_LINES if form == "json-file" else Frames())
    with closing(LogReading(place, query, until=until)) as reading:
        while (batch := reading.more()) is not None:
            yield batch


def ended(lines: Iterable[str]) -> list[str]:
    return [f"{line}\n" for line in lines]


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=40)),
    max_size=st.sampled_from([-1, 150, 400]),
    tail=st.none() | st.integers(0, 12),
    form=st.sampled_from(["json-file", "local"]),
)
@settings(max_examples=150, deadline=None)
def test_every_line_kept_is_read_in_order(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[str],
    max_size: int,
    tail: int | None,
    form: str,
) -> None:
    path = tmp_path_factory.mktemp("log") / "log"
    write(path, lines, max_size=max_size, max_file=3, form=form)
    got = read(path, LogQuery(tail=tail), form=form)
    expected = ended(lines)
    if tail is not None:
        expected = expected[len(expected) - min(tail, len(expected)) :]
    # Rotation drops the oldest; what is left must be an unbroken end.
    assert got == expected[len(expected) - len(got) :]
    if max_size < 0:
        assert got == expected
    elif lines and tail != 0:
        assert got


def test_tail_looks_back_over_blocks_and_files(tmp_path: Path) -> None:
    lines = [f"{n:06} {'x' * 100}" for n in range(5000)]
    write(tmp_path / "log", lines, max_size=300_000, max_file=10)
    assert len(list(tmp_path.iterdir())) > 2
    for tail in (0, 1, 2, 999, 2500, 4999, 5000, 6000):
        assert read(tmp_path / "log", LogQuery(tail=tail)) == ended(lines[5000 - min(tail, 5000) :])


def test_tail_of_a_big_log_reads_little(tmp_path: Path) -> None:
    write(tmp_path / "log", ["y" * 60] * 20_000)
    segments = logsegment.open_segments(str(tmp_path / "log"))
    (last,) = logreader.keep_last(segments, JSON_LINES, 10)
    assert last.end - last.start < 3000
    last.close()


def test_streams_and_times(tmp_path: Path) -> None:
    write(tmp_path / "log", "abcdef")
    path = tmp_path / "log"
    assert read(path, LogQuery(stderr=False)) == ended("ace")
    assert read(path, LogQuery(stdout=False)) == ended("bdf")
    assert read(path, LogQuery(since_ns=START + 2 * SECOND)) == ended("cdef")
    assert read(path, LogQuery(since_ns=START + 2 * SECOND + 1)) == ended("def")
    assert read(path, LogQuery(until_ns=START + 2 * SECOND)) == ended("abc")
    between = LogQuery(since_ns=START + SECOND, until_ns=START + 3 * SECOND)
    assert read(path, between) == ended("bcd")


def test_dockers_own_files_leave_zeros_out_of_times(tmp_path: Path) -> None:
    times = ["10:00:00Z", "10:00:00.5Z", "10:00:00.500000001Z", "10:00:01.25Z"]
    (tmp_path / "log").write_text(
        "".join(
            f'{{"log":"{n}\\n","stream":"stdout","time":"2026-05-01T{time}"}}\n'
            for n, time in enumerate(times)
        )
    )
    half = START + SECOND // 2
    assert read(tmp_path / "log", LogQuery(since_ns=half)) == ended("123")
    assert read(tmp_path / "log", LogQuery(until_ns=half)) == ended("01")
    assert read(tmp_path / "log", LogQuery(since_ns=START)) == ended("0123")


def test_a_position_cuts_exactly_there_even_after_rotation(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(LogConfig(path=str(path), max_size=200, max_file=10))
    entry = EntryEncoder("stdout")
    positions = []
    for n in range(20):
        log.append(entry.encode([Piece(f"{n}\n".encode())], b"2026-05-01T10:00:00Z"))
        positions.append(log.position())
    log.close()
    for n, position in enumerate(positions):
        assert read(path, until=position) == ended(str(i) for i in range(n + 1))


def test_a_half_written_line_is_left_for_later_and_rubbish_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "log"
    good = '{"log":"a\\n","stream":"stdout","time":"2026-05-01T10:00:00Z"}\n'
    path.write_text(good + "\0\0{rubbish\n" + good.replace("a\\n", "b\\n") + good[:20])
    assert read(path) == ended("ab")


def test_long_lines_are_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    text = "z" * (3 * logforms.CHUNK)
    path.write_text(f'{{"log":"{text}\\n","stream":"stdout","time":"2026-05-01T10:00:00Z"}}\n')
    assert read(path) == [f"{text}\n"]


def test_a_missing_log_is_an_empty_one(tmp_path: Path) -> None:
    assert read(tmp_path / "nothing") == []


def test_the_successor_is_found_by_inode(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, [f"{n:040}" for n in range(12)], max_size=300, max_file=9)
    segments = logsegment.open_segments(str(path))
    logsegment.close_all(segments)
    assert len(segments) > 2
    for before, after in pairwise(segments):
        following = logsegment.next_file(str(path), before)
        assert following is not None
        assert following.inode == after.inode
        following.close()
    assert logsegment.next_file(str(path), segments[-1]) is None
    oldest = logsegment.next_file(str(path), logsegment.Segment(-1, 1, 0, 0))
    assert oldest is not None
    assert oldest.inode == segments[0].inode
    oldest.close()


def test_reading_closes_every_file_even_when_left_early(tmp_path: Path) -> None:
    write(tmp_path / "log", [f"{n:040}" for n in range(40)], max_size=500, max_file=5)
    before = len(os.listdir("/proc/self/fd"))
    found = batches(tmp_path / "log", LogQuery())
    next(found)
    assert len(os.listdir("/proc/self/fd")) > before
    found.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_million_lines_take_about_a_second(tmp_path: Path) -> None:
    line = (
        '{"log":"' + "x" * 79 + '\\n","stream":"stdout","time":"2026-05-01T10:00:00.123456789Z"}\n'
    )
    (tmp_path / "log").write_text(line * 1_000_000)
    began = time.process_time()
    count = 0
    for batch in batches(tmp_path / "log", LogQuery()):
        assert isinstance(batch[0], LogLine)
        count += len(batch)
    assert count == 1_000_000
    assert time.process_time() - began < 3.0  # 0.5 s when nothing else runs


def test_following_goes_through_rotations_and_closes_what_it_has_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = LogFile(LogConfig(path=str(path), max_size=200, max_file=50))
    entry = EntryEncoder("stdout")
    got: list[str] = []
    with closing(LogReading(LogPlace(str(path)), LogQuery(tail=1), follow=True)) as reading:
        for round_ in range(8):
            for n in range(round_):  # from no rotation to several at once
                log.append(
                    entry.encode([Piece(f"{round_}.{n}\n".encode())], b"2026-05-01T10:00:00Z")
                )
            before = len(os.listdir("/proc/self/fd"))
            while (batch := reading.more()) is not None:
                got += [line.log for line in batch]
            assert len(os.listdir("/proc/self/fd")) <= before + 1
    log.close()
    assert got == ended(f"{round_}.{n}" for round_ in range(8) for n in range(round_))


def test_looking_for_a_successor_opens_nothing_while_there_is_none(tmp_path: Path) -> None:
    path = tmp_path / "log"
    write(path, ["a" * 40] * 12, max_size=300, max_file=9)
    last = logsegment.Segment(-1, path.stat().st_ino, 0, 0)
    with calls_of_the_reader() as calls:
        assert logsegment.next_file(str(path), last) is None
    assert calls == {"next_file"}


@contextlib.contextmanager
def calls_of_the_reader() -> Iterator[set[str]]:
    """Which functions of the reader this thread calls."""
    calls: set[str] = set()

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename == logsegment.__file__:
            calls.add(frame.f_code.co_name)

    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(None)


@contextlib.asynccontextmanager
async def no_descriptor_left() -> AsyncIterator[None]:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, int)
    before = len(os.listdir("/proc/self/fd"))
    yield
    await until(lambda: len(os.listdir("/proc/self/fd")) <= before)


@pytest.mark.parametrize("following", [False, True])
def test_clients_that_leave_early_leave_no_descriptor(tmp_path: Path, following: bool) -> None:
    """Each is cancelled just when its first step is in a thread."""
    write(tmp_path / "log", [f"{n:040}" for n in range(40)], max_size=500, max_file=5)
    path, query = str(tmp_path / "log"), LogQuery(tail=30)

    def lines() -> logs.Batches:
        if following:
            return logs.follow(LogPlace(path), query, asyncio.Event(), SystemClock())
        return logs.history(LogPlace(path), query)

    async def scene() -> None:
        go = threading.Event()
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(1) as executor:
            loop.set_default_executor(executor)
            async with no_descriptor_left():
                executor.submit(go.wait, 20)  # so that every first step waits its turn
                tasks = [asyncio.ensure_future(anext(lines())) for _ in range(50)]
                await asyncio.sleep(0)
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
                go.set()
                await loop.run_in_executor(None, int)  # after all that were queued before
            assert all(task.cancelled() for task in tasks)

    asyncio.run(scene())


def test_following_reads_and_decodes_beside_the_event_loop(tmp_path: Path) -> None:
    write(tmp_path / "log", [f"{n:040}" for n in range(40)], max_size=500, max_file=50)

    async def scene() -> list[str]:
        over = asyncio.Event()
        over.set()
        found = logs.follow(LogPlace(str(tmp_path / "log")), LogQuery(), over, SystemClock())
        return [line.log async for batch in found for line in batch]

    with calls_of_the_reader() as calls:
        assert asyncio.run(scene()) == ended(f"{n:040}" for n in range(40))
    assert calls <= {"__init__", "done", "close", "close_all"}
