"""Read an image archive in one pass, unpacking its layers while they stream by.

Which files of an archive are layers is known only at its end, where the manifest usually stands.
Spooling everything to disk until then would write every byte twice. So each file is judged by its
first bytes: a tar, plain or compressed, is unpacked as a layer right away; small files are kept as
documents. What turns out not to be needed goes when the lease ends.

Blocking; runs in a thread.
"""

import contextlib
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.images.layersources import KEPT_HERE, LayerSource
from boxship.engine.images.layout import (
    ArchiveImage,
    MalformedArchiveError,
    images_of,
)
from boxship.oci.digest import Digest, new_hasher
from boxship.oci.image import (
    GZIP_LAYER_TYPE,
    ZSTD_LAYER_TYPE,
    Image,
    MalformedImageError,
    decode,
)
from boxship.oci.platform import Platform
from boxship.storage.blobs import BlobStore
from boxship.storage.chunks import Buffer, ChunkReader, TruncatedError
from boxship.storage.compression import Compression, CompressionError, detect
from boxship.storage.layers import Layer, LayerStore, Lease, MalformedLayerError, plain
from boxship.storage.tar.header import (
    BLOCK,
    ZERO_BLOCK,
    Entry,
    Kind,
    TarError,
    parse_header,
)
from boxship.storage.tar.reader import TarReader

_LARGEST_DOCUMENT = 8 << 20
_ALL_DOCUMENTS = 64 << 20
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_IDENTIFIER = re.compile(r"[0-9a-f]{64}")

_KEPT_TYPES = {Compression.GZIP: GZIP_LAYER_TYPE, Compression.ZSTD: ZSTD_LAYER_TYPE}

Progress = Callable[[str, int, int], None]
"""Called with a layer's name in the archive, bytes done and bytes in total."""


class MissingLayerError(MalformedArchiveError):
    """An image's layer is neither in the archive nor in the store."""


