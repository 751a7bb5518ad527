"""Compress a stream with gzip on all cores: the same input gives the same bytes, on any of them.

One gzip member, whose deflate stream is made of blocks of one mebibyte of input each that don't
refer to each other, and end at a byte::

    header   block 0 · empty stored block   block 1 · empty stored block   …   end   crc32 size

So blocks can be compressed in any order by any number of threads, and whoever reads gzip reads it.
(One member per block would do as well, but some readers stop after the first.) What cutting costs
is 0.3 % of the size. The level is the second-lowest of ISA-L's: on a file system's tar it is as
fast as the lowest (650 MB/s on a core of 2023) and an eighth smaller; the higher ones gain 1 % at
half the speed and less. zlib's own levels are smaller by a tenth to a fifth and need ten times as
long.

ISA-L picks its code by what the processor has (SSE, AVX2, AVX-512), and does not promise that all
of them find the same matches. Digests are therefore recorded with the layer and not recomputed.

ISA-L 2.32 gives even the same processor other bytes now and then. Where a stream begins
(``write_first_byte`` in ``igzip_icf_body_h1_gr_bt.asm``), it hashes a register that nobody has set.
There is the stream's address, and in the table of positions the entry of that hash is lost: rarely
one that matters, but about once in a hundred pushes of a big image. So the first bytes of a block
are flushed: so few are compressed by other code, and after them the stream has begun.
"""

import os
import struct
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import zstandard
from isal import isal_zlib

from boxship.storage.chunks import CHUNK, Buffer, ChunkReader

_LEVEL = 1
_RAW = -15
_FIRST = 16
"""Bytes of a block that are flushed; no more than ISA-L leaves to its code for ends of streams."""
# Deflate; no flags, no time, no hint about the level; made on an unknown system. As Go writes it.
_HEADER = bytes((0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF))
_LAST_BLOCK = b"\x03\x00"
_TRAILER = struct.Struct("<II")

_Compressed = tuple[bytes, int, int]
"""The deflate blocks, and of the input: its crc32 and its length."""


def workers() -> ThreadPoolExecutor:
    """Return threads for :func:`gzipped`, one per core that this process may use."""
    cores = len(os.sched_getaffinity(0))
    return ThreadPoolExecutor(cores, thread_name_prefix="compress")


def gzipped(
    chunks: Iterable[Buffer], executor: Executor, ahead: int = 4
) -> Generator[bytes, None, None]:
    """Yield the compressed stream; at most ``ahead`` blocks of it are in memory.

    The chunks are taken in the caller's thread, in order. Several streams may share an executor.
    """
    yield _HEADER
    crc, size = 0, 0
    waiting: deque[Future[_Compressed]] = deque()
    blocks = _blocks(chunks)
    try:
        while True:
            while len(waiting) < ahead and (block := next(blocks, b"")):
                waiting.append(executor.submit(_compress, block))
            if not waiting:
                break
            data, block_crc, length = waiting.popleft().result()
            crc = isal_zlib.crc32_combine(crc, block_crc, length)
            size += length
            yield data
    finally:
        for future in waiting:
            future.cancel()
    yield _LAST_BLOCK + _TRAILER.pack(crc, size & 0xFFFFFFFF)


def zstd_compressed(chunks: Iterable[Buffer], level: int) -> Generator[bytes, None, None]:
    """Yield the stream as one zstd frame; the same input and level give the same bytes."""
    packer = zstandard.ZstdCompressor(level=level).compressobj()
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush()


def _blocks(chunks: Iterable[Buffer]) -> Iterator[bytes]:
    source = ChunkReader(chunks)
    while block := source.up_to(CHUNK):
        yield block


def _compress(block: bytes) -> _Compressed:
    deflate = isal_zlib.compressobj(_LEVEL, isal_zlib.DEFLATED, _RAW)
    whole = memoryview(block)
    data = [
        part
        for piece in (whole[:_FIRST], whole[_FIRST:])
        if piece
        for part in (deflate.compress(piece), deflate.flush(isal_zlib.Z_SYNC_FLUSH))
    ]
    return b"".join(data), isal_zlib.crc32(block), len(block)
