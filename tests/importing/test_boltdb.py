"""The reader of bbolt's files, on files written here by the format's description."""

import struct

import pytest

from boxship.importing.boltdb import DamagedDatabaseError, buckets, pairs
from support.boltfiles import BRANCH, BUCKET, LEAF, PAGE, branch, bucket, inline, leaf, meta, page

LARGE = b"v" * 6000


def written(*metas: bytes) -> bytes:
    """Bucket ``wide`` is a branch over two leaves, ``small`` is inline, with one more in it."""
    top = leaf(
        (b"small", inline((b"a", b"1", 0), (b"deep", inline((b"b", b"2", 0)), BUCKET)), BUCKET),
        (b"wide", bucket(4), BUCKET),
        (b"zero", b"", 0),
    )
    return b"".join([
        *metas,
        page(2, 16, 0, b""),
        page(3, LEAF, 3, top),
        page(4, BRANCH, 2, branch((b"k1", 5), (b"k3", 7))),
        page(5, LEAF, 2, leaf((b"k1", b"one", 0), (b"k2", LARGE, 0)), overflow=1),
        page(7, LEAF, 1, leaf((b"k3", b"three", 0))),
        page(8, LEAF, 0, b""),
    ])  # fmt: skip


SOUND = written(meta(0, 3, 6), meta(1, 8, 5))


def test_buckets_are_found_wherever_they_lie() -> None:
    assert list(pairs(SOUND, b"wide")) == [(b"k1", b"one"), (b"k2", LARGE), (b"k3", b"three")]
    assert list(pairs(SOUND, b"small")) == [(b"a", b"1")]
    assert list(pairs(SOUND, b"small", b"deep")) == [(b"b", b"2")]
    assert list(pairs(SOUND)) == [(b"zero", b"")]
    assert list(pairs(SOUND, b"nothing")) == []
    assert list(pairs(SOUND, b"zero")) == []
    assert list(buckets(SOUND)) == [b"small", b"wide"]
    assert list(buckets(SOUND, b"small")) == [b"deep"]


@pytest.mark.parametrize(
    ("metas", "count"),
    [
        ((meta(0, 3, 6), meta(1, 8, 7)), 0),  # the later one
        ((meta(0, 3, 6), meta(1, 8, 7, checksum=1)), 3),  # torn while it was written
        ((meta(0, 8, 9, checksum=1), meta(1, 3, 4)), 3),
    ],
)
def test_the_last_whole_transaction_counts(metas: tuple[bytes, bytes], count: int) -> None:
    assert len(list(pairs(written(*metas), b"wide"))) == count


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SQLite format 3\0" * 1000,
        written(meta(0, 3, 1, checksum=1), meta(1, 3, 2, checksum=1)),
        SOUND[: 3 * PAGE + 100],
        SOUND[: 4 * PAGE],
        written(meta(0, 2, 6), meta(1, 2, 5)),
        written(meta(0, 99, 6), meta(1, 99, 5)),
        SOUND.replace(struct.pack("<IIQ", 32, 2, 5), struct.pack("<IIQ", 32, 2, 4)),  # a circle
    ],
    ids=["empty", "other", "no meta", "cut off", "no page", "free list", "beyond", "circle"],
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedDatabaseError):
        list(pairs(data, b"wide"))
