"""Snapshots that may hold so much and no more, by projects of the file system."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.kernel.quota import project_of
from boxship.storage.disklimits import DiskLimits
from boxship.storage.disposal import Disposal
from boxship.storage.root import StorageRoot
from boxship.storage.volumes import VolumeStore
from support.mounting import disk_with_projects

MIB = 1 << 20


@pytest.fixture
def root(tmp_path: Path) -> Iterator[StorageRoot]:
    with disk_with_projects(tmp_path, "ext4") as place:
        yield StorageRoot(str(place / "data"))


def snapshot(root: StorageRoot, key: str) -> tuple[str, str]:
    upper, work = (os.path.join(root.snapshot(key), name) for name in ("upper", "work"))
    os.makedirs(upper)
    os.mkdir(work)
    return upper, work


def project(directory: str) -> int:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return project_of(fd)
    finally:
        os.close(fd)


def write(path: str, count: int) -> str:
    """Write so many MiB without the rights of root, for whom limits hold; what is said of it."""
    somebody = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    copy = ["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={count}"]
    command = [*somebody, *copy]
    done = subprocess.run(
        command, env={**os.environ, "LC_ALL": "C"}, stderr=subprocess.PIPE, check=False
    )
    return done.stderr.decode()


@pytest.mark.privileged
def test_beyond_the_limit_there_is_no_space(root: StorageRoot) -> None:
    limits = DiskLimits(root)
    assert not limits.possible  # since it is not xfs; what is limited is limited all the same
    small, large = snapshot(root, "small"), snapshot(root, "large")
    limits.limit(small, 4 * MIB)
    limits.limit(large, 16 * MIB)
    os.mkdir(f"{small[0]}/deep")
    said = write(f"{small[0]}/deep/full", 8)
    assert "No space left on device" in said or "quota exceeded" in said
    assert os.statvfs(small[0]).f_blocks * os.statvfs(small[0]).f_frsize == 4 * MIB
    assert "8+0 records out" in write(f"{large[0]}/file", 8)


@pytest.mark.privileged
def test_a_volume_is_full_and_others_are_not(root: StorageRoot) -> None:
    volumes = VolumeStore(root, Disposal())
    assert volumes.limits_size
    volumes.make("small", 4 * MIB)
    volumes.make("free")
    said = write(f"{volumes.data('small')}/full", 8)
    assert "No space left on device" in said or "quota exceeded" in said
    assert "8+0 records out" in write(f"{volumes.data('free')}/file", 8)
    DiskLimits(root).limit(snapshot(root, "one"), 4 * MIB)
    assert project(f"{root.snapshot('one')}/upper") == project(volumes.data("small")) + 1


@pytest.mark.privileged
def test_each_has_a_number_of_its_own_also_for_the_next_daemon(root: StorageRoot) -> None:
    one, other = snapshot(root, "one"), snapshot(root, "other")
    DiskLimits(root).limit(one, 4 * MIB)
    aside = root.move_aside(root.snapshot("one"))
    DiskLimits(root).limit(other, 4 * MIB)
    assert project(other[0]) == project(other[1]) == project(f"{aside}/upper") + 1


def test_where_there_are_no_projects() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:  # a tmpfs, which knows none
        refused(StorageRoot(f"{memory}/data"))


def refused(root: StorageRoot) -> None:
    assert not VolumeStore(root, Disposal()).limits_size
    limits = DiskLimits(root)
    assert not limits.possible
    with pytest.raises(UnavailableError, match="size cannot be limited"):
        limits.limit(snapshot(root, "one"), 4 * MIB)
