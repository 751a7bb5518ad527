"""The reader of bbolt's files, on files written here by the format's description."""

import struct

import pytest

from boxship.importing.boltdb import DamagedDatabaseError, pairs

PAGE = 4096
META, LEAF, BRANCH = 4, 2, 1
BUCKET = 1


def page(number: int, flags: int, count: int, body: bytes, overflow: int = 0) -> bytes:
    whole = struct.pack("<QHHI", number, flags, count, overflow) + body
    return whole.ljust((1 + overflow) * PAGE, b"\0")


def fnv1a(data: bytes) -> int:
    value = 14695981039346656037
    for byte in data:
        value = ((value ^ byte) * 1099511628211) % 2**64
    return value


def meta(number: int, root: int, transaction: int, *, checksum: int | None = None) -> bytes:
    body = struct.pack("<IIIIQQQQQ", 0xED0CDAED, 2, PAGE, 0, root, 0, 2, 9, transaction)
    return page(number, META, 0, body + struct.pack("<Q", checksum or fnv1a(body)))


def leaf(*items: tuple[bytes, bytes, int]) -> bytes:
    """The elements of a leaf: keys, values, flags."""
    heads, data = b"", b""
    room = 16 * len(items)
    for number, (key, value, flags) in enumerate(items):
        at = room - 16 * number + len(data)
        heads += struct.pack("<IIII", flags, at, len(key), len(value))
        data += key + value
    return heads + data


def branch(*items: tuple[bytes, int]) -> bytes:
    heads, data = b"", b""
    for number, (key, below) in enumerate(items):
        at = 16 * (len(items) - number) + len(data)
        heads += struct.pack("<IIQ", at, len(key), below)
        data += key
    return heads + data


def bucket(root: int) -> bytes:
    return struct.pack("<QQ", root, 0)


def inline(*items: tuple[bytes, bytes, int]) -> bytes:
    return bucket(0) + struct.pack("<QHHI", 0, LEAF, len(items), 0) + leaf(*items)


LARGE = b"v" * 6000


def database(*metas: bytes) -> bytes:
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


SOUND = database(meta(0, 3, 6), meta(1, 8, 5))


def test_buckets_are_found_wherever_they_lie() -> None:
    assert list(pairs(SOUND, b"wide")) == [(b"k1", b"one"), (b"k2", LARGE), (b"k3", b"three")]
    assert list(pairs(SOUND, b"small")) == [(b"a", b"1")]
    assert list(pairs(SOUND, b"small", b"deep")) == [(b"b", b"2")]
    assert list(pairs(SOUND)) == [(b"zero", b"")]
    assert list(pairs(SOUND, b"nothing")) == []
    assert list(pairs(SOUND, b"zero")) == []


@pytest.mark.parametrize(
    ("metas", "count"),
    [
        ((meta(0, 3, 6), meta(1, 8, 7)), 0),  # the later one
        ((meta(0, 3, 6), meta(1, 8, 7, checksum=1)), 3),  # torn while it was written
        ((meta(0, 8, 9, checksum=1), meta(1, 3, 4)), 3),
    ],
)
def test_the_last_whole_transaction_counts(metas: tuple[bytes, bytes], count: int) -> None:
    assert len(list(pairs(database(*metas), b"wide"))) == count


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"SQLite format 3\0" * 1000,
        database(meta(0, 3, 1, checksum=1), meta(1, 3, 2, checksum=1)),
        SOUND[: 3 * PAGE + 100],
        SOUND[: 4 * PAGE],
        database(meta(0, 2, 6), meta(1, 2, 5)),
        database(meta(0, 99, 6), meta(1, 99, 5)),
        SOUND.replace(struct.pack("<IIQ", 32, 2, 5), struct.pack("<IIQ", 32, 2, 4)),  # a circle
    ],
    ids=["empty", "other", "no meta", "cut off", "no page", "free list", "beyond", "circle"],
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(DamagedDatabaseError):
        list(pairs(data, b"wide"))
