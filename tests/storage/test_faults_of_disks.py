"""Disks that are full, read-only, or broken: said as such, nothing half made, all else whole."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from boxship.model.check import CheckSummary, Finding, Outcome
from boxship.oci.digest import Digest
from boxship.storage.check.store import Needed, StoreCheck
from boxship.storage.drivers import DRIVERS
from boxship.storage.recipe import DamagedLayerError
from boxship.storage.storage import Storage
from support.tars import Member, directory, tar
from support.waiting import eventually

pytestmark = pytest.mark.privileged

SMALL = tar(directory("d"), *(Member(f"d/{n}", b"small" * 100) for n in range(20)))
LARGE = tar(directory("d"), *(Member(f"d/{n}", os.urandom(1 << 20)) for n in range(24)))
KINDS = {
    "ext4": lambda image: ["mount", "-o", "loop", image],
    "tmpfs": lambda _: ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs"],
}


@contextmanager
def disk(kind: str, place: Path) -> Iterator[Path]:
    """A file system of 16 MiB."""
    image, target = place / "image", place / "disk"
    target.mkdir()
    with image.open("wb") as stream:
        stream.truncate(16 << 20)
    if kind == "ext4":
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-N", "2000", image], check=True)
    done = subprocess.run([*KINDS[kind](image), target], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.decode()}")
    try:
        yield target
    finally:
        # The store may still be writing behind our back.
        eventually(
            lambda: subprocess.run(["umount", target], check=False).returncode == 0, "umount"
        )


@pytest.fixture(params=KINDS)
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    with disk(request.param, tmp_path) as target:
        yield target


def add(storage: Storage, data: bytes) -> Digest:
    with storage.layers.lease() as lease:
        return storage.layers.unpack([data], lease).digest


def fill(place: Path, leave: int = 0) -> None:
    """Take all space but `leave` bytes; tmpfs and ext4 need several tries for the last of it."""
    with (place / "ballast").open("ab", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1 << 8, 1):
            try:
                while True:
                    stream.write(b"\1" * size)
            except OSError as error:
                assert error.errno == errno.ENOSPC
        stream.truncate(max(0, stream.tell() - leave))


def whole(storage: Storage, *layers: Digest, snapshots: frozenset[str] = frozenset()) -> None:
    """Nothing is wrong, and there is nothing but this."""
    storage.disposal.settle()
    events = list(StoreCheck(storage, Needed(frozenset(layers), frozenset(), snapshots),
                             repair=False).run())  # fmt: skip
    assert not [event for event in events if isinstance(event, Finding)]
    assert isinstance(events[-1], CheckSummary)
    assert {layer.digest for layer in storage.layers.all()} == set(layers)
    assert len(os.listdir(storage.root.join("l"))) == len(layers)
    assert os.listdir(storage.root.join("tmp")) == []
    assert set(storage.snapshots.keys()) == set(snapshots)


def test_a_layer_that_does_not_fit(small_disk: Path) -> None:
    storage = Storage.open(str(small_disk / "root"))
    small = add(storage, SMALL)
    with pytest.raises(OSError, match=r"No space left on device.*unpacking 'd/") as caught:
        add(storage, LARGE)
    assert caught.value.errno == errno.ENOSPC
    whole(storage, small)
    assert add(storage, tar(Member("other", b"fits"))) is not None


@pytest.mark.parametrize("leave", range(0, 200 << 10, 28 << 10))
def test_wherever_the_space_ends(tmp_path: Path, leave: int) -> None:
    """In the tree, in the recipe, in the record: the layer is there whole or not at all."""
    with disk("ext4", tmp_path) as place:
        storage = Storage.open(str(place / "root"))
        fill(place, leave)
        kept = []
        try:
            kept = [add(storage, SMALL)]
        except OSError as error:
            assert error.errno == errno.ENOSPC
        (place / "ballast").unlink()
        whole(storage, *kept)
        assert add(storage, SMALL) == Digest.of(SMALL)
        whole(Storage.open(str(place / "root")), Digest.of(SMALL))


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_full_disk_can_be_emptied(small_disk: Path, driver: str) -> None:
    """Containers, layers and blobs can be removed, which is what helps against it."""
    storage = Storage.open(str(small_disk / "root"), driver)
    layers = [add(storage, SMALL), add(storage, tar(Member("x", b"1")))]
    storage.snapshots.prepare("box", layers)
    blob = storage.blobs.add(b"config")
    fill(small_disk)
    with pytest.raises(OSError, match="No space left"):
        storage.blobs.add(b"another" * 5000)
    assert [blob] == storage.blobs.all()
    storage.snapshots.remove("box")
    assert storage.layers.remove([layers[0]], ()) == 1
    storage.blobs.remove(blob)
    (small_disk / "ballast").unlink()
    storage.blobs.remove_partial()
    whole(storage, layers[1])


def test_a_copy_that_does_not_fit(small_disk: Path) -> None:
    storage = Storage.open(str(small_disk / "root"), "vfs")
    layer = add(storage, tar(*(Member(f"{n}", os.urandom(1 << 20)) for n in range(7))))
    storage.snapshots.prepare("first", [])
    fill(small_disk, 2 << 20)
    with pytest.raises(OSError, match="No space left"):
        storage.snapshots.prepare("box", [layer])
    (small_disk / "ballast").unlink()
    whole(storage, layer, snapshots=frozenset({"first"}))


@pytest.mark.parametrize("small_disk", ["ext4"], indirect=True)
def test_a_check_without_space_says_so(small_disk: Path) -> None:
    storage = Storage.open(str(small_disk / "root"))
    layer = add(storage, tar(*(Member(f"{n:0200}", b"") for n in range(400))))
    fill(small_disk)
    events = list(StoreCheck(storage, Needed(frozenset({layer})), repair=True).run())
    (found,) = [event for event in events if isinstance(event, Finding)]
    assert (found.outcome, "No space left" in found.problem) == (Outcome.UNCHECKED, True)
    assert storage.layers.find(layer), "what could not be looked at is not damaged"
    (small_disk / "ballast").unlink()
    whole(storage, layer)


def test_a_disk_that_has_become_read_only(small_disk: Path) -> None:
    storage = Storage.open(str(small_disk / "root"))
    layer = add(storage, SMALL)
    storage.writeback.finish()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    work: list[Callable[[], object]] = [
        lambda: add(storage, LARGE),
        lambda: storage.blobs.add(b"x"),
        lambda: storage.snapshots.prepare("box", [layer]),
        lambda: Storage.open(str(small_disk / "root")),
    ]
    for call in work:
        with pytest.raises(OSError, match="Read-only file system"):
            call()
    assert storage.layers.remove([layer], ()) == 0
    assert b"".join(storage.layers.tar(layer)) == SMALL
    events = list(StoreCheck(storage, Needed(frozenset({layer})), repair=True).run())
    found = [event.outcome for event in events if isinstance(event, Finding)]
    assert found == [Outcome.UNCHECKED]
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    whole(storage, layer)


@pytest.mark.parametrize("name", ["diff/d/3", "recipe.zst"])
def test_a_disk_that_does_not_give_what_it_has(tmp_path: Path, name: str) -> None:
    """A process' memory in the place of a file: it opens, and reading it is an I/O error."""
    storage = Storage.open(str(tmp_path / "root"))
    layer = add(storage, SMALL)
    victim = Path(storage.root.layer(layer), name)
    subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/mem", victim], check=True)
    try:
        with pytest.raises(DamagedLayerError, match="Input/output error"):
            list(storage.layers.tar(layer))
        events = list(StoreCheck(storage, Needed(frozenset({layer})), repair=False).run())
        outcomes = {event.outcome for event in events if isinstance(event, Finding)}
        assert Outcome.LOST in outcomes or Outcome.UNCHECKED in outcomes
    finally:
        subprocess.run(["umount", victim], check=True)
    whole(storage, layer)
