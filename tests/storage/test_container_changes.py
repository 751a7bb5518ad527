"""What a container has written: listed, made a layer, and seen as a whole.

The changes are made through a real overlay mount; what is listed was looked up in dockerd 20.10.
"""

import io
import os
import shutil
import socket
import stat
import subprocess
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from boxship.model.filechange import ChangeKind
from boxship.oci.digest import Digest
from boxship.storage.archiving import layer_tar, tree_tar
from boxship.storage.changes import changes
from boxship.storage.drivers import DRIVERS
from boxship.storage.layered import UnreadableError
from boxship.storage.storage import Storage
from support.mounting import mounted
from support.tars import Member, directory, hard_link, symlink, tar
from support.trees import fingerprint

pytestmark = pytest.mark.privileged

KEY = "box"
EMPTY = bytes(1024)


@pytest.fixture(params=DRIVERS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "root"), request.param)


def add(storage: Storage, data: bytes) -> Digest:
    with storage.layers.lease() as lease:
        return storage.layers.unpack([data], lease).digest


@pytest.fixture
def layers(storage: Storage) -> list[Digest]:
    low = tar(
        directory("etc"), Member("etc/a", b"low"), Member("etc/b", b"low"), Member("etc/c", b"low"),
        directory("opt"), directory("opt/in"), Member("opt/in/f", b"1"), Member("opt/g", b"2"),
        Member("one", b"hard"), hard_link("two", "one"),
        Member("file", b"f"), symlink("link", "etc"), directory("dir"), Member("dir/x", b"x"),
    )  # fmt: skip
    high = tar(Member("etc/.wh.c"), Member("etc/d", b"high"), directory("top"))
    return [add(storage, low), add(storage, high)]


class Written:
    """A snapshot, once a container has written into it."""

    def __init__(self, storage: Storage, key: str) -> None:
        self._snapshots = storage.snapshots
        self._key = key

    def rows(self) -> list[str]:
        found = changes(self._snapshots, self._key)
        return [f"{row.kind.name[0]} {os.fsdecode(row.path)}" for row in found]

    def layer(self) -> bytes:
        return b"".join(layer_tar(self._snapshots, self._key))

    def tree(self) -> bytes:
        return b"".join(tree_tar(self._snapshots, self._key))


Change = Callable[[Callable[[Path], None]], Written]


@pytest.fixture
def change(storage: Storage, layers: list[Digest], tmp_path: Path) -> Iterator[Change]:
    """Lets a function write into the mounted snapshot."""

    def make(write: Callable[[Path], None]) -> Written:
        storage.snapshots.prepare(KEY, layers)
        with mounted(storage.snapshots.mount(KEY), tmp_path / "m") as place:
            write(place)
        return Written(storage, KEY)

    yield make
    storage.disposal.settle()


def names(data: bytes) -> list[str]:
    with tarfile.open(fileobj=io.BytesIO(data), errors="surrogateescape") as archive:
        return archive.getnames()


def extract(data: bytes, target: Path) -> None:
    command = ["tar", "-xp", "--xattrs", "--xattrs-include=*", "-C", str(target)]
    subprocess.run(command, input=data, check=True)


def touch(place: Path) -> None:
    (place / "etc/new").write_bytes(b"")


