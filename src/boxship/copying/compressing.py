"""Layers on their way to a registry: what is a plain tar is compressed, and its manifest follows.

The same layer gives the same bytes every time, so that a second copy finds its blobs there.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

from isal import isal_zlib
from msgspec.structs import replace

from boxship.copying.content import Buffer, Document, Progress, Source, Told
from boxship.copying.plan import ImageManifest, Plan
from boxship.distribution.cancel import Cancel
from boxship.oci.image import Descriptor, encode

_PIECE = 1 << 20
_FIRST = 16
_GZIPPED = {
    "application/vnd.docker.image.rootfs.diff.tar": (
        "application/vnd.docker.image.rootfs.diff.tar.gzip"
    ),
    "application/vnd.oci.image.layer.v1.tar": "application/vnd.oci.image.layer.v1.tar+gzip",
}


@dataclass(frozen=True, slots=True)
class Compressed:
    """A plan whose layers are all compressed, and where to read what became of them."""

    plan: Plan
    origin: Source
    _files: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, plan: Plan, source: Source, scratch: str, told: Told, cancel: Cancel
    ) -> "Compressed":
        """Compress what needs it into ``scratch``. A plan that needs nothing stays as it is.

        An index would get other children and thus another digest; it is left alone, as is all
        below it: who keeps plain layers in an index wants them so.
        """
        if len(plan.documents) != 1 or not plan.images:
            return cls(plan, source)
        image = plan.images[0]
        if not any(layer.media_type in _GZIPPED for layer in image.layers):
            return cls(plan, source)
        made: dict[str, Descriptor] = {}
        files: dict[str, str] = {}
        for layer in image.layers:
            if layer.media_type in _GZIPPED and layer.digest not in made:
                pieces = Progress(told, layer).passing(source.blob(layer, cancel), "Compressing")
                path = os.path.join(scratch, f"{len(made)}.gz")
                made[layer.digest] = _compress(pieces, path, layer)
                files[made[layer.digest].digest] = path
        layers = tuple(made.get(layer.digest, layer) for layer in image.layers)
        manifest = replace(image.manifest, layers=layers)
        document = Document(image.document.media_type, encode(manifest))
        images = (ImageManifest(document, manifest),)
        return cls(Plan(document, (document,), images), source, files)

    def blob(self, descriptor: Descriptor, cancel: Cancel) -> Iterator[Buffer]:
        """Read a blob of the plan."""
        path = self._files.get(descriptor.digest)
        if path is None:
            yield from self.origin.blob(descriptor, cancel)
            return
        with open(path, "rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece


def _compress(pieces: Iterator[Buffer], path: str, layer: Descriptor) -> Descriptor:
    hasher, size = hashlib.sha256(), 0
    compressor = isal_zlib.compressobj(2, wbits=31)
    with open(path, "wb") as out:
        for packed in _packed(pieces, compressor):
            hasher.update(packed)
            size += len(packed)
            out.write(packed)
    media_type = _GZIPPED[layer.media_type]
    return Descriptor(media_type, f"sha256:{hasher.hexdigest()}", size)


def _packed(pieces: Iterator[Buffer], compressor: "isal_zlib.Compress") -> Iterator[bytes]:
    """Cut anew: what ISA-L makes of a stream depends on the cuts, and these on the connection.

    The first bytes go alone, or the place in memory would count (``storage/compressing.py``).
    """
    waiting, wanted = bytearray(), _FIRST
    for piece in pieces:
        waiting += piece
        while len(waiting) >= wanted:
            yield compressor.compress(bytes(waiting[:wanted]))
            del waiting[:wanted]
            if wanted == _FIRST:
                yield compressor.flush(isal_zlib.Z_SYNC_FLUSH)
                wanted = _PIECE
    yield compressor.compress(bytes(waiting))
    yield compressor.flush()
