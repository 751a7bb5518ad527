"""A full disk, and death in the middle of things."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.engine.images.pulling import PullRequest
from boxship.engine.settings import TransferLimits
from boxship.oci import reference
from support.remote import RemoteImages
from support.shop import Shop, docker_archive, run, sample
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

SMALL = sample(tar(Member("small", b"x" * 1000)))
LARGE = sample(*(tar(Member(f"f{n}", bytes([n]) * 400_000)) for n in range(12)))
ARCHIVE = docker_archive((SMALL, ["small:1"]), (LARGE, ["large:1"]))


@pytest.fixture
def tight(tmp_path: Path) -> Iterator[Shop]:
    """A store on a file system of 3 MiB."""
    place = tmp_path / "tight"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], check=True)
    try:
        shop = Shop(place)
        yield shop
        shop.close()
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_is_said_and_leaves_nothing(tight: Shop) -> None:
    with pytest.raises(UnavailableError, match="No space left on device"):
        tight.load(ARCHIVE)
    assert tight.disk() == {}
    assert tight.tags() == {}
    small = docker_archive((SMALL, ["small:1"]))
    assert tight.loaded(small) == [(SMALL.id, "small:1")]
    with pytest.raises(UnavailableError):
        tight.load(ARCHIVE)
    assert tight.tags() == {SMALL.id: ("small:1",)}
    assert len(tight.disk()["layers/sha256"]) == 1


def test_a_pull_onto_a_full_disk_is_said_and_leaves_nothing(tight: Shop) -> None:
    remote = RemoteImages()
    tight.images.set_registries(remote, TransferLimits())
    small = tar(Member("small", b"s"))
    remote.add("reg:1/app:1", sample(small, tar(Member("large", os.urandom(8 << 20)))))

    async def pull() -> None:
        request = PullRequest(reference.parse("reg:1/app:1"))
        async for _ in tight.images.pull(request):
            pass

    # Which of them meets the end of the disk first, the layer or a record, is a matter of luck.
    with pytest.raises(UnavailableError, match=r"No space left on device|disk is full"):
        run(pull())
    remote.close()
    assert tight.disk() == {}
    assert len(tight.scope.pulls) == 0


DYING = """
import os, signal, sys, threading
from pathlib import Path
from support.shop import Shop, run
from boxship.model.image import LoadedImage
shop = Shop(Path(sys.argv[1]))
archive, point = sys.stdin.buffer.read(), sys.argv[2]

async def chunks():
    for at in range(0, len(archive), 65536):
        if point == str(at * 10 // len(archive)):
            os.kill(os.getpid(), signal.SIGKILL)
        yield archive[at:at + 65536]

async def load():
    async for event in shop.images.load(chunks()):
        if isinstance(event, LoadedImage) and point == "loaded":
            os.kill(os.getpid(), signal.SIGKILL)

run(load())
if point == "removing":
    remove = shop.storage.layers.remove
    shop.storage.layers.remove = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
if point == "removed":
    shop.storage.disposal.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
run(shop.images.remove("large:1"))
"""


@pytest.mark.parametrize("point", ["0", "4", "9", "loaded", "removing", "removed"])
def test_killed_anywhere_each_image_is_whole_or_gone(tmp_path: Path, point: str) -> None:
    place = tmp_path / "data"
    command = [sys.executable, "-c", DYING, str(place), point]
    environment = {"PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(command, input=ARCHIVE, check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    shop = Shop(place)
    try:
        run(shop.images.recover([]))
        tags = shop.tags()
        assert set(tags) == {
            "loaded": {SMALL.id},  # the archive's first image was told of, the second not
            "removing": {SMALL.id},
            "removed": {SMALL.id},
        }.get(point, set())
        for names in tags.values():
            assert shop.save(*names)
        layers = len(SMALL.layers) if tags else 0
        assert len(shop.disk().get("layers/sha256", [])) == layers
        assert len(shop.disk().get("blobs/sha256", [])) == len(tags)
        assert "tmp" not in shop.disk()
        assert len(shop.loaded(ARCHIVE)) == 2
    finally:
        shop.close()
