"""Layouts that come from clients as blobs."""

from pathlib import Path

import msgspec
import pytest

from boxship.api.buildkit.layoutfiles import LayoutFiles
from boxship.base.errors import InvalidArgumentError
from boxship.oci.digest import Digest


def put(files: LayoutFiles, data: bytes) -> Digest:
    digest = Digest.of(data)
    incoming = files.incoming(digest)
    incoming.write(data)
    incoming.close(whole=True)
    return digest


def test_a_layout(tmp_path: Path) -> None:
    files = LayoutFiles(str(tmp_path))
    config, layer = put(files, b"{}"), put(files, b"layer")
    manifest = {"mediaType": "m", "config": {"digest": str(config)}}
    manifest["layers"] = [{"digest": str(layer)}]
    root = put(files, msgspec.json.encode(manifest))
    assert files.named(root).blobs == (config, layer)
    files.complete(root)
    first = files.first()
    assert (first.digest, first.media_type, first.size) == (str(root), "m", files.size(root))
    assert sorted(files.blobs()) == sorted((config, layer, root))
    assert list(files.pieces(layer)) == [b"layer"]
    index = put(files, msgspec.json.encode({"manifests": [{"digest": str(root)}]}))
    assert files.named(index).documents == (root,)


def test_a_blob_that_is_something_else_is_not_kept(tmp_path: Path) -> None:
    files = LayoutFiles(str(tmp_path))
    incoming = files.incoming(Digest.of(b"this"))
    incoming.write(b"that")
    with pytest.raises(InvalidArgumentError, match="is something else"):
        incoming.close(whole=True)
    cut = files.incoming(Digest.of(b"this"))
    cut.write(b"th")
    cut.close(whole=False)
    assert files.blobs() == []


@pytest.mark.parametrize("data", [b"no json", b"[]", b'{"layers": [{"digest": "../../x"}]}'])
def test_documents_that_are_none(tmp_path: Path, data: bytes) -> None:
    files = LayoutFiles(str(tmp_path))
    with pytest.raises(InvalidArgumentError, match="is no manifest"):
        files.named(put(files, data))


def test_a_digest_that_is_a_path_is_none(tmp_path: Path) -> None:
    files = LayoutFiles(str(tmp_path))
    digest = put(files, b'{"config": {"digest": "sha256:../../../etc/passwd"}}')
    with pytest.raises(InvalidArgumentError, match="invalid checksum digest format"):
        files.named(digest)
