"""What ``/info`` says of the storage driver: facts about the data root."""

import os
from pathlib import Path

import pytest

from boxship.daemon import hostfacts
from boxship.daemon.config import merge
from boxship.daemon.options import BY_FLAG
from boxship.daemon.system import DaemonSystem
from boxship.kernel.filesystems import tells_types


def status(root: Path, driver: str) -> dict[str, str]:
    config = merge({BY_FLAG["data-root"]: str(root)})
    system = DaemonSystem(config, hostfacts.look(), storage_driver=driver)
    return dict(system.daemon.storage_status)


def test_overlay_says_what_it_stands_on(tmp_path: Path) -> None:
    found = status(tmp_path, "overlay2")
    assert list(found) == [
        "Backing Filesystem",
        "Supports d_type",
        "Using metacopy",
        "Native Overlay Diff",
        "userxattr",
    ]
    assert found["Supports d_type"] == "true"
    assert found["Using metacopy"] == "false"
    assert found["Backing Filesystem"] not in ("ext4", "unknown")


def test_vfs_stands_on_anything(tmp_path: Path) -> None:
    assert status(tmp_path, "vfs") == {}


def test_types_are_told_of_directories_only(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    directory = os.open(tmp_path, os.O_RDONLY)
    file = os.open(tmp_path / "file", os.O_RDONLY)
    try:
        assert tells_types(directory)
        assert not tells_types(directory), "it has been read to its end"
        with pytest.raises(NotADirectoryError):
            tells_types(file)
    finally:
        os.close(directory)
        os.close(file)
