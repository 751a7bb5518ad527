"""The contract of snapshot drivers, checked through real mounts, for every driver there is."""

import os
import stat
from pathlib import Path

import pytest

from boxship.base.errors import (
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.oci.digest import Digest
from boxship.storage.archiving import layer_tar
from boxship.storage.arrival import unpack_arrival
from boxship.storage.changes import changes
from boxship.storage.drivers import DRIVERS
from boxship.storage.overlay import OverlayDriver
from boxship.storage.snapshots import OverlayMount, SnapshotDriver
from boxship.storage.storage import Storage
from support.mounting import mounted
from support.tars import Member, directory, hard_link, symlink, tar

pytestmark = pytest.mark.privileged

STUBS = [".dockerenv", "dev", "etc", "proc", "sys"]
"""What every snapshot has at its bottom."""


@pytest.fixture(params=DRIVERS)
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "root"), request.param)


def add(storage: Storage, *members: Member) -> Digest:
    with storage.layers.lease() as lease:
        return storage.layers.unpack([tar(*members)], lease).digest


@pytest.fixture
def stack(storage: Storage) -> list[Digest]:
    """Three layers: things, then things hidden and replaced, then one more."""
    return [
        add(
            storage,
            directory("./", mode=0o751, uid=7),
            directory("etc"), Member("etc/a", b"low"), Member("etc/b", b"low"),
            directory("opt"), Member("opt/low", b"low"),
            directory("gone"), Member("gone/x", b"low"),
            directory("dir"), Member("dir/old", b"low"),
            symlink("to-etc", "etc"),
        ),
        add(
            storage,
            Member("etc/.wh.a"), Member("etc/c", b"mid"),
            directory("opt"), Member("opt/.wh..wh..opq"), Member("opt/mid", b"mid"),
            Member(".wh.gone"),
            Member(".wh.dir"), directory("dir"), Member("dir/new", b"mid"),
        ),
        add(storage, directory("./", mode=0o711, uid=9), Member("etc/b", b"top")),
    ]  # fmt: skip


