"""Read a tar stream: typed entries, payloads in place, and every other byte exactly.

A tar is framing (headers, extended headers, padding, the end) with payloads in between. Whoever
wants to rebuild it needs the framing byte for byte, so the reader hands it out::

    reader = TarReader(ChunkReader(stream))
    while entry := reader.next():
        framing = reader.take_framing()        # everything since the last payload
        while piece := reader.read(): …        # this entry's payload as it is stored
    tail = reader.tail()                       # the end marker and whatever follows it

Dialect questions are answered as Go's archive/tar does, on which Docker, containerd and podman
stand: links, devices and directories have no payload whatever their size field says; an archive
may lack its end marker or the last padding.
"""

from collections.abc import Iterator

from boxship.storage.chunks import CHUNK, ChunkReader, TruncatedError
from boxship.storage.tar import pax
from boxship.storage.tar.header import (
    BLOCK,
    KIND_OF_TYPE,
    ZERO_BLOCK,
    Entry,
    Extent,
    Header,
    Kind,
    TarError,
    number,
    parse_header,
    sparse_map,
)

_LARGEST_EXTENSION = 1 << 20
_LARGEST_HEADERS = 4 << 20  # of one entry, all its extended ones together
_LARGEST_FILE = 1 << 60
_NO_RECORDS: pax.Records = {}
_WITH_PAYLOAD = frozenset({Kind.FILE, Kind.OTHER})


