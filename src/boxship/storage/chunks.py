"""Reading exact amounts from a stream that comes in chunks of any size, without copying much."""

from collections.abc import Generator, Iterable, Iterator

Buffer = bytes | bytearray | memoryview

CHUNK = 1 << 20
"""The size in which whole streams are moved; big enough that per-chunk costs vanish."""


class TruncatedError(EOFError):
    """The stream ended in the middle of something."""


class ChunkReader:
    """A cursor over an iterator of chunks. ``offset`` counts the bytes consumed."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._chunks: Iterator[Buffer] = iter(chunks)
        self._view = memoryview(b"")
        self._at = 0
        self._before = 0

    @property
    def offset(self) -> int:
        return self._before + self._at

    def some(self, most: int = CHUNK) -> memoryview:
        """Return between 1 and ``most`` bytes, as they lie there; empty only at the end."""
        if self._at == len(self._view) and not self._refill():
            return memoryview(b"")
        piece = self._view[self._at : self._at + most]
        self._at += len(piece)
        return piece

    def up_to(self, count: int) -> bytes:
        """Return ``count`` bytes, fewer only at the end."""
        end = self._at + count
        if end <= len(self._view):
            data = bytes(self._view[self._at : end])
            self._at = end
            return data
        pieces = []
        while count and (piece := self.some(count)):
            pieces.append(bytes(piece))
            count -= len(piece)
        return b"".join(pieces)

    def exactly(self, count: int) -> bytes:
        """Return ``count`` bytes. Raise TruncatedError if there are fewer."""
        data = self.up_to(count)
        if len(data) < count:
            raise TruncatedError(f"the stream ended {count - len(data)} bytes early")
        return data

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes (fewer only at the end) without consuming them."""
        data = self.up_to(count)
        rest = bytes(self._view[self._at :])
        self._before += self._at - len(data)
        self._view, self._at = memoryview(data + rest), 0
        return data

    def rest(self) -> Iterator[memoryview]:
        """Yield all that is left."""
        while piece := self.some():
            yield piece

    def _refill(self) -> bool:
        for chunk in self._chunks:
            if len(chunk):
                self._before += len(self._view)
                self._view, self._at = memoryview(chunk), 0
                return True
        return False


def coalesced(pieces: Iterable[Buffer]) -> Generator[Buffer, None, None]:
    """Join small pieces to chunks of about a mebibyte; big ones pass as they are."""
    waiting: list[Buffer] = []
    size = 0
    for piece in pieces:
        if size + len(piece) > CHUNK and waiting:
            yield b"".join(waiting)
            waiting, size = [], 0
        if len(piece) >= CHUNK:
            yield piece
            continue
        waiting.append(piece)
        size += len(piece)
    if waiting:
        yield b"".join(waiting)
