"""An OCI image layout as a directory.

::

    oci-layout                version of the layout
    index.json                what is in it, with names as annotations
    blobs/<algorithm>/<hex>   everything else; appears by rename, so a broken copy is resumed
"""

import fcntl
import os
from collections.abc import Iterator

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError
from boxship.base.files import opened, write_atomic
from boxship.copying.content import (
    Buffer,
    DamagedContentError,
    Document,
    MalformedPlaceError,
    NoSuchImageError,
    Progress,
    Source,
    Told,
    check_cancelled,
)
from boxship.copying.names import LAYOUT, REF_NAME, pick
from boxship.copying.places import LayoutPlace
from boxship.copying.plan import Plan
from boxship.distribution.cancel import Cancel
from boxship.oci.digest import Digest, DigestError, new_hasher
from boxship.oci.image import INDEX_TYPE, Descriptor, Index, MalformedImageError, decode, encode

_PIECE = 1 << 20


class LayoutSource:
    """A layout to read from."""

    def __init__(self, place: LayoutPlace) -> None:
        self._place = place
        self._index = _read_index(place.directory)

    def root(self) -> Document:
        descriptors = self._index.manifests or ()
        return self.document(pick(descriptors, self._place.tag, self._place.directory))

    def document(self, descriptor: Descriptor) -> Document:
        with open(self._path(descriptor), "rb") as stream:
            data = stream.read()
        if str(Digest.of(data)) != descriptor.digest:
            raise DamagedContentError(f"{self._path(descriptor)} is damaged")
        return Document(descriptor.media_type, data)

    def blob(self, descriptor: Descriptor, cancel: Cancel) -> Iterator[Buffer]:
        with open(self._path(descriptor), "rb") as stream:
            pieces = iter(lambda: stream.read(_PIECE), b"")
            yield from verified(check_cancelled(cancel, pieces), descriptor)

    def close(self) -> None: ...

    def _path(self, descriptor: Descriptor) -> str:
        path = _blob_path(self._place.directory, descriptor)
        if not os.path.exists(path):
            raise MalformedPlaceError(f"{path} is missing")
        return path


class LayoutDestination:
    """A layout to write to; made if it is not there."""

    def __init__(self, place: LayoutPlace) -> None:
        self._place = place

    def receive(self, plan: Plan, source: Source, told: Told, cancel: Cancel) -> Digest:
        directory = self._place.directory
        _prepare(directory)
        for descriptor in plan.blobs:
            progress = Progress(told, descriptor)
            if _has(directory, descriptor):
                progress.say("Already exists")
            else:
                pieces = progress.passing(source.blob(descriptor, cancel))
                _write_blob(directory, descriptor, verified(pieces, descriptor))
        for document in plan.documents:
            if not _has(directory, document.descriptor):
                _write_blob(directory, document.descriptor, iter([document.data]))
        self._name(plan.root.descriptor)
        return plan.root.digest

    def _name(self, root: Descriptor) -> None:
        """Add the image to the index; its name goes from whichever image had it."""
        directory, tag = self._place.directory, self._place.tag
        with opened(directory, os.O_RDONLY | os.O_DIRECTORY) as alone:
            fcntl.flock(alone, fcntl.LOCK_EX)
            path = os.path.join(directory, "index.json")
            before = _read_index(directory).manifests or ()
            named = replace(root, annotations={REF_NAME: tag} if tag else None)
            others = [
                one
                for one in before
                if not (tag and (one.annotations or {}).get(REF_NAME) == tag)
                and not (one.digest == root.digest and not one.annotations)
            ]
            write_atomic(path, encode(Index((*others, named), media_type=INDEX_TYPE)))


def _prepare(directory: str) -> None:
    """Make an empty layout, unless one is there; refuse a directory with anything else in it."""
    if os.path.exists(directory) and os.listdir(directory):
        _read_index(directory)
        return
    os.makedirs(os.path.join(directory, "blobs"), exist_ok=True)
    write_atomic(os.path.join(directory, "index.json"), encode(Index((), media_type=INDEX_TYPE)))
    write_atomic(os.path.join(directory, "oci-layout"), LAYOUT)


def verified(pieces: Iterator[Buffer], descriptor: Descriptor) -> Iterator[Buffer]:
    """Pass on, and raise DamagedContentError at the end if it was not what was announced."""
    expected = Digest.parse(descriptor.digest)
    hasher, size = new_hasher(expected.algorithm), 0
    for piece in pieces:
        hasher.update(piece)
        size += len(piece)
        yield piece
    if size != descriptor.size or hasher.hexdigest() != expected.hex:
        raise DamagedContentError(f"{descriptor.digest} is damaged where it is copied from")


def _read_index(directory: str) -> Index:
    path = os.path.join(directory, "index.json")
    try:
        with open(path, "rb") as stream:
            return decode(stream.read(), Index)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NoSuchImageError(f"{directory} is no OCI image layout: no index.json") from error
    except IsADirectoryError as error:
        raise MalformedPlaceError(f"{path} is a directory") from error
    except MalformedImageError as error:
        raise MalformedPlaceError(f"{path}: {error}") from error


def _blob_path(directory: str, descriptor: Descriptor) -> str:
    try:
        digest = Digest.parse(descriptor.digest)
    except DigestError as error:
        raise InvalidArgumentError(f"{descriptor.digest!r}: {error}") from error
    return os.path.join(directory, "blobs", digest.algorithm, digest.hex)


def _has(directory: str, descriptor: Descriptor) -> bool:
    try:
        return os.path.getsize(_blob_path(directory, descriptor)) == descriptor.size
    except FileNotFoundError:
        return False


def _write_blob(directory: str, descriptor: Descriptor, pieces: Iterator[Buffer]) -> None:
    path = _blob_path(directory, descriptor)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    partial = f"{path}.partial-{os.getpid()}"
    try:
        with open(partial, "wb") as out:
            for piece in pieces:
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        os.rename(partial, path)
    finally:
        if os.path.exists(partial):
            os.unlink(partial)
