"""Images as the list, ``inspect``, ``history`` and removal show them."""

import msgspec
from msgspec import UNSET

from boxship.base.clock import format_ns
from boxship.model.image import (
    HistoryStep,
    ImageDetail,
    ImageSummary,
    ManifestKind,
    ManifestSummary,
    RemovedImage,
    Untagged,
)
from boxship.oci.image import Descriptor, PlatformDocument
from boxship.wire.images import (
    Driver,
    HistoryRow,
    ImageData,
    ImageInspect,
    ImageRow,
    ManifestRow,
    ManifestSize,
    Metadata,
    RemovedRow,
    RootFS,
    UnpackedSize,
)


def image_row(image: ImageSummary, *, manifests: bool = False) -> ImageRow:
    return ImageRow(
        id=image.id,
        parent_id=image.parent_id,
        repo_tags=image.tags,
        repo_digests=image.digests,
        created=image.created_ns // 1_000_000_000,
        size=image.size,
        shared_size=image.shared_size,
        labels=image.labels or None,
        containers=image.containers,
        last_used=image.last_used_ns // 1_000_000_000 or UNSET,
        manifests=tuple(map(_manifest_row, image.manifests)) if manifests else UNSET,
    )


def _manifest_row(manifest: ManifestSummary) -> ManifestRow:
    of = manifest.platform
    platform = PlatformDocument(of.architecture, of.os, of.variant)
    data = ImageData(
        platform=platform,
        containers=manifest.containers,
        size=UnpackedSize(manifest.unpacked_size),
    )
    return ManifestRow(
        id=manifest.digest,
        descriptor=Descriptor(
            manifest.media_type, manifest.digest, manifest.document_size, platform=platform
        ),
        available=bool(manifest.image_id),
        size=ManifestSize(
            content=manifest.content_size, total=manifest.content_size + manifest.unpacked_size
        ),
        kind=manifest.kind.value,
        image_data=data if manifest.kind is ManifestKind.IMAGE else UNSET,
    )


def image_inspect(
    image: ImageDetail, *, manifests: bool = False, stored: bool = False
) -> ImageInspect:
    """Show it; ``stored`` adds the config document, for versions that show more of it."""
    return ImageInspect(
        id=image.id,
        repo_tags=image.tags,
        repo_digests=image.digests,
        comment=image.comment or UNSET,
        created=image.created or UNSET,
        author=image.author or UNSET,
        config=image.config,
        architecture=image.architecture,
        variant=image.variant or UNSET,
        os=image.os,
        os_version=image.os_version or UNSET,
        parent=image.parent_id or UNSET,
        docker_version=image.docker_version or UNSET,
        size=image.size,
        graph_driver=Driver(image.storage.data, image.storage.driver),
        root_fs=RootFS("layers", image.layers),
        metadata=Metadata(
            format_ns(image.last_tagged_ns),
            format_ns(image.last_used_ns) if image.last_used_ns else UNSET,
        ),
        manifests=tuple(map(_manifest_row, image.manifests)) if manifests else UNSET,
        stored=msgspec.json.decode(image.config_json) if stored and image.config_json else UNSET,
    )


def history_row(step: HistoryStep) -> HistoryRow:
    return HistoryRow(
        id=step.id,
        created=step.created_ns // 1_000_000_000,
        created_by=step.created_by,
        tags=step.tags or None,
        size=step.size,
        comment=step.comment,
    )


def removed_row(removed: RemovedImage) -> RemovedRow:
    if isinstance(removed, Untagged):
        return RemovedRow(untagged=removed.reference)
    return RemovedRow(deleted=removed.id)
