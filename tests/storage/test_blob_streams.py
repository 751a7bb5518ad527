"""Blobs of any size: written as a stream, there whole or not at all."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import NotFoundError
from boxship.oci.digest import Digest
from boxship.storage.blobs import BlobStore
from boxship.storage.root import StorageRoot

CONTENT = bytes(range(256)) * 9000
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def root(tmp_path: Path) -> StorageRoot:
    return StorageRoot(str(tmp_path))


def test_what_is_kept_can_be_read(root: StorageRoot) -> None:
    blobs = BlobStore(root)
    with blobs.incoming() as writing:
        writing.write(CONTENT[:1000])
        writing.write(memoryview(CONTENT)[1000:])
        assert blobs.all() == []
        writing.keep(DIGEST)
    assert b"".join(blobs.chunks(DIGEST)) == CONTENT
    assert blobs.size(DIGEST) == len(CONTENT)
    assert blobs.verify(DIGEST)
    assert root.left_over() == []


def test_what_is_not_kept_is_gone(root: StorageRoot) -> None:
    blobs = BlobStore(root)
    with blobs.incoming() as writing:
        writing.write(CONTENT)
    assert (blobs.all(), root.left_over()) == ([], [])


def test_a_stream_passes_through_and_stays(root: StorageRoot) -> None:
    blobs = BlobStore(root)
    assert b"".join(blobs.kept([CONTENT[:7], CONTENT[7:]], DIGEST)) == CONTENT
    assert blobs.verify(DIGEST)


def test_a_stream_that_breaks_off_leaves_nothing(root: StorageRoot) -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT
        raise OSError("connection lost")

    blobs = BlobStore(root)
    with pytest.raises(OSError, match="connection lost"):
        list(blobs.kept(broken(), DIGEST))
    abandoned = blobs.kept([CONTENT, CONTENT], DIGEST)
    next(iter(abandoned))
    del abandoned
    assert (blobs.all(), root.left_over()) == ([], [])


def test_a_damaged_or_missing_blob_does_not_verify(root: StorageRoot) -> None:
    blobs = BlobStore(root)
    assert not blobs.verify(DIGEST)
    list(blobs.kept([CONTENT], DIGEST))
    os.truncate(root.blob(DIGEST), 5)
    assert not blobs.verify(DIGEST)
    blobs.remove(DIGEST)
    for read in (blobs.size, lambda digest: list(blobs.chunks(digest))):
        with pytest.raises(NotFoundError, match=DIGEST.hex):
            read(DIGEST)
