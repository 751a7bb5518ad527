"""The process killed before each of its changes to the store, one after the other.

The interpreter announces them as audit events. A fork does the work and kills itself at the n-th;
afterwards a new process's start finds everything whole or gone, and can do the work again.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.model.check import Finding
from boxship.oci.digest import Digest
from boxship.storage.check.store import Needed, StoreCheck
from boxship.storage.storage import Storage
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

CHANGES = frozenset(
    {"open", "os.mkdir", "os.rename", "os.link", "os.symlink", "os.remove", "os.rmdir",
     "os.truncate", "os.chown", "os.chmod", "os.utime", "os.setxattr", "os.removexattr",
     "shutil.rmtree"}
)  # fmt: skip
POINTS = int(os.environ.get("BOXSHIP_KILL_POINTS", "12"))  # more: a finer sweep

BASE = tar(directory("d"), Member("d/a", b"1"), Member("d/b", b"2"))
LAYER = tar(
    directory("d", mode=0o1777), Member("d/a", b"one" * 100), hard_link("d/c", "d/a"),
    symlink("l", "d"), Member("twice", b"1"), Member("twice", b"2"), Member("d/.wh.b"),
    Member("x", b"1", pax={"SCHILY.xattr.user.note": "n"}),
)  # fmt: skip
DIGESTS = [Digest.of(BASE), Digest.of(LAYER)]


def unpack(storage: Storage) -> None:
    with storage.layers.lease() as lease:
        storage.layers.unpack([LAYER], lease)


def unpack_in_place_of_a_damaged_one(storage: Storage) -> None:
    unpack(storage)
    storage.layers.mark(DIGESTS[1], damaged=True)
    with storage.layers.lease() as lease:
        storage.layers.unpack([LAYER], lease, expected=DIGESTS[1])


def remove(storage: Storage) -> None:
    unpack(storage)
    storage.layers.remove([DIGESTS[1]], ())
    storage.disposal.settle()


def prepare(storage: Storage) -> None:
    unpack(storage)
    storage.snapshots.prepare("box", DIGESTS)


def remove_snapshot(storage: Storage) -> None:
    prepare(storage)
    storage.snapshots.remove("box")
    storage.disposal.settle()


def take_difference(storage: Storage) -> None:
    prepare(storage)
    Path(storage.snapshots.place("box"), "new").write_bytes(b"1")
    with storage.snapshots.difference("box"):
        pass


def repair(storage: Storage) -> None:
    unpack(storage)
    tree = Path(storage.layers.diff_directory(DIGESTS[1]))
    for name in ("d/c", "l", "d/b"):
        (tree / name).unlink()
    (tree / "x").chmod(0)
    (tree / "stranger").mkdir()
    (tree.parent / "meta.json").write_bytes(b"")
    list(StoreCheck(storage, Needed(frozenset(DIGESTS)), repair=True).run())


def add_blob(storage: Storage) -> None:
    storage.blobs.add(b"config")


Work = Callable[[Storage], None]
WORK: list[tuple[Work, str]] = [
    (unpack, "overlay2"), (unpack_in_place_of_a_damaged_one, "overlay2"), (remove, "overlay2"),
    (prepare, "overlay2"), (prepare, "vfs"), (remove_snapshot, "overlay2"),
    (remove_snapshot, "vfs"), (take_difference, "vfs"), (repair, "overlay2"),
    (add_blob, "overlay2"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("work", "driver"), WORK, ids=[f"{work.__name__}-{driver}" for work, driver in WORK]
)
def test_whole_or_gone(tmp_path: Path, work: Work, driver: str) -> None:
    calls = steps(tmp_path / "counting", work, driver)
    assert calls > 3
    for number in sorted({1 + round(n * (calls - 1) / max(1, POINTS - 1)) for n in range(POINTS)}):
        root = tmp_path / str(number)
        add_base(root)
        die_at(root, work, driver, number)
        check_and_do_again(root, work, driver, number)


def add_base(root: Path) -> None:
    storage = Storage.open(str(root))
    with storage.layers.lease() as lease:
        storage.layers.unpack([BASE], lease)
    storage.writeback.finish()


def steps(root: Path, work: Work, driver: str) -> int:
    """How many changes there are; counted in a fork, since a hook stays."""
    add_base(root)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        seen = count_changes()
        work(Storage.open(str(root), driver))
        os.write(writing, str(seen()).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as stream:
        text = stream.read()
    assert os.waitpid(pid, 0)[1] == 0
    return int(text)


def count_changes(deadly: int = 0) -> Callable[[], int]:
    """Count from now on, and die at the deadly one."""
    seen = 0

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in CHANGES and (event != "open" or is_for_writing(arguments)):
            seen += 1
            if seen == deadly:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    return lambda: seen


def is_for_writing(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def die_at(root: Path, work: Work, driver: str, number: int) -> None:
    pid = os.fork()
    if pid == 0:
        count_changes(number)
        work(Storage.open(str(root), driver))
        os._exit(0)  # with fewer changes than when they were counted
    status = os.waitpid(pid, 0)[1]
    assert status in (0, signal.SIGKILL)


def check_and_do_again(root: Path, work: Work, driver: str, number: int) -> None:
    storage = Storage.open(str(root), driver)
    storage.disposal.add(storage.root.left_over(used=True))
    snapshots = frozenset(storage.snapshots.keys())
    for key in snapshots:  # no record of it was written
        storage.snapshots.remove(key)
    storage.layers.recover(DIGESTS)
    storage.blobs.remove_partial()
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == [], number
    if work is repair:  # it goes on where it was
        list(StoreCheck(storage, Needed(), repair=True).run())
    present = frozenset(layer.digest for layer in storage.layers.all())
    events = list(StoreCheck(storage, Needed(present), repair=False).run())
    found = [event for event in events if isinstance(event, Finding)]
    assert found == [], number
    for digest, data in zip(DIGESTS, (BASE, LAYER), strict=True):
        if storage.layers.find(digest):
            assert b"".join(storage.layers.tar(digest)) == data, number
    assert storage.layers.find(DIGESTS[0]), number
    work(storage)
    storage.disposal.settle()
