"""From the archive that ``plugin create`` sends to a configuration and the tar of a layer.

::

    config.json      what the plugin is
    rootfs/…         its files, which become a layer without that first part of their names
"""

import posixpath
from collections.abc import Generator, Iterable

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError
from boxship.storage.compression import CompressionError
from boxship.storage.tar.encoder import encode_entry
from boxship.storage.tar.header import Entry, Kind, TarError
from boxship.storage.tar.reader import TarReader
from boxship.storage.tar.writer import END, padding

_CONFIG = b"config.json"
_ROOTFS = b"rootfs"
_LONGEST_CONFIG = 1 << 20


class Package:
    """One archive, read once. Blocking."""

    def __init__(self, chunks: Iterable[Buffer]) -> None:
        self._reader = TarReader(ChunkReader(chunks))
        self._has_rootfs = False
        self.config: bytes | None = None
        """``config.json``, once the layer has been read to its end."""

    def layer(self) -> Generator[Buffer, None, None]:
        """Yield the layer's tar. InvalidArgumentError: the archive is none of a plugin."""
        try:
            yield from self._entries()
        except (TarError, TruncatedError, CompressionError) as error:
            raise InvalidArgumentError(f"failed to read from tar: {error}") from error
        yield END
        if self.config is None:
            raise InvalidArgumentError("config not found: the archive has no config.json")
        if not self._has_rootfs:
            raise InvalidArgumentError("no rootfs found: the archive has no directory rootfs")

    def _entries(self) -> Generator[Buffer, None, None]:
        while (entry := self._reader.next()) is not None:
            self._reader.take_framing()
            name = posixpath.normpath(entry.name)
            if name == _CONFIG and entry.kind is Kind.FILE:
                self.config = self._document(entry)
            elif name == _ROOTFS:
                self._has_rootfs = True
            elif name.startswith(_ROOTFS + b"/"):
                self._has_rootfs = True
                yield from self._moved(entry, name)

    def _document(self, entry: Entry) -> bytes:
        if entry.size > _LONGEST_CONFIG:
            raise InvalidArgumentError("config.json has more than 1 MiB")
        return b"".join(bytes(piece) for piece in iter(self._reader.read, b""))

    def _moved(self, entry: Entry, name: bytes) -> Generator[Buffer, None, None]:
        if entry.extents is not None:
            text = name.decode(errors="replace")
            raise InvalidArgumentError(f"{text} is stored as a sparse file: use another format")
        link = entry.link
        if entry.kind is Kind.HARD_LINK:
            link = _inside(posixpath.normpath(link))
        yield encode_entry(replace(entry, name=_inside(name), link=link))
        size = 0
        while piece := self._reader.read():
            size += len(piece)
            yield piece
        yield padding(size)


def _inside(name: bytes) -> bytes:
    return name.removeprefix(_ROOTFS + b"/")