class TarReader:
    """A cursor over the entries of one archive."""

    def __init__(self, source: ChunkReader) -> None:
        self._source = source
        self._framing: list[bytes] = []
        self._framed = 0
        self._left = 0
        self._padding = 0

    def next(self) -> Entry | None:
        """Go to the next entry, skipping what is left of this one's payload; None at the end."""
        while self.read():
            pass
        if self._padding and not self._pad():
            return None
        self._framed = 0
        long_name = long_link = b""
        records = _NO_RECORDS
        while (block := self._block()) is not None:
            header = self._header(block)
            if header.type == b"x":
                records = pax.parse_records(self._extension(header))
            elif header.type == b"g":
                self._extension(header)
            elif header.type == b"L":
                long_name = self._extension(header).partition(b"\0")[0]
            elif header.type == b"K":
                long_link = self._extension(header).partition(b"\0")[0]
            else:
                return self._entry(header, block, long_name, long_link, records)
        return None

    def read(self, most: int = CHUNK) -> memoryview:
        """Return the next piece of the payload; empty at its end."""
        if not self._left:
            return memoryview(b"")
        piece = self._source.some(min(most, self._left))
        if not piece:
            raise TruncatedError("unexpected EOF")
        self._left -= len(piece)
        return piece

    @property
    def payload_left(self) -> int:
        """How many bytes :meth:`read` will still return."""
        return self._left

    def take_framing(self) -> bytes:
        """Return, once, every byte that was not returned by :meth:`read`."""
        framing = b"".join(self._framing)
        self._framing.clear()
        return framing

    def tail(self) -> Iterator[bytes | memoryview]:
        """Yield the framing from the last payload on, to the end of the stream."""
        yield self.take_framing()
        yield from self._source.rest()

    def _keep(self, framing: bytes) -> None:
        """Hold on to a header until somebody takes it; nobody's headers fill the memory."""
        self._framed += len(framing)
        if self._framed > _LARGEST_HEADERS:
            raise TarError("headers of more than 4 MiB for one entry")
        self._framing.append(framing)

    def _pad(self) -> bool:
        padding = self._source.up_to(self._padding)
        self._framing.append(padding)
        complete = len(padding) == self._padding
        self._padding = 0
        return complete

    def _block(self) -> bytes | None:
        block = self._source.up_to(BLOCK)
        self._keep(block)
        if not block:
            return None
        if len(block) < BLOCK:
            raise TruncatedError("unexpected EOF")
        if block != ZERO_BLOCK:
            return block
        second = self._source.up_to(BLOCK)
        self._keep(second)
        if second.strip(b"\0"):
            raise TarError("not a tar header: a lone zero block")
        return None

    def _header(self, block: bytes) -> Header:
        header = parse_header(block)
        if not 0 <= header.size < _LARGEST_FILE:
            raise TarError("not a tar header: impossible size")
        return header

    def _extension(self, header: Header) -> bytes:
        if header.size > _LARGEST_EXTENSION:
            raise TarError("extended header of more than 1 MiB")
        data = self._source.exactly(header.size + -header.size % BLOCK)
        self._keep(data)
        return data[: header.size]

    def _entry(
        self, header: Header, block: bytes, name: bytes, link: bytes, records: pax.Records
    ) -> Entry:
        name = records.get(b"path") or name or header.name
        kind = KIND_OF_TYPE.get(header.type, Kind.OTHER)
        if header.type == b"\0" and name.endswith(b"/"):
            kind = Kind.DIRECTORY
        stored = pax.integer(records, b"size", header.size) if kind in _WITH_PAYLOAD else 0
        if not 0 <= stored < _LARGEST_FILE:
            raise TarError("impossible size")
        self._left, self._padding = stored, -stored % BLOCK
        size, extents, name = self._sparse(header, block, records, name)
        if not records:
            return Entry(
                kind, name, link or header.link, header.mode, header.uid, header.gid,
                size, header.mtime * 1_000_000_000, header.device, {}, extents,
            )  # fmt: skip
        return Entry(
            kind, name, records.get(b"linkpath") or link or header.link, header.mode,
            pax.integer(records, b"uid", header.uid), pax.integer(records, b"gid", header.gid),
            size, pax.time_ns(records, b"mtime", header.mtime * 1_000_000_000),
            header.device, pax.xattrs(records), extents,
        )  # fmt: skip

    def _sparse(
        self, header: Header, block: bytes, records: pax.Records, name: bytes
    ) -> tuple[int, tuple[Extent, ...] | None, bytes]:
        """Return real size, extents (None: not sparse) and name; may read maps into framing."""
        extents: list[Extent] | None = None
        size = self._left
        if header.type == b"S" and header.gnu:
            extents = sparse_map(block[386:482])
            size = number(block[483:495])
            extended = block[482]
            while extended:
                block = self._source.exactly(BLOCK)
                self._keep(block)
                extents += sparse_map(block[:504])
                extended = block[504]
        elif b"GNU.sparse.major" in records or b"GNU.sparse.map" in records:
            size = pax.integer(records, b"GNU.sparse.realsize", -1)
            size = pax.integer(records, b"GNU.sparse.size", -1) if size < 0 else size
            name = records.get(b"GNU.sparse.name") or name
            extents = pax.comma_map(records)
            if extents is None and records.get(b"GNU.sparse.major") == b"1":
                extents = self._map_in_payload()
        if extents is None:
            return self._left, None, name
        return size, _checked(extents, size, self._left), name

    def _map_in_payload(self) -> list[Extent]:
        """Pax sparse format 1.0: decimal lines in whole blocks before the data."""
        text = bytearray()
        wanted = found = 0
        while not wanted or found < wanted:
            if self._left < BLOCK or len(text) > _LARGEST_EXTENSION:
                raise TarError("bad sparse map")
            block = self._source.exactly(BLOCK)
            self._keep(block)
            self._left -= BLOCK
            text += block
            found += block.count(b"\n")
            if found and not wanted:
                wanted = 1 + 2 * _decimal(bytes(text[: text.index(b"\n")]))
        values = [_decimal(line) for line in bytes(text).split(b"\n")[1:wanted]]
        return list(zip(values[::2], values[1::2], strict=True))


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise TarError("bad sparse map")
    return int(text)


def _checked(extents: list[Extent], size: int, stored: int) -> tuple[Extent, ...]:
    """Refuse maps that overlap, leave the file, or do not add up to the payload."""
    end = total = 0
    for offset, length in extents:
        if offset < end or length < 0:
            raise TarError("bad sparse map")
        end = offset + length
        total += length
    if end > size or total != stored:
        raise TarError("bad sparse map")
    return tuple(extents)
