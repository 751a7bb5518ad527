"""Trees that containers leave go, whatever they are like."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.storage.deleting import delete_tree, delete_within


def deep(path: Path, depth: int) -> None:
    path.mkdir()
    fd = os.open(path, os.O_PATH)
    for _ in range(depth):
        os.mkdir("ddd", dir_fd=fd)
        os.symlink("/", "link", dir_fd=fd)
        below = os.open("ddd", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


@pytest.fixture
def few_files() -> Iterator[None]:
    """As many as a daemon has left that serves many clients."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(200, before[0]), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize("depth", [300, 1500])
def test_a_deep_tree_takes_few_open_files(tmp_path: Path, depth: int, few_files: None) -> None:
    deep(tmp_path / "tree", depth)
    delete_tree(str(tmp_path / "tree"))
    assert os.listdir(tmp_path) == []


def test_what_is_no_directory_or_not_there_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    (tmp_path / "link").symlink_to("full")
    for name in ("link", "nothing", "nowhere/nothing"):
        delete_tree(str(tmp_path / name))
    assert (tmp_path / "full" / "file").exists()


def test_what_cannot_be_deleted_is_said(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_PATH)
    try:
        with pytest.raises(FileNotFoundError):
            delete_within(fd, b"nothing")
    finally:
        os.close(fd)
