"""The layer store: once, whole or not at all, kept while needed, exact."""

import gzip
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard

from boxship.base.errors import NotFoundError
from boxship.oci.digest import Digest
from boxship.storage.layers import LayerStore, MalformedLayerError
from boxship.storage.recipe import DamagedLayerError
from boxship.storage.root import StorageRoot
from boxship.storage.storage import Storage
from support.tars import Member, directory, pieces, tar

pytestmark = pytest.mark.privileged

MEMBERS = [directory("d"), *(Member(f"d/{n}", bytes([n]) * (n * 997)) for n in range(200))]
LAYER = tar(*MEMBERS)
DIFF_ID = Digest.of(LAYER)


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.open(str(tmp_path / "root"))


@pytest.fixture
def root(storage: Storage) -> StorageRoot:
    return storage.root


@pytest.fixture
def layers(storage: Storage) -> LayerStore:
    return storage.layers


def everything(storage: Storage) -> dict[str, list[str]]:
    """What is on the disk once all deletions are done."""
    storage.disposal.settle()
    root = storage.root
    return {name: os.listdir(root.join(name)) for name in ("l", "layers/sha256", "tmp")}


EMPTY: dict[str, list[str]] = {"l": [], "layers/sha256": [], "tmp": []}


def add(layers: LayerStore, data: bytes = LAYER) -> Digest:
    with layers.lease() as lease:
        return layers.unpack([data], lease).digest


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_compression_does_not_matter(layers: LayerStore, pack: object) -> None:
    assert callable(pack)
    with layers.lease() as lease:
        layer = layers.unpack(pieces(pack(LAYER), [1, 10, 5000, 70000]), lease)
    assert layer.digest == DIFF_ID
    assert layer.tar_size == len(LAYER)
    assert b"".join(layers.tar(DIFF_ID)) == LAYER


def test_a_layer_is_there_after_a_restart(layers: LayerStore, root: StorageRoot) -> None:
    before = layers.get(add(layers))
    again = Storage.open(root.path).layers
    assert again.get(DIFF_ID) == before
    assert b"".join(again.tar(DIFF_ID)) == LAYER
    assert Path(root.link(before.short)).samefile(again.diff_directory(DIFF_ID))


def test_another_layer_than_announced_is_refused(layers: LayerStore, storage: Storage) -> None:
    with layers.lease() as lease, pytest.raises(MalformedLayerError, match="announced"):
        layers.unpack([LAYER], lease, expected=Digest.of(b"other"))
    assert everything(storage) == EMPTY


def test_a_known_layer_is_not_read_again(layers: LayerStore) -> None:
    add(layers)

    def untouchable() -> Iterator[bytes]:
        raise AssertionError("read although the layer is here")
        yield b""

    with layers.lease() as lease:
        assert layers.unpack(untouchable(), lease, expected=DIFF_ID).digest == DIFF_ID


def test_two_at_once_unpack_once(layers: LayerStore, storage: Storage) -> None:
    """The first stalls in the middle; the second waits for it instead of unpacking too."""
    started, go_on = threading.Event(), threading.Event()
    second_read = threading.Event()
    results = []

    def slow() -> Iterator[bytes]:
        yield LAYER[:5000]
        started.set()
        assert go_on.wait(10)
        yield LAYER[5000:]

    def second() -> Iterator[bytes]:
        second_read.set()
        yield LAYER

    def work(chunks: Iterator[bytes]) -> None:
        with layers.lease() as lease:
            results.append(layers.unpack(chunks, lease, expected=DIFF_ID))

    threads = [threading.Thread(target=work, args=[slow()])]
    threads[0].start()
    assert started.wait(10)
    threads.append(threading.Thread(target=work, args=[second()]))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(10)
    assert len(results) == 2
    assert results[0] == results[1]
    assert not second_read.is_set()
    assert everything(storage) == {
        "l": [results[0].short], "layers/sha256": [DIFF_ID.hex], "tmp": []
    }  # fmt: skip


def test_one_that_stalls_does_not_hold_up_the_others(layers: LayerStore, storage: Storage) -> None:
    started, go_on = threading.Event(), threading.Event()
    results = []

    def stalled() -> Iterator[bytes]:
        yield LAYER[:5000]
        started.set()
        assert go_on.wait(20)
        yield LAYER[5000:]

    def work(chunks: Iterator[bytes]) -> None:
        with layers.lease() as lease:
            results.append(layers.unpack(chunks, lease, expected=DIFF_ID))

    first = threading.Thread(target=work, args=[stalled()])
    second = threading.Thread(target=work, args=[iter([LAYER])])
    first.start()
    try:
        assert started.wait(10)
        second.start()
        second.join(10)
        assert len(results) == 1
    finally:
        go_on.set()
        first.join(10)
        second.join(10)
    assert results == [layers.get(DIFF_ID)] * 2
    assert everything(storage) == {
        "l": [results[0].short], "layers/sha256": [DIFF_ID.hex], "tmp": []
    }  # fmt: skip