def test_layers_are_seen_on_top_of_each_other(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    storage.snapshots.prepare("box", stack)
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as place:
        assert sorted(os.listdir(place)) == sorted({*STUBS, "dir", "etc", "opt", "to-etc"})
        mount_points = ["hostname", "hosts", "mtab", "resolv.conf"]
        assert sorted(os.listdir(place / "etc")) == ["b", "c", *mount_points]
        assert (place / "etc/b").read_bytes() == b"top"
        assert os.listdir(place / "opt") == ["mid"]
        assert os.listdir(place / "dir") == ["new"]
        root = place.stat()
        assert (stat.S_IMODE(root.st_mode), root.st_uid) == (0o711, 9)


def test_a_layer_may_be_in_a_stack_more_than_once(storage: Storage, tmp_path: Path) -> None:
    empty, again = add(storage), add(storage, Member("f", b"again"), Member(".wh.g"))
    other = add(storage, Member("g", b"other"), Member(".wh.f"))
    stack = [empty, again, empty, other, again, empty]
    storage.snapshots.prepare("box", stack)
    for mount in (storage.snapshots.mount("box"), storage.snapshots.view(stack)):
        with mounted(mount, tmp_path / "m") as place:
            assert (place / "f").read_bytes() == b"again"
            assert not (place / "g").exists()


def test_what_is_written_stays_in_its_snapshot(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    before = [b"".join(storage.layers.tar(layer)) for layer in stack]
    for key in ("one", "two"):
        storage.snapshots.prepare(key, stack)
    with mounted(storage.snapshots.mount("one"), tmp_path / "m") as place:
        (place / "etc/b").write_bytes(b"written")
        (place / "etc/c").unlink()
        (place / "new").write_bytes(b"x" * 1000)
    with mounted(storage.snapshots.mount("two"), tmp_path / "m") as place:
        assert (place / "etc/b").read_bytes() == b"top"
        assert (place / "etc/c").read_bytes() == b"mid"
        assert not (place / "new").exists()
    with mounted(storage.snapshots.mount("one"), tmp_path / "m") as place:
        assert (place / "etc/b").read_bytes() == b"written"
        assert not (place / "etc/c").exists()
    assert storage.snapshots.usage("one") == 1000 + len(b"written")
    assert storage.snapshots.usage("two") == 0
    assert [b"".join(storage.layers.tar(layer)) for layer in stack] == before


def test_a_snapshot_survives_a_restart(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    storage.snapshots.prepare("box", stack)
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as place:
        (place / "kept").write_bytes(b"1")
    again = Storage.open(storage.root.path).snapshots
    assert again.keys() == ["box"]
    assert again.mount("box") == storage.snapshots.mount("box")
    with mounted(again.mount("box"), tmp_path / "m") as place:
        assert (place / "kept").exists()


def test_layers_alone_are_seen_by_short_names(storage: Storage, stack: list[Digest]) -> None:
    view = storage.snapshots.view(stack)
    assert (view.cwd, view.upper) == (storage.root.path, "")
    trees = [os.path.realpath(os.path.join(view.cwd, name)) for name in view.lower]
    assert trees == [storage.layers.diff_directory(layer) for layer in reversed(stack)]
    with pytest.raises(NotFoundError):
        storage.snapshots.view([Digest.of(b"none")])


def test_no_layers_at_all(storage: Storage, tmp_path: Path) -> None:
    storage.snapshots.prepare("scratch", [])
    with mounted(storage.snapshots.mount("scratch"), tmp_path / "m") as place:
        assert sorted(os.listdir(place)) == STUBS
        (place / "x").write_bytes(b"1")


def test_removals_and_changes_are_told(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    """The same difference from every driver, as overlayfs would write it."""
    storage.snapshots.prepare("box", stack)
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as place:
        (place / "etc/b").chmod(0o600)
        (place / "etc/c").unlink()
        (place / "opt/deep/er").mkdir(parents=True)
        (place / "opt/deep/er/file").write_bytes(b"12345")
        (place / "dir/new").rename(place / "dir/moved")
        times = (place / "to-etc").lstat()
        (place / "opt/mid").write_bytes(b"MID")
        os.utime(place / "opt/mid", ns=(times.st_atime_ns, times.st_mtime_ns))
    with storage.snapshots.difference("box") as upper:
        found = {
            os.path.relpath(os.path.join(parent, name), upper): kind_of(Path(parent, name))
            for parent, directories, files in os.walk(upper)
            for name in (*directories, *files)
        }
        assert found == {
            "etc": "directory", "etc/b": b"top", "etc/c": "whiteout",
            "opt": "directory", "opt/mid": b"MID", "opt/deep": "directory",
            "opt/deep/er": "directory", "opt/deep/er/file": b"12345",
            "dir": "directory", "dir/new": "whiteout", "dir/moved": b"mid",
        }  # fmt: skip
        root = os.stat(upper)
        assert (stat.S_IMODE(root.st_mode), root.st_uid) == (0o711, 9)
        assert stat.S_IMODE(os.stat(f"{upper}/etc/b").st_mode) == 0o600
    assert storage.snapshots.usage("box") == len(b"top" + b"MID" + b"12345" + b"mid")
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == []


def kind_of(path: Path) -> str | bytes:
    found = path.lstat()
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    if stat.S_ISCHR(found.st_mode) and found.st_rdev == 0:
        return "whiteout"
    return path.read_bytes()


def test_nothing_written_is_no_difference(storage: Storage, stack: list[Digest]) -> None:
    storage.snapshots.prepare("box", stack)
    with storage.snapshots.difference("box") as upper:
        assert os.listdir(upper) == []


def test_files_are_seen_as_they_lie_in_the_layers(storage: Storage, tmp_path: Path) -> None:
    caps = "\x01\0\0\x02\0\x04\0\0" + "\0" * 12
    layer = add(
        storage,
        directory("d", mode=0o1777, uid=3, pax={"mtime": "1000000000.25"}),
        Member("d/a", b"one", mode=0o4755, uid=5, gid=6, pax={"mtime": "123.5"}),
        hard_link("d/b", "d/a"),
        symlink("d/l", "../nowhere", uid=8, pax={"mtime": "77.75"}),
        Member("d/null", type=b"3", device=(1, 3), mode=0o666),
        Member("d/pipe", type=b"6", mode=0o640),
        Member("d/c", b"x", pax={"SCHILY.xattr.security.capability": caps,
                                 "SCHILY.xattr.user.note": "n"}),
    )  # fmt: skip
    above = add(storage, Member("other", b""))
    storage.snapshots.prepare("box", [layer, above])
    original = Path(storage.layers.diff_directory(layer))
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as place:
        for name in ("d", "d/a", "d/l", "d/null", "d/pipe", "d/c"):
            assert looks(place / name) == looks(original / name), name
        assert (place / "d/a").samefile(place / "d/b")
        assert os.readlink(place / "d/l") == "../nowhere"
        assert os.getxattr(place / "d/c", "security.capability") == caps.encode("latin-1")
        assert os.getxattr(place / "d/c", "user.note") == b"n"


def looks(path: Path) -> tuple[int, ...]:
    found = path.lstat()
    size = 0 if path.is_dir() else found.st_size
    return found.st_mode, found.st_uid, found.st_gid, found.st_rdev, found.st_mtime_ns, size


def test_holes_stay_holes(storage: Storage, tmp_path: Path) -> None:
    records = {
        "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "holes",
        "GNU.sparse.size": str(8 << 30), "GNU.sparse.map": f"1048576,4,{(8 << 30) - 2},2",
    }  # fmt: skip
    storage.snapshots.prepare("box", [add(storage, Member("x", b"abcdef", pax=records))])
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as place:
        found = (place / "holes").stat()
        assert (found.st_size, found.st_blocks < 1000) == (8 << 30, True)
        with (place / "holes").open("rb") as stream:
            stream.seek(1 << 20)
            assert stream.read(5) == b"abcd\0"
            stream.seek(-2, os.SEEK_END)
            assert stream.read() == b"ef"


def test_trees_deeper_than_a_path(storage: Storage) -> None:
    """A container makes them with chdir, and nobody may stumble over them."""
    storage.snapshots.prepare("box", [])
    fd = os.open(storage.snapshots.place("box"), os.O_RDONLY)
    name = "deep"
    for _ in range(1100):  # more than a path can say, and than functions can call one another
        os.mkdir(name, dir_fd=fd)
        above, fd = fd, os.open(name, os.O_RDONLY, dir_fd=fd)
        os.close(above)
    with os.fdopen(os.open("file", os.O_WRONLY | os.O_CREAT, dir_fd=fd), "wb") as stream:
        stream.write(b"12345")
    os.close(fd)
    assert storage.snapshots.usage("box") == 5
    with storage.snapshots.difference("box") as upper:
        assert os.listdir(upper) == [name]
    storage.snapshots.remove("box")
    storage.disposal.settle()
    assert os.listdir(storage.root.join("tmp")) == []


@pytest.mark.parametrize("height", [130, 300, 520])
def test_high_stacks(storage: Storage, tmp_path: Path, height: int) -> None:
    """130: above Docker's limit; 300: above a page of options; 520: above the kernel's."""
    layers = [
        add(storage, Member(f"f{n}", b"%d" % n), Member("last", b"%d" % n))
        for n in range(height - 1)
    ]
    layers.append(add(storage, Member(".wh.f0"), Member(".wh.f9")))
    key = "k" * 64
    storage.snapshots.prepare(key, layers)
    assert storage.snapshots.takes_long(layers) or height < 200
    with mounted(storage.snapshots.mount(key), tmp_path / "m") as place:
        names = os.listdir(place)
        assert len(names) == height - 2 + len(STUBS)
        assert not {"f0", "f9"} & set(names)
        assert (place / "f1").read_bytes() == b"1"
        assert (place / "last").read_bytes() == b"%d" % (height - 2)
        (place / "f1").write_bytes(b"changed")
        (place / "f2").unlink()
    assert b"".join(storage.layers.tar(layers[1])) == tar(Member("f1", b"1"), Member("last", b"1"))
    with storage.snapshots.difference(key) as upper:
        assert sorted(os.listdir(upper)) == ["f1", "f2"]
    storage.snapshots.remove(key)
    storage.disposal.settle()
    assert b"".join(storage.layers.tar(layers[1])) == tar(Member("f1", b"1"), Member("last", b"1"))


def test_errors_say_what_is_there_and_what_is_not(storage: Storage, stack: list[Digest]) -> None:
    storage.snapshots.prepare("box", stack)
    with pytest.raises(ConflictError):
        storage.snapshots.prepare("box", stack)
    with pytest.raises(NotFoundError):
        storage.snapshots.prepare("other", [Digest.of(b"unknown")])
    with pytest.raises(NotFoundError):
        storage.snapshots.mount("other")
    with pytest.raises(NotFoundError):
        storage.snapshots.usage("other")
    assert storage.snapshots.keys() == ["box"]


def test_removal_leaves_nothing(storage: Storage, stack: list[Digest]) -> None:
    storage.snapshots.prepare("box", stack)
    Path(storage.snapshots.place("box"), "x").write_bytes(b"1")
    storage.snapshots.remove("box")
    storage.snapshots.remove("box")
    storage.disposal.settle()
    assert os.listdir(storage.root.join("snapshots")) == []
    assert os.listdir(storage.root.join("tmp")) == []


@pytest.mark.parametrize(("first", "second"), [DRIVERS, DRIVERS[::-1]])
def test_another_driver_keeps_what_the_first_has_made(
    tmp_path: Path, first: str, second: str
) -> None:
    root = str(tmp_path / "root")
    before = Storage.open(root, first)
    layer = add(before, Member("file", b"1"))
    before.snapshots.prepare("old", [layer])
    after = Storage.open(root, second)
    after.snapshots.prepare("new", [layer])
    for storage in (before, after):
        assert sorted(storage.snapshots.keys()) == ["new", "old"]
        for key in ("old", "new"):
            with mounted(storage.snapshots.mount(key), tmp_path / "m") as place:
                assert (place / "file").read_bytes() == b"1"
            assert storage.snapshots.usage(key) == 0
    assert type(after.snapshots.mount("old")) is type(before.snapshots.mount("old"))
    assert type(after.snapshots.mount("new")) is not type(after.snapshots.mount("old"))


def test_where_overlayfs_cannot_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A data root that is on an overlay itself, as in a container, cannot have another's upper."""
    for name in ("lower", "upper", "work", "outer"):
        (tmp_path / name).mkdir()
    outer = OverlayMount(str(tmp_path), ("lower",), "upper", "work")
    with mounted(outer, tmp_path / "outer") as place:
        storage = Storage.open(str(place / "root"))
        assert storage.snapshots.name == "vfs"
        (warning,) = [record.getMessage() for record in caplog.records]
        assert f"overlayfs cannot be mounted on {place}/root" in warning
        with pytest.raises(UnavailableError, match="overlay2 does not work on"):
            Storage.open(str(place / "root"), "overlay2")
        layers = [
            add(storage, Member("file", b"1"), Member("gone", b"1"), directory("d")),
            add(storage, Member(".wh.gone"), Member(".wh.d"), directory("d"), Member("d/new")),
        ]
        storage.snapshots.prepare("box", layers)
        box = Path(storage.snapshots.place("box"))
        assert sorted(set(os.listdir(box)) & {"file", "gone", "d"}) == ["d", "file"]
        (box / "file").unlink()
        with storage.snapshots.difference("box") as upper:
            assert (Path(upper) / "file").stat().st_size == 0
        assert b".wh.file" in b"".join(layer_tar(storage.snapshots, "box"))
        storage.writeback.finish()


def test_unknown_drivers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgumentError, match='"btrfs": it must be overlay2 or vfs'):
        Storage.open(str(tmp_path), "btrfs")


def test_a_stack_that_has_to_be_low(tmp_path: Path) -> None:
    """As on kernels that take one page of options: the lowest layers are seen as one."""
    storage = Storage.open(str(tmp_path / "root"))
    driver: SnapshotDriver = OverlayDriver(
        storage.root, storage.layers, storage.disposal, storage.rights, most=3
    )
    layers = [
        add(storage, directory("d"), Member("d/a", b"0"), hard_link("d/b", "d/a")),
        add(storage, Member("d/.wh.a"), Member("d/c", b"1"), directory("e"), Member("e/x", b"1")),
        add(storage, Member("d/f", b"2"), Member("e/.wh..wh..opq"), Member("e/y", b"2")),
        add(storage, Member("d/g", b"3")),
        add(storage, Member("d/.wh.g"), Member(".wh.e")),
    ]
    driver.prepare("box", layers)
    mount = driver.mount("box")
    with mounted(mount, tmp_path / "m") as place:
        assert sorted(os.listdir(place)) == sorted({*STUBS, "d"})
        assert sorted(os.listdir(place / "d")) == ["b", "c", "f"]
    base = Path(storage.root.path, driver.detail("box")["LowerDir"].split(":")[-1])
    assert sorted(os.listdir(base / "e")) == ["y"]
    assert (base / "d/c").samefile(Path(storage.layers.diff_directory(layers[1]), "d/c"))


def test_a_snapshot_takes_over_what_was_written_elsewhere(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    storage.snapshots.prepare("box", stack)
    with storage.root.temporary() as place:
        archive = tar(
            directory("files", mode=0o750, uid=5),
            directory("files/etc"), Member("files/etc/.wh.b"), Member("files/etc/d", b"own"),
            directory("files/opt"), Member("files/opt/.wh..wh..opq"),
        )  # fmt: skip
        written = Path(unpack_arrival(place, [archive], storage.rights), "files")
        storage.snapshots.take_over("box", str(written))
        assert not written.exists()
    with mounted(storage.snapshots.mount("box"), tmp_path / "m") as mount:
        assert {"c", "d"} <= set(os.listdir(mount / "etc"))
        assert not (mount / "etc/b").exists()
        assert os.listdir(mount / "opt") == []
        assert os.listdir(mount / "dir") == ["new"]
        root = mount.stat()
        assert (stat.S_IMODE(root.st_mode), root.st_uid) == (0o750, 5)
    changed = {str(change) for change in changes(storage.snapshots, "box")}
    assert [(c.kind.name, c.path) for c in changes(storage.snapshots, "box")] == [
        ("CHANGED", b"/etc"), ("DELETED", b"/etc/b"), ("ADDED", b"/etc/d"),
        ("CHANGED", b"/opt"), ("DELETED", b"/opt/mid"),
    ], changed  # fmt: skip


def test_an_archive_of_a_container_that_is_none_is_refused(
    storage: Storage, tmp_path: Path
) -> None:
    with storage.root.temporary() as place, pytest.raises(InvalidArgumentError, match="archive"):
        unpack_arrival(place, [b"no tar at all" * 100], storage.rights)