def test_nothing_was_written(change: Change) -> None:
    written = change(lambda place: None)
    assert written.rows() == []
    assert written.layer() == EMPTY


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        pytest.param(touch, (["C /etc", "A /etc/new"], ["etc", "etc/new"]), id="a new file"),
        pytest.param(
            lambda place: (place / "etc/a").chmod(0o644),
            ([], ["etc", "etc/a"]),
            id="copied up, but the same",
        ),
        pytest.param(
            lambda place: (place / "etc/a").chmod(0o600),
            (["C /etc", "C /etc/a"], ["etc", "etc/a"]),
            id="another mode",
        ),
        pytest.param(
            lambda place: os.chown(place / "dir", 5, 6), (["C /dir"], ["dir"]), id="another owner"
        ),
        pytest.param(
            lambda place: os.utime(place / "dir", (1, 1)), ([], ["dir"]), id="a directory's time"
        ),
        pytest.param(
            lambda place: (place / "etc/d").unlink(),
            (["C /etc", "D /etc/d"], ["etc", "etc/.wh.d"]),
            id="a file deleted",
        ),
        pytest.param(
            lambda place: shutil.rmtree(place / "opt"),
            (["D /opt"], [".wh.opt"]),
            id="a tree deleted",
        ),
        pytest.param(
            lambda place: ((place / "file").unlink(), (place / "file").mkdir(), touch(place)),
            (["C /etc", "A /etc/new", "C /file"], ["etc", "etc/new", "file", "file/.wh..wh..opq"]),
            id="a directory for a file",
        ),
        pytest.param(
            lambda place: (shutil.rmtree(place / "opt"), (place / "opt").write_bytes(b"")),
            (["C /opt"], ["opt"]),
            id="a file for a directory",
        ),
        pytest.param(
            lambda place: (shutil.rmtree(place / "opt"), os.symlink("etc", place / "opt")),
            (["C /opt"], ["opt"]),
            id="a link for a directory",
        ),
        pytest.param(
            lambda place: (
                shutil.rmtree(place / "opt"), (place / "opt/n").mkdir(parents=True),
            ),
            (["C /opt", "D /opt/g", "D /opt/in", "A /opt/n"], ["opt", "opt/.wh..wh..opq", "opt/n"]),
            id="a directory made anew",
        ),
        pytest.param(
            lambda place: subprocess.run(["mv", place / "opt", place / "moved"], check=True),
            (
                ["A /moved", "A /moved/g", "A /moved/in", "A /moved/in/f", "D /opt"],
                ["moved", "moved/g", "moved/in", "moved/in/f", ".wh.opt"],
            ),
            id="a directory moved",
        ),
        pytest.param(
            lambda place: ((place / "link").unlink(), os.symlink("opt", place / "link")),
            (["C /link"], ["link"]),
            id="a link turned",
        ),
        pytest.param(lambda place: place.chmod(0o700), ([], ["."]), id="the root's mode"),
    ],
)  # fmt: skip
def test_rows_and_entries(
    change: Change,
    storage: Storage,
    layers: list[Digest],
    write: Callable[[Path], object],
    expected: tuple[list[str], list[str]],
) -> None:
    listed, archived = expected
    written = change(lambda place: (write(place), None)[1])
    assert written.rows() == listed
    layer = written.layer()
    if storage.snapshots.name == "overlay2":
        assert names(layer) == archived  # another driver may say the same in other words
    storage.snapshots.prepare("again", [*layers, add(storage, layer)])
    assert Written(storage, "again").tree() == written.tree()


def write_everything(place: Path) -> None:
    """One of each kind of file there is."""
    new = place / "new"
    new.mkdir()
    (new / "f").write_bytes(b"content")
    os.setxattr(new / "f", "user.mark", b"\0\xff")
    (new / "suid").write_bytes(b"#!")
    (new / "suid").chmod(0o6755)
    shutil.copy("/bin/true", new / "cap")
    capability = bytes.fromhex("0100000200200000000000000000000000000000")
    os.setxattr(new / "cap", "security.capability", capability)
    os.link(new / "f", new / "g")
    os.symlink("f", new / "link")
    os.symlink("x" * 300, new / "long")
    os.mkfifo(new / "fifo")
    os.mknod(new / "char", stat.S_IFCHR | 0o640, os.makedev(1, 3))
    os.mknod(new / "block", stat.S_IFBLK | 0o640, os.makedev(250, 70000))
    with open(os.fsencode(new) + b"/\xff\xfe", "wb") as file:
        file.truncate(3 << 20)
        file.seek(1 << 20)
        file.write(b"between holes")
    (new / ("n" * 255)).mkdir()
    os.utime(new / "f", ns=(0, 1_234_567_890_123_456_789))
    os.utime(new / "suid", ns=(0, -86_400_000_000_000))
    os.chown(new / "link", 3_000_000, 4_000_000, follow_symlinks=False)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(new / "socket"))
    (place / "one").write_bytes(b"no longer the other")
    shutil.rmtree(place / "opt")
    (place / "opt").mkdir()


def test_a_layer_gives_back_the_same_tree(
    change: Change, storage: Storage, layers: list[Digest], tmp_path: Path
) -> None:
    written = change(write_everything)
    layer = written.layer()
    assert written.layer() == layer
    assert "new/socket" not in names(layer)
    digest = add(storage, layer)
    assert b"".join(storage.layers.tar(digest)) == layer
    storage.snapshots.prepare("again", [*layers, digest])
    seen = []
    for key in (KEY, "again"):
        with mounted(storage.snapshots.mount(key), tmp_path / "m") as place:
            (place / "new/socket").unlink(missing_ok=True)
            # The removal, if there was anything to remove, has changed the directory's time.
            os.utime(place / "new", (1, 1))
            seen.append(fingerprint(place))
    assert seen[0] == seen[1]


