"""Archives unpacked where a container is at work: nothing it does leads out of it."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.storage.deleting import delete_tree
from boxship.storage.extracting import Extraction, extract
from support.tars import Member, directory, symlink, tar

pytestmark = pytest.mark.privileged

PAYLOAD = b"x" * (1 << 20)


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "root"
    path.mkdir()
    yield path
    delete_tree(str(path))


def put(root: Path, chunks: Iterable[bytes]) -> None:
    fd = os.open(root, os.O_PATH)
    try:
        extract(fd, (), chunks, Extraction(lambda uid, gid: (uid, gid)))
    finally:
        os.close(fd)


def test_a_file_that_becomes_a_link_while_it_is_written_changes_nothing_of_the_hosts(
    root: Path, tmp_path: Path
) -> None:
    host = tmp_path / "host"
    host.touch(0o600)
    before = host.stat()
    archive = tar(Member("f", PAYLOAD, mode=0o4777, uid=7))

    def while_it_swaps() -> Iterator[bytes]:
        yield archive[:4096]
        (root / "f").unlink()
        (root / "f").symlink_to(host)
        yield archive[4096:]

    put(root, while_it_swaps())
    after = host.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)


def test_everything_gets_what_its_header_says(root: Path) -> None:
    put(
        root,
        [
            tar(
                Member("f", PAYLOAD, mode=0o4755, uid=5, gid=6, pax={"mtime": "123.5"}),
                directory("d", mode=0o1777, uid=3, pax={"mtime": "77.25"}),
                Member("d/x", b"1"),
                Member("null", type=b"3", device=(1, 3), mode=0o666, uid=2),
                Member("pipe", type=b"6", mode=0o640, pax={"mtime": "9.75"}),
                symlink("l", "/nowhere", uid=8, pax={"mtime": "55.5"}),
            )
        ],
    )
    found = {name: (root / name).lstat() for name in ("f", "d", "null", "pipe", "l")}
    assert {name: (oct(s.st_mode), s.st_uid, s.st_mtime) for name, s in found.items()} == {
        "f": ("0o104755", 5, 123.5),
        "d": ("0o41777", 3, 77.25),
        "null": ("0o20666", 2, 1_600_000_000),
        "pipe": ("0o10640", 0, 9.75),
        "l": ("0o120777", 8, 55.5),
    }


def test_a_directory_of_any_depth_makes_room_for_a_file(root: Path) -> None:
    (root / "d").mkdir()
    fd = os.open(root / "d", os.O_PATH)
    for _ in range(1500):  # deeper than Python's stack, and than the longest path
        os.mkdir("ddd", dir_fd=fd)
        below = os.open("ddd", os.O_PATH, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)
    (root / "d" / "out").symlink_to(root.parent)
    put(root, [tar(Member("d", b"now a file"))])
    assert stat.S_ISREG((root / "d").lstat().st_mode)


def test_an_owner_that_cannot_be_is_the_archives_fault(root: Path) -> None:
    with pytest.raises(InvalidArgumentError, match="impossible owner"):
        put(root, [tar(Member("f", b"", uid=2**40))])
