"""A plan as one tar, streamed: an OCI layout with Docker's ``manifest.json`` beside it."""

import json
import tarfile
from collections.abc import Collection, Iterator

from msgspec.structs import replace

from boxship.copying.content import Buffer, Progress, Source, Told
from boxship.copying.names import LAYOUT, annotations
from boxship.copying.plan import ImageManifest, Plan
from boxship.distribution.cancel import Cancel
from boxship.oci.digest import Digest
from boxship.oci.image import INDEX_TYPE, Descriptor, Index, encode
from boxship.oci.reference import Reference

_END = bytes(2 * tarfile.BLOCKSIZE)


def write(
    plan: Plan,
    source: Source,
    told: Told,
    cancel: Cancel,
    name: Reference | None,
    *,
    known: Collection[str] = (),
) -> Iterator[Buffer]:
    """Yield the archive. Layers whose digests are ``known`` to the reader are left out."""
    for descriptor in plan.blobs:
        progress = Progress(told, descriptor)
        if descriptor.digest in known:
            progress.say("Already exists")
            continue
        yield _header(_path(descriptor), descriptor.size)
        yield from progress.passing(source.blob(descriptor, cancel))
        yield _padding(descriptor.size)
    for document in plan.documents:
        yield from _file(_path(document.descriptor), document.data)
    root = replace(plan.root.descriptor, annotations=annotations(name))
    yield from _file("index.json", encode(Index((root,), media_type=INDEX_TYPE)))
    if len(plan.images) == 1:  # manifest.json has no platforms: of several, it could name none
        yield from _file("manifest.json", _for_docker(plan.images[0], name))
    yield from _file("oci-layout", LAYOUT)
    yield _END


def _for_docker(image: ImageManifest, name: Reference | None) -> bytes:
    item = {
        "Config": _path(image.manifest.config),
        "RepoTags": [name.familiar] if name is not None and name.tag else None,
        "Layers": [_path(layer) for layer in image.layers],
    }
    return json.dumps([item]).encode()


def _file(path: str, data: bytes) -> Iterator[Buffer]:
    yield _header(path, len(data))
    yield data
    yield _padding(len(data))


def _header(path: str, size: int) -> bytes:
    entry = tarfile.TarInfo(path)
    entry.size = size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % tarfile.BLOCKSIZE)


def _path(descriptor: Descriptor) -> str:
    digest = Digest.parse(descriptor.digest)
    return f"blobs/{digest.algorithm}/{digest.hex}"
