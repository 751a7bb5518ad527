"""What we compress: readable by everybody, and the same on any number of threads."""

import gzip
import hashlib
import random
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from boxship.storage.chunks import CHUNK, ChunkReader
from boxship.storage.compressing import _compress, gzipped
from boxship.storage.compression import decompressed

CONTENT = b"".join(hashlib.sha256(b"%d" % n).digest() * (n % 7) for n in range(40_000))


def cut(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def compress(data: bytes, *, threads: int = 2, cut_at: int = CHUNK) -> bytes:
    with ThreadPoolExecutor(threads) as executor:
        return b"".join(gzipped(cut(data, cut_at), executor))


@pytest.mark.parametrize(
    "content",
    [b"", b"x", CONTENT[: CHUNK - 1], CONTENT[:CHUNK], CONTENT[: CHUNK + 1], CONTENT],
    ids=["nothing", "a byte", "a block less one", "a block", "a block and one", "blocks"],
)
def test_everybody_reads_it(content: bytes) -> None:
    packed = compress(content)
    assert gzip.decompress(packed) == content
    assert (
        subprocess.run(["gzip", "-dc"], input=packed, capture_output=True, check=True).stdout
        == content
    )
    assert b"".join(decompressed(ChunkReader([packed]))) == content


def test_it_is_one_member() -> None:
    # A reader that stops after the first member must have read all.
    assert compress(CONTENT).count(b"\x1f\x8b\x08\0\0\0\0\0\0\xff") == 1


def test_neither_threads_nor_chunks_change_it() -> None:
    expected = compress(CONTENT, threads=1)
    assert compress(CONTENT, threads=3) == expected
    assert compress(CONTENT, cut_at=12_345) == expected
    assert compress(CONTENT, cut_at=5 * CHUNK) == expected


def test_where_it_lies_in_memory_does_not_change_it() -> None:
    # Its hash may be that of the beginning, to which the end refers.
    chance = random.Random(1)
    middle = b"".join(n.to_bytes(2, "big") for n in range(150))
    blocks = [(word := chance.randbytes(4)) + middle + word + bytes(40) for _ in range(30_000)]
    here = [_compress(block)[0] for block in blocks]
    occupied = [bytearray(1 << 16) for _ in range(40)]
    there = [_compress(block)[0] for block in blocks]
    assert occupied
    assert [n for n, one in enumerate(here) if one != there[n]] == []


def test_it_takes_no_more_ahead_than_it_was_told() -> None:
    taken = 0

    def blocks() -> Iterator[bytes]:
        nonlocal taken
        for block in cut(CONTENT * 3, CHUNK):
            taken += 1
            yield block

    with ThreadPoolExecutor(2) as executor:
        stream = gzipped(blocks(), executor, ahead=2)
        next(stream)
        assert taken == 0
        next(stream)
        assert taken == 2
        stream.close()
    assert taken == 2


def test_what_fails_in_the_source_comes_out() -> None:
    def broken() -> Iterator[bytes]:
        yield CONTENT
        raise OSError("the disk")

    with ThreadPoolExecutor(2) as executor, pytest.raises(OSError, match="the disk"):
        list(gzipped(broken(), executor))
