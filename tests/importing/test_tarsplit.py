"""Layers' tars rebuilt from dockerd's record of them."""

import gzip
import io
import json
import os
import tarfile
from base64 import b64encode
from pathlib import Path

import pytest

from boxship.importing.tarsplit import DamagedLayerError, tar, tar_size
from support.tars import Member, directory, symlink
from support.tars import tar as make_tar

ODD = os.fsdecode(b"d/\xff")
ARCHIVE = make_tar(
    directory("d"),
    Member("d/file", b"contents" * 100),
    Member("d/empty"),
    Member(ODD, b"odd name"),
    symlink("link", "d"),
    Member("link/inside", b"through a link"),
    Member("d/.wh.gone"),
)


def record(archive: bytes) -> list[dict[str, object]]:
    """What tar-split writes down of an archive."""
    lines: list[dict[str, object]] = []
    at = 0
    with tarfile.open(
        fileobj=io.BytesIO(archive), encoding="utf-8", errors="surrogateescape"
    ) as members:
        for member in members:
            framing = b64encode(archive[at : member.offset_data]).decode()
            lines.append({"type": 2, "payload": framing})
            raw = os.fsencode(member.name)
            try:
                name = {"name": raw.decode()}
            except UnicodeDecodeError:
                name = {"name_raw": b64encode(raw).decode()}
            size = {"size": member.size} if member.size else {}
            lines.append({"type": 1, **name, **size, "payload": None})
            at = member.offset_data + member.size
    lines.append({"type": 2, "payload": b64encode(archive[at:]).decode()})
    return [{**line, "position": number} for number, line in enumerate(lines)]


@pytest.fixture
def layer(tmp_path: Path) -> tuple[str, Path]:
    """The record and the files of a layer."""
    files = tmp_path / "diff"
    (files / "d").mkdir(parents=True)
    (files / "link").symlink_to("d")
    (files / "d/file").write_bytes(b"contents" * 100)
    (files / "d/inside").write_bytes(b"through a link")
    Path(os.fsdecode(bytes(files) + b"/d/\xff")).write_bytes(b"odd name")
    path = tmp_path / "tar-split.json.gz"
    lines = [json.dumps(line).encode() + b"\n" for line in record(ARCHIVE)]
    path.write_bytes(gzip.compress(b"".join(lines)))
    return str(path), files


def test_the_tar_is_what_it_was(layer: tuple[str, Path]) -> None:
    path, files = layer
    assert b"".join(tar(path, str(files))) == ARCHIVE
    assert tar_size(path) == len(ARCHIVE)


def test_what_is_damaged_is_named(layer: tuple[str, Path]) -> None:
    path, files = layer
    (files / "d/file").write_bytes(b"short")
    with pytest.raises(DamagedLayerError, match="d/file is 795 bytes shorter"):
        list(tar(path, str(files)))
    (files / "d/file").unlink()
    with pytest.raises(DamagedLayerError, match=r"d/file: .*No such file"):
        list(tar(path, str(files)))
    whole = Path(path).read_bytes()
    for broken in (whole[:-20], b"no gzip", gzip.compress(b"no json\n")):
        Path(path).write_bytes(broken)
        with pytest.raises(DamagedLayerError, match=r"tar-split\.json\.gz cannot be read"):
            tar_size(path)


def test_links_do_not_lead_out_of_the_layer(layer: tuple[str, Path], tmp_path: Path) -> None:
    path, files = layer
    (tmp_path / "inside").write_bytes(b"another one's!")
    (files / "link").unlink()
    (files / "link").symlink_to("/../../" + str(tmp_path))
    with pytest.raises(DamagedLayerError, match="No such file"):
        list(tar(path, str(files)))
