"""Recognising and undoing compression, with bounded memory."""

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard

from boxship.storage.chunks import CHUNK, ChunkReader
from boxship.storage.compression import Compression, CompressionError, decompressed, detect
from support.tars import pieces

COMPRESS: dict[Compression, Callable[[bytes], bytes]] = {
    Compression.GZIP: gzip.compress,
    Compression.ZSTD: zstandard.compress,
    Compression.BZIP2: bz2.compress,
    Compression.XZ: lzma.compress,
    Compression.NONE: bytes,
}
TEXT = bytes(range(256)) * 9000


def plain(data: bytes, step: int = 4000) -> bytes:
    chunks = pieces(data, [step] * (len(data) // step))
    return b"".join(decompressed(ChunkReader(chunks)))


@pytest.mark.parametrize("kind", Compression)
@pytest.mark.parametrize("step", [1, 4000])
def test_round_trip(kind: Compression, step: int) -> None:
    data = COMPRESS[kind](TEXT[: 3000 * step])
    assert detect(data[:6]) is kind
    assert plain(data, step) == TEXT[: 3000 * step]


@pytest.mark.parametrize("kind", [k for k in Compression if k is not Compression.NONE])
def test_several_members_are_one_stream(kind: Compression) -> None:
    assert plain(COMPRESS[kind](b"one, ") + COMPRESS[kind](b"two")) == b"one, two"


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.BZIP2, Compression.XZ])
def test_zeros_behind_the_last_member_are_padding(kind: Compression) -> None:
    assert plain(COMPRESS[kind](b"content") + bytes(10_000)) == b"content"


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.BZIP2, Compression.XZ])
def test_a_stream_cut_short_is_an_error(kind: Compression) -> None:
    with pytest.raises(CompressionError):
        plain(COMPRESS[kind](TEXT)[:-12])


@pytest.mark.parametrize("kind", [k for k in Compression if k is not Compression.NONE])
def test_damage_is_an_error(kind: Compression) -> None:
    data = bytearray(COMPRESS[kind](TEXT))
    data[len(data) // 2] ^= 0xFF
    data[-6] ^= 0xFF
    with pytest.raises(CompressionError):
        plain(bytes(data))


@pytest.mark.parametrize("kind", [Compression.GZIP, Compression.ZSTD])
def test_a_bomb_comes_in_small_pieces(kind: Compression) -> None:
    bomb = COMPRESS[kind](bytes(200 * CHUNK))
    assert len(bomb) < CHUNK
    sizes = [len(piece) for piece in decompressed(ChunkReader([bomb]))]
    assert sum(sizes) == 200 * CHUNK
    assert max(sizes) <= CHUNK
