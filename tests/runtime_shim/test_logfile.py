"""The log file: whole lines, rotation between lines, a full disk."""

import os
import subprocess
from pathlib import Path

import pytest

from boxship.runtime.logs.file import LogFile
from boxship.runtime.messages import LogConfig


def lines(*numbers: int) -> bytes:
    return b"".join(b"%09d\n" % number for number in numbers)


def test_it_appends_to_what_is_there(tmp_path: Path):
    path = tmp_path / "x.log"
    for number in range(2):
        log = LogFile(LogConfig(path=str(path)))
        log.append(lines(number))
        log.close()
    assert path.read_bytes() == lines(0, 1)
    assert path.stat().st_mode & 0o777 == 0o640


def test_rotation_keeps_max_file_files_and_cuts_between_lines(tmp_path: Path):
    log = LogFile(LogConfig(path=str(tmp_path / "x.log"), max_size=25, max_file=3))
    log.append(lines(*range(11)))
    log.append(lines(11))
    log.close()
    # The third line of each file crosses the limit and is the last.
    assert (tmp_path / "x.log").read_bytes() == lines(9, 10, 11)
    assert (tmp_path / "x.log.1").read_bytes() == lines(6, 7, 8)
    assert (tmp_path / "x.log.2").read_bytes() == lines(3, 4, 5)
    assert len(list(tmp_path.iterdir())) == 3


def test_one_file_starts_afresh_and_leaves_readers_their_own(tmp_path: Path):
    path = tmp_path / "x.log"
    log = LogFile(LogConfig(path=str(path), max_size=10, max_file=1))
    log.append(lines(1))
    with path.open("rb") as reader:
        log.append(lines(2))
        assert reader.read() == lines(1)
    assert path.read_bytes() == lines(2)
    log.close()


@pytest.mark.parametrize("files", [1, 2])
def test_a_log_that_somebody_has_removed_begins_afresh(tmp_path: Path, files: int):
    path = tmp_path / "x.log"
    log = LogFile(LogConfig(path=str(path), max_size=10, max_file=files))
    log.append(lines(1))
    path.unlink()
    log.append(lines(2))
    log.close()
    assert path.read_bytes() == lines(2)
    assert log.lost_lines == 0


@pytest.mark.parametrize("limit", [-1, 0])
def test_no_limit(tmp_path: Path, limit: int):
    path = tmp_path / "x.log"
    log = LogFile(LogConfig(path=str(path), max_size=limit))
    log.append(lines(*range(1000)))
    log.close()
    assert path.stat().st_size == 10_000


def test_position_is_where_the_next_line_begins(tmp_path: Path):
    path = tmp_path / "x.log"
    log = LogFile(LogConfig(path=str(path)))
    log.append(lines(1, 2))
    position = log.position()
    log.close()
    assert (position.inode, position.offset) == (path.stat().st_ino, 20)


def test_a_file_emptied_by_a_person_is_grown_again(tmp_path: Path):
    path = tmp_path / "x.log"
    log = LogFile(LogConfig(path=str(path), max_size=25))
    log.append(lines(1, 2))
    os.truncate(path, 0)
    log.append(lines(3, 4))
    log.close()
    assert path.read_bytes() == lines(3, 4)
    assert len(list(tmp_path.iterdir())) == 1


def test_a_missing_directory_costs_lines_and_is_tried_again(tmp_path: Path):
    path = tmp_path / "later" / "x.log"
    log = LogFile(LogConfig(path=str(path)))
    log.append(lines(1, 2))
    assert log.lost_lines == 2
    path.parent.mkdir()
    log.append(lines(3))
    log.close()
    assert path.read_bytes() == lines(3)
    assert log.lost_lines == 2


@pytest.fixture
def small_disk(tmp_path: Path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.privileged
def test_a_full_disk_keeps_whole_lines_counts_the_others_and_goes_on(small_disk: Path):
    path = small_disk / "x.log"
    log = LogFile(LogConfig(path=str(path), max_size=-1))
    for start in range(0, 10_000, 100):
        log.append(lines(*range(start, start + 100)))
    kept = path.read_bytes()
    count = len(kept) // 10
    assert kept == lines(*range(count))
    assert 6000 < count < 10_000
    assert log.lost_lines == 10_000 - count
    os.truncate(path, 0)
    log.append(lines(1))
    assert path.read_bytes() == lines(1)
    log.close()
