"""An OCI layout as a directory of ours. Blocking: it belongs in a thread.

::

    oci-layout  index.json      blobs/sha256/<hex>      <hex>.partial while it comes
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.oci.digest import Digest, DigestError, Hasher, new_hasher

_LONGEST_DOCUMENT = 8 * 1024 * 1024
_PIECE = 1024 * 1024
_BLOBS = "blobs/sha256"


class Descriptor(msgspec.Struct, frozen=True, rename={"media_type": "mediaType"}):
    """What an index says of a blob."""

    digest: str = ""
    media_type: str = ""
    size: int = 0


class _Document(msgspec.Struct, frozen=True, rename={"media_type": "mediaType"}):
    """An index, or a manifest."""

    media_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None


class _Index(msgspec.Struct, frozen=True, rename={"version": "schemaVersion"}):
    manifests: tuple[Descriptor, ...]
    version: int = 2


@dataclass(frozen=True, slots=True)
class Named:
    """What a document names: further documents, and blobs that are none."""

    documents: tuple[Digest, ...]
    blobs: tuple[Digest, ...]


@dataclass(slots=True)
class Incoming:
    """A blob that comes; it appears once it is whole and right."""

    path: str
    digest: Digest
    file: BinaryIO
    _hasher: Hasher = field(default_factory=new_hasher)

    def write(self, data: bytes) -> None:
        self._hasher.update(data)
        self.file.write(data)

    def close(self, *, whole: bool) -> None:
        """Keep it, or forget it. InvalidArgumentError: it isn't what its digest says."""
        self.file.close()
        right = self._hasher.hexdigest() == self.digest.hex
        if whole and right:
            os.rename(self.file.name, self.path)
            return
        os.unlink(self.file.name)
        if whole:
            raise InvalidArgumentError(f"what came as {self.digest} is something else")


@dataclass(frozen=True, slots=True)
class LayoutFiles:
    """The directory ``root``."""

    root: str

    def has(self, digest: Digest) -> bool:
        return os.path.exists(self.path(digest))

    def size(self, digest: Digest) -> int:
        return os.path.getsize(self.path(digest))

    def path(self, digest: Digest) -> str:
        return os.path.join(self.root, _BLOBS, digest.hex)

    def blobs(self) -> list[Digest]:
        """Return all that are there, in order."""
        names = sorted(os.listdir(os.path.join(self.root, _BLOBS)))
        return [Digest("sha256", name) for name in names]

    def pieces(self, digest: Digest) -> Iterator[bytes]:
        """Yield a blob in pieces; at least one, which may be empty."""
        with open(self.path(digest), "rb") as file:
            yield file.read(_PIECE)
            while data := file.read(_PIECE):
                yield data

    def incoming(self, digest: Digest) -> Incoming:
        """Begin a blob."""
        path = self.path(digest)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return Incoming(path, digest, open(path + ".partial", "wb"))

    def named(self, digest: Digest) -> Named:
        """Return what a manifest or an index names. InvalidArgumentError: it is neither."""
        document = self._document(digest)
        config = (document.config,) if document.config is not None else ()
        try:
            return Named(
                tuple(Digest.parse(each.digest) for each in document.manifests or ()),
                tuple(Digest.parse(e.digest) for e in (*config, *(document.layers or ()))),
            )
        except DigestError as error:
            raise InvalidArgumentError(f"{digest} is no manifest: {error}") from error

    def first(self) -> Descriptor:
        """Return the first manifest of the index."""
        with open(os.path.join(self.root, "index.json"), "rb") as file:
            return msgspec.json.decode(file.read(), type=_Index).manifests[0]

    def complete(self, digest: Digest) -> None:
        """Write the index, with one manifest."""
        media_type = self._document(digest).media_type
        index = _Index((Descriptor(str(digest), media_type, self.size(digest)),))
        for name, value in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
            with open(os.path.join(self.root, name), "wb") as file:
                file.write(msgspec.json.encode(value))

    def _document(self, digest: Digest) -> _Document:
        if self.size(digest) > _LONGEST_DOCUMENT:
            raise InvalidArgumentError(f"{digest} is too long for a manifest")
        with open(self.path(digest), "rb") as file:
            data = file.read()
        try:
            return msgspec.json.decode(data, type=_Document)
        except msgspec.DecodeError as error:
            raise InvalidArgumentError(f"{digest} is no manifest: {error}") from error
