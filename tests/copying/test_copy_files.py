"""Copies between layouts and archives: digests stay, what is damaged or missing is named."""

import gzip
import io
import json
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from boxship.base.errors import BoxshipError, InvalidArgumentError
from boxship.copying.content import DamagedContentError, MalformedPlaceError, NoSuchImageError
from boxship.oci.platform import Platform, parse
from support.programs import needs

from .conftest import Copy, Layout

Existing = Callable[[str], Layout]


def test_there_and_back_through_an_archive(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path
) -> None:
    image = layout.image("a")
    layout.name(one=image)
    archive = tmp_path / "a.tar"
    assert copied(f"oci:{layout.path}:one", f"archive:{archive}:app:1")[-1] == image["digest"]
    assert copied(f"archive:{archive}:app:1", f"oci:{tmp_path / 'back'}:two")[-1] == image["digest"]
    back = existing("back")
    assert back.named() == {"two": image["digest"]}
    assert back.blobs() == layout.blobs()
    for name in back.blobs():
        path = f"blobs/sha256/{name}"
        assert (back.path / path).read_bytes() == (layout.path / path).read_bytes()
    with tarfile.open(archive) as tar:
        listed = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    assert listed[0]["RepoTags"] == ["app:1"]
    assert listed[0]["Config"] in {f"blobs/sha256/{name}" for name in layout.blobs()}


def test_all_platforms_or_one(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path
) -> None:
    here, there = layout.image("a"), layout.image("b", "arm64")
    index = layout.list_of(there, here)
    layout.name(multi=index)
    source, copies = f"oci:{layout.path}:multi", str(tmp_path / "copies")
    assert copied(source, f"oci:{copies}:all", everything=True)[-1] == index["digest"]
    assert copied(source, f"oci:{copies}:host")[-1] == here["digest"]
    assert copied(source, f"oci:{copies}:arm", wanted=parse("arm64"))[-1] == there["digest"]
    assert existing("copies").blobs() == layout.blobs()
    with pytest.raises(NoSuchImageError, match="for linux/s390x, but for linux/arm64, linux/amd64"):
        copied(source, f"oci:{copies}", wanted=Platform("linux", "s390x"))


def test_a_single_image_of_another_platform(layout: Layout, copied: Copy, tmp_path: Path) -> None:
    layout.name(arm=layout.image("b", "arm64"))
    copied(f"oci:{layout.path}:arm", f"oci:{tmp_path / 'x'}")  # the only one: it is meant
    with pytest.raises(NoSuchImageError, match="for linux/arm64 only, not for linux/amd64"):
        copied(f"oci:{layout.path}:arm", f"oci:{tmp_path / 'y'}", wanted=Platform("linux", "amd64"))
    assert not (tmp_path / "y").exists()


def test_a_second_copy_moves_what_is_new(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path
) -> None:
    layout.name(one=layout.image("a"), two=layout.image("b"))
    target = f"oci:{tmp_path / 'copies'}"
    copied(f"oci:{layout.path}:one", f"{target}:one")
    again = copied(f"oci:{layout.path}:one", f"{target}:one")
    assert [line.split(": ")[1] for line in again[:-1]] == ["Already exists"] * 2
    copied(f"oci:{layout.path}:two", f"{target}:one")  # the name moves
    assert existing("copies").named() == {"one": layout.named()["two"]}


def test_what_was_broken_off_is_resumed(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path
) -> None:
    image = layout.image("a")
    layout.name(one=image)
    manifest = json.loads((layout.path / f"blobs/sha256/{image['digest'][7:]}").read_text())
    config = layout.path / f"blobs/sha256/{manifest['config']['digest'][7:]}"
    hidden = config.read_bytes()
    config.unlink()
    target = f"oci:{tmp_path / 'copies'}:one"
    with pytest.raises(MalformedPlaceError, match="is missing"):
        copied(f"oci:{layout.path}:one", target)
    copies = existing("copies")
    assert copies.named() == {}
    assert copies.blobs() == {manifest["layers"][0]["digest"][7:]}
    config.write_bytes(hidden)
    layer, *_ = copied(f"oci:{layout.path}:one", target)
    assert layer.endswith("Already exists")


@pytest.mark.parametrize("change", [b"", b"x" * 10, None])
def test_a_damaged_blob_is_not_passed_on(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path, change: bytes | None
) -> None:
    image = layout.image("a")
    layout.name(one=image)
    manifest = json.loads((layout.path / f"blobs/sha256/{image['digest'][7:]}").read_text())
    layer = layout.path / f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}"
    data = bytearray(layer.read_bytes())
    data[20] ^= 1
    layer.write_bytes(bytes(data) if change is None else change)
    for target in ("oci", "archive"):
        with pytest.raises(DamagedContentError, match="is damaged where it is copied from"):
            copied(f"oci:{layout.path}:one", f"{target}:{tmp_path / target}")
    assert existing("oci").blobs() == set()
    assert sorted(os.listdir(tmp_path)) == ["layout", "oci"]


