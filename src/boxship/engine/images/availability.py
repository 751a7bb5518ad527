"""The manifests under a name: what its index lists, and which of it is here."""

from collections.abc import Sequence

from boxship.base.errors import NotFoundError
from boxship.engine.images.scope import ImageScope
from boxship.engine.images.variants import Variant
from boxship.model.image import ManifestKind, ManifestSummary
from boxship.oci.digest import Digest
from boxship.oci.image import (
    MANIFEST_TYPE,
    Descriptor,
    Index,
    MalformedImageError,
    Manifest,
    PlatformDocument,
    decode,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

_REFERENCE_TYPE = "vnd.docker.reference.type"


def manifests_of(scope: ImageScope, names: Sequence[Reference]) -> tuple[ManifestSummary, ...]:
    """Return the manifests of the first of ``names`` that was pulled; of an index all it lists.

    Reads small documents from the blob store. Entries of nested indexes come last.
    """
    kept = next(filter(None, map(scope.catalog.variants_of, names)), ())
    by_digest = {variant.manifest: variant for variant in kept}
    entries = [entry for index in {v.index for v in kept if v.index} for entry in _of(scope, index)]
    listed = {entry.digest for entry in entries}
    alone = [
        _described(scope, digest, variant)
        for digest, variant in by_digest.items()
        if str(digest) not in listed
    ]
    return tuple(
        _summary(scope, entry, by_digest.get(Digest.parse(entry.digest)))
        for entry in (*entries, *alone)
    )


def _of(scope: ImageScope, index: Digest) -> Sequence[Descriptor]:
    try:
        return decode(scope.storage.blobs.read(index), Index).manifests or ()
    except (NotFoundError, MalformedImageError):
        return ()


def _described(scope: ImageScope, digest: Digest, variant: Variant) -> Descriptor:
    """Make the descriptor of a manifest that no index describes."""
    try:
        data = scope.storage.blobs.read(digest)
        media_type = decode(data, Manifest).media_type
    except (NotFoundError, MalformedImageError):
        data, media_type = b"", ""
    of = variant.platform
    platform = PlatformDocument(of.architecture, of.os, of.variant)
    return Descriptor(media_type or MANIFEST_TYPE, str(digest), len(data), platform=platform)


def _summary(scope: ImageScope, entry: Descriptor, variant: Variant | None) -> ManifestSummary:
    known = scope.catalog.find(variant.image_id) if variant else None
    of = entry.platform or PlatformDocument()
    kind = ManifestKind.IMAGE
    if (entry.annotations or {}).get(_REFERENCE_TYPE) == "attestation-manifest":
        kind = ManifestKind.ATTESTATION
    config_size = scope.storage.blobs.size(known.id) if known else 0
    return ManifestSummary(
        digest=entry.digest,
        media_type=entry.media_type,
        document_size=entry.size,
        kind=kind,
        platform=variant.platform if variant else Platform(of.os, of.architecture, of.variant),
        image_id=str(known.id) if known else "",
        content_size=entry.size + config_size if known else 0,
        unpacked_size=known.record.size if known else 0,
        containers=tuple(use.container_id for use in scope.uses_of(known.id)) if known else (),
    )
