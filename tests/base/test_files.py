import os
from pathlib import Path

import pytest

from boxship.base.files import opened, write_atomic


def test_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "record"
    path.write_text("a much longer old version")
    write_atomic(str(path), b"new", mode=0o600)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["record"]


def test_a_failed_replacement_leaves_old_file_and_no_litter(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "kept").touch()
    with pytest.raises(OSError, match="target"):
        write_atomic(str(tmp_path / "target"), b"data")
    assert os.listdir(tmp_path) == ["target"]


def test_opened_closes_on_error(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), opened(str(tmp_path), os.O_RDONLY) as fd:
        raise ZeroDivisionError
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