def test_an_archive_of_old(
    layout: Layout, existing: Existing, copied: Copy, tmp_path: Path
) -> None:
    """As dockerd 20.10 writes it: no OCI index, and a layer that is a link to another."""
    image = layout.image("a", packed=False)
    manifest = json.loads((layout.path / f"blobs/sha256/{image['digest'][7:]}").read_text())
    layer = (layout.path / f"blobs/sha256/{manifest['layers'][0]['digest'][7:]}").read_bytes()
    config = (layout.path / f"blobs/sha256/{manifest['config']['digest'][7:]}").read_bytes()
    items = [{"Config": "c.json", "RepoTags": ["app:1"], "Layers": ["2/layer.tar"]}]
    path = tmp_path / "old.tar"
    with tarfile.open(path, "w") as out:
        files = (("1/layer.tar", layer), ("c.json", config), ("manifest.json", json.dumps(items)))
        for name, data in files:
            raw = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(name)
            entry.size = len(raw)
            out.addfile(entry, io.BytesIO(raw))
        entry = tarfile.TarInfo("2/layer.tar")
        entry.type, entry.linkname = tarfile.SYMTYPE, "../1/layer.tar"
        out.addfile(entry)
    packed = tmp_path / "old.tar.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    first = copied(f"archive:{path}:app:1", f"oci:{tmp_path / 'new'}:a")[-1]
    assert copied(f"archive:{packed}", f"oci:{tmp_path / 'new'}:b")[-1] == first
    assert {manifest["config"]["digest"][7:], first[7:]} < existing("new").blobs()
    with pytest.raises(NoSuchImageError, match=r"no image 'other'; it has app:1"):
        copied(f"archive:{path}:other", f"oci:{tmp_path / 'new'}:a")


def test_names_that_do_not_decide(layout: Layout, copied: Copy, tmp_path: Path) -> None:
    layout.name(one=layout.image("a"), two=layout.image("b"))
    with pytest.raises(InvalidArgumentError, match="several images: say which one, of one, two"):
        copied(f"oci:{layout.path}", f"oci:{tmp_path / 'x'}")
    with pytest.raises(NoSuchImageError, match="no image 'three'; it has one, two"):
        copied(f"oci:{layout.path}:three", f"oci:{tmp_path / 'x'}")


def test_what_is_no_image(layout: Layout, copied: Copy, tmp_path: Path) -> None:
    target = f"oci:{tmp_path / 'x'}"
    (tmp_path / "text").write_text("hello " * 200)
    with tarfile.open(tmp_path / "empty.tar", "w"):
        pass
    (tmp_path / "cut.tar.gz").write_bytes(gzip.compress(b"x" * 10000)[:-9])
    odd = layout.blob(b"{}", "text/plain")
    layout.name(odd=odd)
    cases = {
        f"oci:{tmp_path / 'nothing'}": "is no OCI image layout",
        f"archive:{tmp_path / 'nothing'}": "cannot read .*No such file",
        f"archive:{tmp_path / 'text'}": "is no tar archive",
        f"archive:{tmp_path / 'empty.tar'}": "it has no manifest",
        f"archive:{tmp_path / 'cut.tar.gz'}": "is damaged",
        f"oci:{layout.path}:odd": "'text/plain', which cannot be copied",
    }
    for source, words in cases.items():
        with pytest.raises(BoxshipError, match=words):
            copied(source, target)
    assert not (tmp_path / "x").exists()


def test_nothing_is_overwritten(layout: Layout, copied: Copy, tmp_path: Path) -> None:
    layout.name(one=layout.image("a"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("precious")
    with pytest.raises(BoxshipError, match="is no OCI image layout"):
        copied(f"oci:{layout.path}", f"oci:{tmp_path / 'mine'}")
    with pytest.raises(InvalidArgumentError, match="file is there already"):
        copied(f"oci:{layout.path}", f"archive:{tmp_path / 'mine/file'}")
    assert os.listdir(tmp_path / "mine") == ["file"]


@needs("skopeo")
def test_skopeo_reads_the_copies(layout: Layout, copied: Copy, tmp_path: Path) -> None:
    import subprocess

    image = layout.image("a")
    layout.name(one=image)
    copied(f"oci:{layout.path}", f"oci:{tmp_path / 'x'}:tag")
    copied(f"oci:{layout.path}", f"archive:{tmp_path / 'x.tar'}:app:1")
    places = (
        f"oci:{tmp_path / 'x'}:tag",
        f"oci-archive:{tmp_path / 'x.tar'}:1",
        f"docker-archive:{tmp_path / 'x.tar'}:app:1",
    )
    digests = []
    for place in places:
        command = ["skopeo", "inspect", "--format", "{{.Digest}} {{.Layers}}", place]
        digests.append(
            subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        )
    assert image["digest"] in digests[0]
    assert digests[0] == digests[1]