def test_what_the_container_sees_is_the_tree(
    change: Change, storage: Storage, tmp_path: Path
) -> None:
    written = change(write_everything)
    target = tmp_path / "unpacked"
    target.mkdir()
    data = written.tree()
    extract(data, target)
    with mounted(storage.snapshots.mount(KEY), tmp_path / "m") as place:
        (place / "new/socket").unlink()
        os.utime(place / "new", (1, 1))
        os.utime(target / "new", (1, 1))
        assert fingerprint(target) == fingerprint(place)


def test_holes_are_not_read(change: Change, storage: Storage) -> None:
    def write(place: Path) -> None:
        with open(place / "disk", "wb") as file:
            file.truncate(300 << 20)

    change(write)
    size = biggest = 0
    for piece in layer_tar(storage.snapshots, KEY):
        size += len(piece)
        biggest = max(biggest, len(piece))
    assert size > 300 << 20
    assert biggest <= 1 << 20


def test_a_name_of_a_whiteout_deletes_nothing(change: Change) -> None:
    def write(place: Path) -> None:
        (place / "etc/.wh.a").write_bytes(b"")
        (place / ".wh.dir").mkdir()
        (place / ".wh.dir/x").write_bytes(b"")

    written = change(write)
    assert names(written.layer()) == ["etc"]
    assert ".wh.dir/x" in names(written.tree())


def test_links_lead_nowhere(change: Change, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")

    def write(place: Path) -> None:
        os.symlink(tmp_path, place / "out")
        shutil.rmtree(place / "opt")
        os.symlink(tmp_path, place / "opt")

    written = change(write)
    for archive in (written.layer(), written.tree()):
        assert b"secret" not in archive


def test_a_tree_deeper_than_pythons_stack(change: Change, storage: Storage) -> None:
    depth = 1050
    if storage.snapshots.name != "overlay2":
        pytest.skip("takes long, and is the same code")

    def write(place: Path) -> None:
        os.makedirs(place / "/".join("d" * 1))
        fd = os.open(place / "d", os.O_RDONLY)
        for _ in range(depth):
            os.mkdir("d", dir_fd=fd)
            below = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(fd)

    written = change(write)
    assert len(written.rows()) == depth + 1
    assert len(names(written.tree())) > depth
    storage.snapshots.remove(KEY)
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == []


def test_a_removed_snapshot_is_said(change: Change, storage: Storage) -> None:
    written = change(touch)
    storage.snapshots.remove(KEY)
    storage.disposal.settle()
    with pytest.raises(UnreadableError):
        written.layer()
    with pytest.raises(UnreadableError):
        written.tree()


def test_an_archive_stays_sound_while_files_change(change: Change, storage: Storage) -> None:
    """A running container exports itself as it is; sizes and headers fit in any case."""

    def write(place: Path) -> None:
        for number in range(40):
            (place / f"f{number:02}").write_bytes(bytes(200_000))

    written = change(write)
    own = Path(storage.snapshots.place(KEY))
    stop = threading.Event()

    def disturb() -> None:
        number = 0
        while not stop.is_set():
            number = (number + 7) % 40
            victim = own / f"f{number:02}"
            victim.unlink(missing_ok=True)
            victim.write_bytes(bytes(number * 10_000))

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        for _ in range(5):
            assert len(names(written.layer())) <= 40
    finally:
        stop.set()
        thread.join()


def test_marks_that_a_container_makes_itself_hide_nothing(
    storage: Storage, layers: list[Digest]
) -> None:
    """As a rootless engine in a container does: to the overlayfs outside they are nothing."""
    storage.snapshots.prepare(KEY, layers)
    place = Path(storage.snapshots.place(KEY))
    (place / "opt").mkdir(exist_ok=True)
    os.setxattr(place / "opt", "user.overlay.opaque", b"y")
    (place / "etc").mkdir(exist_ok=True)
    os.setxattr(place / "etc", "user.overlay.opaque", b"x")
    (place / "etc" / "a").write_bytes(b"")
    os.setxattr(place / "etc" / "a", "user.overlay.whiteout", b"y")
    data = b"".join(bytes(piece) for piece in tree_tar(storage.snapshots, KEY))
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = archive.getnames()
    assert {"etc/a", "opt/g", "opt/in/f"} <= set(names)
    written = b"".join(bytes(piece) for piece in layer_tar(storage.snapshots, KEY))
    with tarfile.open(fileobj=io.BytesIO(written)) as archive:
        assert not [name for name in archive.getnames() if ".wh." in name]
    kinds = {change.kind for change in changes(storage.snapshots, KEY)}
    assert ChangeKind.DELETED not in kinds