class LoadedArchive:
    """What one pass over an archive found."""

    def __init__(
        self, layers: LayerStore, lease: Lease, progress: Progress, keep: BlobStore | None = None
    ) -> None:
        """With ``keep``, layers that are compressed in an OCI layout are kept so as well."""
        self._layers = layers
        self._keep = keep
        self.kept: list[LayerSource] = []
        self._lease = lease
        self._progress = progress
        self._documents: dict[str, bytes] = {}
        self._document_bytes = 0
        self._found: dict[str, Layer] = {}
        self._broken: dict[str, MalformedLayerError] = {}
        self._links: dict[str, str] = {}

    def read(self, chunks: Iterator[Buffer]) -> None:
        """Read the archive. Raise MalformedArchiveError, MalformedLayerError or OSError."""
        try:
            with plain(chunks) as stream:
                archive = TarReader(ChunkReader(stream))
                while entry := archive.next():
                    archive.take_framing()
                    self._take(entry, archive)
                for _ in archive.tail():
                    pass
        except (TarError, TruncatedError, CompressionError) as error:
            raise MalformedArchiveError(f"invalid image archive: {error}") from error

    def images(self, wanted: Collection[Platform] = ()) -> list[tuple[ArchiveImage, list[Layer]]]:
        """Return the images with their layers, checked against each other.

        ``wanted`` platforms, if any, restrict them. Raise NotFoundError when none is of those.
        """
        found = images_of(self._documents)
        if not found:
            raise MalformedArchiveError("the archive holds no image")
        complete = list(self._complete(found))
        chosen = [pair for pair in complete if _is_wanted(pair[0], wanted)]
        if not chosen:
            here = ", ".join(sorted({str(_platform_of(image)) for image, _ in complete}))
            asked = ", ".join(map(str, wanted))
            raise NotFoundError(f"requested platform ({asked}) not found: the archive has {here}")
        return chosen

    def _complete(
        self, images: Iterable[ArchiveImage]
    ) -> Iterator[tuple[ArchiveImage, list[Layer]]]:
        """Find the layers; what an index lists and the archive lacks is left out, but for all."""
        missing: dict[bytes, MalformedArchiveError] = {}
        carried: set[bytes] = set()
        for image in images:
            try:
                yield image, self._layers_of(image)
            except MissingLayerError as error:
                if image.index is None:
                    raise
                missing.setdefault(image.index, error)
            else:
                carried.update([image.index] if image.index else [])
        for index, reason in missing.items():
            if index not in carried:
                raise reason

    def _take(self, entry: Entry, archive: TarReader) -> None:
        name = _normalised(entry.name)
        if entry.kind in (Kind.SYMLINK, Kind.HARD_LINK):
            self._links[name] = _link_target(name, entry)
        if entry.kind is not Kind.FILE or entry.extents is not None or not entry.size:
            return
        payload = ChunkReader(self._payload(name, entry, archive))
        start = payload.peek(BLOCK)
        if detect(start) is not Compression.NONE or _is_tar(start):
            try:
                self._found[name] = self._unpack(name, start, payload)
            except MalformedLayerError as error:
                # Matters only if an image wants it. Its frames would hold files open until then.
                self._broken[name] = error.with_traceback(None)
        elif entry.size <= _LARGEST_DOCUMENT:
            self._document_bytes += entry.size
            if self._document_bytes > _ALL_DOCUMENTS:
                raise MalformedArchiveError("invalid image archive: too many documents")
            self._documents[name] = payload.exactly(entry.size)

    def _payload(self, name: str, entry: Entry, archive: TarReader) -> Iterator[Buffer]:
        layer = _shown(name)
        while piece := archive.read():
            yield piece
            self._progress(layer, entry.size - archive.payload_left, entry.size)

    def _unpack(self, name: str, start: bytes, payload: ChunkReader) -> Layer:
        blob = _BLOB.fullmatch(name)
        named = Digest("sha256", blob[1]) if blob else None
        compression = detect(start)
        if compression is Compression.NONE:
            return self._layers.unpack(payload.rest(), self._lease, expected=named)
        if self._keep is None or named is None or compression not in _KEPT_TYPES:
            return self._layers.unpack(payload.rest(), self._lease)
        chunks = self._keep.kept(_verified(payload, named), named)
        with contextlib.closing(chunks):
            layer = self._layers.unpack(chunks, self._lease)
        form = (layer.digest, named, payload.offset, _KEPT_TYPES[compression])
        self.kept.append(LayerSource(*form, KEPT_HERE))
        return layer

    def _layers_of(self, image: ArchiveImage) -> list[Layer]:
        try:
            config = decode(image.config, Image)
            diff_ids = config.diff_ids
        except MalformedImageError as error:
            raise MalformedArchiveError(f"invalid image archive: {error}") from error
        if config.os not in ("", "linux"):
            raise InvalidArgumentError(f"cannot load {config.os} image on linux")
        if len(diff_ids) != len(image.layers):
            raise MalformedArchiveError(
                f"invalid manifest, layers length mismatch: expected {len(diff_ids)}, "
                f"got {len(image.layers)}"
            )
        return [
            self._layer(path, diff_id, number)
            for number, (path, diff_id) in enumerate(zip(image.layers, diff_ids, strict=True))
        ]

    def _layer(self, path: str, diff_id: Digest, number: int) -> Layer:
        for _ in range(8):  # links to links, as old archives have for repeated layers
            path = self._links.get(path, path)
        layer = self._found.get(path)
        if path in self._broken:
            raise self._broken[path]
        if layer is None:
            self._lease.hold(diff_id)
            layer = self._layers.find(diff_id)
        if layer is None:
            raise MissingLayerError(f"invalid image archive: layer {path} is missing")
        if layer.digest != diff_id:
            raise MalformedArchiveError(
                f'invalid diffID for layer {number}: expected "{diff_id}", got "{layer.digest}"'
            )
        return layer


def _verified(payload: ChunkReader, digest: Digest) -> Iterator[Buffer]:
    hasher = new_hasher(digest.algorithm)
    for chunk in payload.rest():
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != digest.hex:
        raise MalformedLayerError(f"blob {digest} is not what its name says")


def _is_wanted(image: ArchiveImage, wanted: Collection[Platform]) -> bool:
    found = _platform_of(image)
    return not wanted or any(platform.asks_for(found) for platform in wanted)


def _platform_of(image: ArchiveImage) -> Platform:
    return image.platform or decode(image.config, Image).platform


def _normalised(name: bytes) -> str:
    return posixpath.normpath("/" + name.decode(errors="surrogateescape")).lstrip("/")


def _link_target(name: str, entry: Entry) -> str:
    target = entry.link.decode(errors="surrogateescape")
    if entry.kind is Kind.SYMLINK:
        target = posixpath.join(posixpath.dirname("/" + name), target)
    return posixpath.normpath("/" + target).lstrip("/")


def _is_tar(start: bytes) -> bool:
    if len(start) < BLOCK:
        return False
    if start == ZERO_BLOCK:
        return True
    try:
        parse_header(start)
    except TarError:
        return False
    return True


def _shown(name: str) -> str:
    """What a layer is called while it is read: the id or digest in its path, else the path.

    Its diff id, which Docker shows, is known at its end only.
    """
    found = _IDENTIFIER.search(name)
    return f"sha256:{found[0]}" if found else name
