"""Archives as files: what ``save`` writes, here or in Docker, and OCI layouts as a tar.

An archive with an OCI index is read as a layout, and keeps its manifests' digests. An older one has
only Docker's ``manifest.json``; the manifest is then made, which changes nothing about the image.
"""

import bz2
import gzip
import hashlib
import json
import lzma
import os
import posixpath
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

from boxship.base.errors import InvalidArgumentError
from boxship.copying import tarstream
from boxship.copying.content import (
    Buffer,
    Document,
    MalformedPlaceError,
    NoSuchImageError,
    Source,
    Told,
    check_cancelled,
)
from boxship.copying.layouts import verified
from boxship.copying.names import canonical, pick
from boxship.copying.places import ArchivePlace, parsed
from boxship.copying.plan import Plan
from boxship.distribution.cancel import Cancel
from boxship.oci import image as oci
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor, Index, Manifest, decode, encode

_PIECE = 1 << 20
_LARGEST_DOCUMENT = 8 << 20
_MAGIC = ((b"\x1f\x8b", "+gzip"), (b"\x28\xb5\x2f\xfd", "+zstd"))


class ArchiveSource:
    """An archive to read from. ``stream`` is seekable and plain; the source closes it."""

    def __init__(self, stream: IO[bytes], name: str, where: str) -> None:
        self._stream = stream
        self._name = name
        self._where = where
        try:
            with tarfile.open(fileobj=stream, mode="r:") as tar:
                self._members = {_normal(entry.name): entry for entry in tar}
        except tarfile.TarError as error:
            stream.close()
            raise MalformedPlaceError(f"{where} is no tar archive: {error}") from error
        self._files: dict[str, tarfile.TarInfo] = {}

    def root(self) -> Document:
        if "index.json" in self._members:
            try:
                index = decode(self._read("index.json"), Index)
            except oci.MalformedImageError as error:
                raise MalformedPlaceError(f"{self._where}: {error}") from error
            return self.document(pick(index.manifests or (), self._name, self._where))
        if "manifest.json" in self._members:
            return self._from_docker()
        raise MalformedPlaceError(f"{self._where} is no image archive: it has no manifest")

    def document(self, descriptor: Descriptor) -> Document:
        path = _blob_path(descriptor)
        data = self._read(path)
        if str(Digest.of(data)) != descriptor.digest:
            raise MalformedPlaceError(f"{self._where}: {path} is damaged")
        return Document(descriptor.media_type, data)

    def blob(self, descriptor: Descriptor, cancel: Cancel) -> Iterator[Buffer]:
        member = self._files.get(descriptor.digest) or self._member(_blob_path(descriptor))
        pieces = check_cancelled(cancel, self._content(member))
        return verified(pieces, descriptor)

    def close(self) -> None:
        self._stream.close()

    def _from_docker(self) -> Document:
        """Make a manifest for the image that ``manifest.json`` lists."""
        item = self._item(json.loads(self._read("manifest.json")))
        config = self._described(item["Config"], oci.CONFIG_TYPE)
        layers = tuple(self._layer(path) for path in item.get("Layers") or ())
        manifest = Manifest(config, layers, media_type=oci.MANIFEST_TYPE)
        return Document(oci.MANIFEST_TYPE, encode(manifest))

    def _item(self, items: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        wanted = canonical(self._name) if self._name else None
        fitting = [
            item
            for item in items
            if not self._name or wanted in {canonical(tag) for tag in item.get("RepoTags") or ()}
        ]
        if len(fitting) == 1:
            return fitting[0]
        names = ", ".join(tag for item in items for tag in item.get("RepoTags") or ())
        if not fitting:
            raise NoSuchImageError(f"{self._where} has no image {self._name!r}; it has {names}")
        raise InvalidArgumentError(f"{self._where} holds several images: say which one, of {names}")

    def _layer(self, path: str) -> Descriptor:
        start = next(self._content(self._member(path)), b"")
        suffix = next((text for magic, text in _MAGIC if bytes(start).startswith(magic)), "")
        return self._described(path, oci.LAYER_TYPE + suffix)

    def _described(self, path: str, media_type: str) -> Descriptor:
        member = self._member(path)
        hasher = hashlib.sha256()
        for piece in self._content(member):
            hasher.update(piece)
        digest = f"sha256:{hasher.hexdigest()}"
        self._files[digest] = member
        return Descriptor(media_type, digest, member.size)

    def _member(self, path: str) -> tarfile.TarInfo:
        name = _normal(path)
        for _ in range(8):  # old archives link to a layer that was written before
            member = self._members.get(name)
            if member is not None and member.isreg():
                return member
            if member is None or not (member.issym() or member.islnk()):
                break
            here = posixpath.dirname(name) if member.issym() else ""
            name = _normal(posixpath.join("/", here, member.linkname))
        raise MalformedPlaceError(f"{self._where}: {path} is missing")

    def _read(self, path: str) -> bytes:
        member = self._member(path)
        if member.size > _LARGEST_DOCUMENT:
            raise MalformedPlaceError(f"{self._where}: {path} is too large")
        return b"".join(self._content(member))

    def _content(self, member: tarfile.TarInfo) -> Iterator[bytes]:
        """Read by position: several threads may read at once."""
        at, end = member.offset_data, member.offset_data + member.size
        while at < end:
            piece = os.pread(self._stream.fileno(), min(_PIECE, end - at), at)
            if not piece:
                raise MalformedPlaceError(f"{self._where} ends early")
            at += len(piece)
            yield piece


class ArchiveDestination:
    """An archive to write: an OCI layout that Docker's ``load`` reads too."""

    def __init__(self, place: ArchivePlace) -> None:
        self._place = place
        self._name = parsed(place.name).with_default_tag() if place.name else None

    def receive(self, plan: Plan, source: Source, told: Told, cancel: Cancel) -> Digest:
        path = self._place.path
        if os.path.exists(path):
            raise InvalidArgumentError(f"{path} is there already: remove it, or name another file")
        partial = f"{path}.partial-{os.getpid()}"
        try:
            with open(partial, "xb") as out:
                for piece in tarstream.write(plan, source, told, cancel, self._name):
                    out.write(piece)
            os.rename(partial, path)
        except FileNotFoundError as error:
            raise InvalidArgumentError(f"cannot write {path}: {error.strerror}") from error
        finally:
            if os.path.exists(partial):
                os.unlink(partial)
        return plan.root.digest


def open_archive(path: str, scratch: str) -> IO[bytes]:
    """Open an archive for reading at any place; a compressed one is unpacked into ``scratch``."""
    try:
        stream = open(path, "rb")  # noqa: SIM115 - the source closes it
    except OSError as error:
        raise NoSuchImageError(f"cannot read {path}: {error.strerror}") from error
    with stream:
        opener = _decompressor(stream.read(6))
    if opener is None:
        return open(path, "rb")
    out = open(os.path.join(scratch, "archive.tar"), "w+b")  # noqa: SIM115
    try:
        with opener(path) as packed:
            while piece := packed.read(_PIECE):
                out.write(piece)
    except (OSError, EOFError, ValueError) as error:
        out.close()
        raise MalformedPlaceError(f"{path} is damaged: {error}") from error
    out.seek(0)
    return out


def _decompressor(start: bytes) -> Any:
    known = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\0", lzma.open))
    return next((opener for magic, opener in known if start.startswith(magic)), None)


def _normal(path: str) -> str:
    return posixpath.normpath("/" + path).lstrip("/")


def _blob_path(descriptor: Descriptor) -> str:
    digest = Digest.parse(descriptor.digest)
    return f"blobs/{digest.algorithm}/{digest.hex}"
