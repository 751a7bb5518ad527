"""What has to move: from the root down, one platform or all. Pure but for what the source reads."""

from collections.abc import Iterator
from dataclasses import dataclass

from boxship.copying.content import Document, MalformedPlaceError, NoSuchImageError, Source
from boxship.distribution.cancel import Cancel
from boxship.oci import image as oci
from boxship.oci.image import Descriptor, Index, Manifest
from boxship.oci.platform import Platform, platform

FOREIGN_TYPES = frozenset(
    {
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
    }
)


@dataclass(frozen=True, slots=True)
class Choice:
    """Which platforms: all, the one asked for, or the one that suits ``host``."""

    host: Platform
    wanted: Platform | None = None
    all: bool = False


@dataclass(frozen=True, slots=True)
class ImageManifest:
    """A manifest that describes an image of one platform."""

    document: Document
    manifest: Manifest

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return self.manifest.layers or ()


@dataclass(frozen=True, slots=True)
class Plan:
    """``documents`` come children first, the root last."""

    root: Document
    documents: tuple[Document, ...]
    images: tuple[ImageManifest, ...]

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        """Configs and layers, each once; what only its owner may hand out is left out."""
        found: dict[str, Descriptor] = {}
        for image in self.images:
            for descriptor in (*image.layers, image.manifest.config):
                if descriptor.media_type not in FOREIGN_TYPES:
                    found.setdefault(descriptor.digest, descriptor)
        return tuple(found.values())


def plan_copy(source: Source, choice: Choice) -> Plan:
    """Decide. Raise NoSuchImageError for a platform that is not there, MalformedPlaceError."""
    root = source.root()
    if root.media_type in oci.INDEX_TYPES and not choice.all:
        root = source.document(_chosen(_index(root), choice))
    documents = tuple(_walk(source, root))
    images = tuple(
        ImageManifest(document, _manifest(document))
        for document in documents
        if document.media_type in oci.MANIFEST_TYPES
    )
    if choice.wanted is not None and len(images) == 1:
        _check_platform(source, images[0], choice.wanted)
    return Plan(root, documents, images)


def _check_platform(source: Source, image: ImageManifest, wanted: Platform) -> None:
    """An image without an index says only in its config what it is for."""
    data = b"".join(source.blob(image.manifest.config, Cancel()))
    try:
        found = oci.decode(data, oci.Image).platform
    except oci.MalformedImageError as error:
        raise MalformedPlaceError(f"{image.manifest.config.digest}: {error}") from error
    if not wanted.asks_for(found):
        raise NoSuchImageError(f"the image is there for {found} only, not for {wanted}")


def _walk(source: Source, document: Document) -> Iterator[Document]:
    seen: set[str] = set()

    def below(parent: Document, depth: int) -> Iterator[Document]:
        if parent.media_type in oci.INDEX_TYPES:
            if depth > 4:
                raise MalformedPlaceError("the index holds indexes that hold indexes without end")
            for child in _index(parent).manifests or ():
                if child.digest not in seen:
                    seen.add(child.digest)
                    yield from below(source.document(child), depth + 1)
        elif parent.media_type not in oci.MANIFEST_TYPES:
            raise MalformedPlaceError(
                f"{parent.digest} is of type {parent.media_type!r}, which cannot be copied"
            )
        yield parent

    return below(document, 0)


def _chosen(index: Index, choice: Choice) -> Descriptor:
    offered = [
        (platform(one.platform.os or "linux", one.platform.architecture, one.platform.variant), one)
        for one in index.manifests or ()
        if one.platform is not None and one.platform.os != "unknown"
    ]
    if not offered and index.manifests and len(index.manifests) == 1:
        return index.manifests[0]  # an index that says nothing leaves no choice
    for exact in (True, False):
        for found, descriptor in offered:
            if choice.wanted is not None:
                suits = found == choice.wanted if exact else choice.wanted.asks_for(found)
            else:
                suits = found == choice.host if exact else choice.host.runs(found)
            if suits:
                return descriptor
    names = ", ".join(str(found) for found, _ in offered) or "no platform at all"
    raise NoSuchImageError(
        f"the image is not there for {choice.wanted or choice.host}, but for {names}; "
        "choose one by --platform or copy --all"
    )


def _index(document: Document) -> Index:
    try:
        return oci.decode(document.data, Index)
    except oci.MalformedImageError as error:
        raise MalformedPlaceError(f"{document.digest}: {error}") from error


def _manifest(document: Document) -> Manifest:
    try:
        return oci.decode(document.data, Manifest)
    except oci.MalformedImageError as error:
        raise MalformedPlaceError(f"{document.digest}: {error}") from error