def test_two_at_once_without_knowing_agree_in_the_end(layers: LayerStore, storage: Storage) -> None:
    barrier = threading.Barrier(4)
    results = []

    def work() -> None:
        with layers.lease() as lease:
            barrier.wait(10)
            results.append(layers.unpack(pieces(LAYER, [9000] * 10), lease))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(results) == 4
    assert len(set(map(str, results))) == 1
    assert everything(storage)["layers/sha256"] == [DIFF_ID.hex]
    assert everything(storage)["tmp"] == []


def test_the_first_to_fail_lets_the_next_one_try(layers: LayerStore) -> None:
    with layers.lease() as lease:
        with pytest.raises(MalformedLayerError):
            layers.unpack([LAYER[:7000]], lease, expected=DIFF_ID)
        assert layers.unpack([LAYER], lease, expected=DIFF_ID).digest == DIFF_ID


def test_leased_and_needed_layers_stay(layers: LayerStore, storage: Storage) -> None:
    with layers.lease() as lease:
        layers.unpack([LAYER], lease)
        assert layers.remove([DIFF_ID], needed=[]) == 0
    assert layers.remove([DIFF_ID], needed=[DIFF_ID]) == 0
    with layers.lease() as first, layers.lease() as second:
        first.hold(DIFF_ID)
        second.hold(DIFF_ID)
        second.hold(DIFF_ID)
    assert layers.remove([DIFF_ID, DIFF_ID], needed=[]) == 1
    assert layers.find(DIFF_ID) is None
    assert everything(storage) == EMPTY
    with pytest.raises(NotFoundError):
        next(layers.tar(DIFF_ID))


def test_short_names_of_two_layers_never_collide(layers: LayerStore, root: StorageRoot) -> None:
    os.symlink("../layers/sha256/other/diff", root.link(DIFF_ID.hex[:12]))
    assert layers.get(add(layers)).short == DIFF_ID.hex[:16]


def damage_content(layer: Path) -> None:
    path = layer / "diff/d/199"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)


def damage_length(layer: Path) -> None:
    os.truncate(layer / "diff/d/198", 10)


def damage_absence(layer: Path) -> None:
    (layer / "diff/d/100").unlink()


def damage_link(layer: Path) -> None:
    (layer / "diff/d/100").unlink()
    (layer / "diff/d/100").symlink_to("101")


def damage_recipe(layer: Path) -> None:
    path = layer / "recipe.zst"
    path.write_bytes(path.read_bytes()[:-20])


@pytest.mark.parametrize(
    "damage", [damage_content, damage_length, damage_absence, damage_link, damage_recipe]
)
def test_damage_is_noticed(layers: LayerStore, root: StorageRoot, damage: object) -> None:
    assert callable(damage)
    damage(Path(root.layer(add(layers))))
    with pytest.raises(DamagedLayerError):
        for _ in layers.tar(DIFF_ID):
            pass


KILLED = """
import sys, os, signal
from boxship.storage.storage import Storage
layers = Storage.open(sys.argv[1]).layers
def chunks():
    left = int(sys.argv[2])
    while data := sys.stdin.buffer.read(997):
        left -= len(data)
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        yield data
    if left == 0:
        return
with layers.lease() as lease:
    layers.unpack(chunks(), lease)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("after", [0, 600, 5000, len(LAYER) - 1, len(LAYER)])
def test_killed_at_any_point_it_is_whole_or_gone(root: StorageRoot, after: int) -> None:
    command = [sys.executable, "-c", KILLED, root.path, str(after)]
    process = subprocess.run(command, input=LAYER, check=False)
    assert process.returncode == -signal.SIGKILL
    storage = Storage.open(root.path)
    storage.disposal.add(root.left_over())
    layers = storage.layers
    if after == len(LAYER):
        assert b"".join(layers.tar(DIFF_ID)) == LAYER
    layers.recover(needed=[])
    assert everything(storage) == EMPTY
    assert b"".join(layers.tar(add(layers))) == LAYER


def test_recovery_keeps_what_is_needed_and_nothing_else(
    layers: LayerStore, root: StorageRoot
) -> None:
    add(layers)
    other = add(layers, tar(Member("other", b"x")))
    half = add(layers, tar(Member("half", b"x")))
    os.unlink(os.path.join(root.layer(half), "meta.json"))
    os.symlink("../layers/sha256/none/diff", root.link("stale"))
    os.makedirs(root.join("tmp/left/over"))
    restarted = Storage.open(root.path)
    restarted.disposal.add(root.left_over())
    again = restarted.layers
    again.recover(needed=[DIFF_ID])
    assert everything(restarted) == {
        "l": [DIFF_ID.hex[:12]], "layers/sha256": [DIFF_ID.hex], "tmp": []
    }  # fmt: skip
    assert again.find(other) is None
