"""The contract of snapshot drivers, checked through real mounts."""

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.oci.digest import Digest
from boxship.storage.snapshots import OverlayMount
from boxship.storage.storage import Storage
from support.tars import Member, directory, symlink, tar

pytestmark = pytest.mark.privileged


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "root"))


@contextmanager
def mounted(mount: OverlayMount, place: Path) -> Iterator[Path]:
    """Mount as a container would; mount(8) would resolve names, so go through the kernel."""
    place.mkdir(exist_ok=True)
    script = (
        "import os, sys; from boxship.kernel.mounts import mount;"
        "os.chdir(sys.argv[1]); mount('overlay', sys.argv[2], 'overlay', 0, sys.argv[3])"
    )
    python = sys.executable
    subprocess.run([python, "-c", script, mount.cwd, place, mount.data], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


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
        assert sorted(os.listdir(place)) == ["dir", "etc", "opt", "to-etc"]
        assert sorted(os.listdir(place / "etc")) == ["b", "c"]
        assert (place / "etc/b").read_bytes() == b"top"
        assert os.listdir(place / "opt") == ["mid"]
        assert os.listdir(place / "dir") == ["new"]
        root = place.stat()
        assert (stat.S_IMODE(root.st_mode), root.st_uid) == (0o711, 9)


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


def test_no_layers_at_all(storage: Storage, tmp_path: Path) -> None:
    storage.snapshots.prepare("scratch", [])
    with mounted(storage.snapshots.mount("scratch"), tmp_path / "m") as place:
        assert os.listdir(place) == []
        (place / "x").write_bytes(b"1")


def test_many_layers_fit_into_one_mount(storage: Storage, tmp_path: Path) -> None:
    layers = [
        add(storage, Member(f"f{n}", b"%d" % n), Member("last", b"%d" % n)) for n in range(150)
    ]
    storage.snapshots.prepare("k" * 64, layers)
    with mounted(storage.snapshots.mount("k" * 64), tmp_path / "m") as place:
        assert len(os.listdir(place)) == 151
        assert (place / "last").read_bytes() == b"149"


def test_more_layers_than_the_kernel_stacks_is_said(storage: Storage) -> None:
    layer = add(storage, Member("x", b"1"))
    with pytest.raises(InvalidArgumentError, match="600 layers"):
        storage.snapshots.prepare("box", [layer] * 600)
    assert storage.snapshots.keys() == []


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
    (Path(storage.root.path) / storage.snapshots.mount("box").upper / "x").write_bytes(b"1")
    storage.snapshots.remove("box")
    storage.snapshots.remove("box")
    storage.disposal.settle()
    assert os.listdir(storage.root.join("snapshots")) == []
    assert os.listdir(storage.root.join("tmp")) == []


def test_a_view_shows_layers_read_only(
    storage: Storage, stack: list[Digest], tmp_path: Path
) -> None:
    view = storage.snapshots.view(stack)
    assert not view.upper
    with mounted(view, tmp_path / "m") as place:
        assert (place / "etc/b").read_bytes() == b"top"
        with pytest.raises(OSError, match="Read-only"):
            (place / "x").write_bytes(b"1")
