"""From what a registry calls an image to its documents: index, manifest, config, list of layers.

::

    repository.manifest(tag) ─► index ─► the manifest for a platform ─► config ─► layers
                             └► manifest ──────────────────────────────►

Documents that are in the store by their digest are not asked for again. What a registry says is
believed only as far as it agrees with itself; everything else is a BadRegistryAnswerError.

Blocking; runs in a thread. The choice among platforms and all checks are pure.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import BadRegistryAnswerError
from boxship.distribution.manifests import FetchedManifest
from boxship.distribution.repository import Repository
from boxship.engine.images.layersources import LayerSource
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest, DigestError
from boxship.oci.image import (
    CONFIG_TYPES,
    INDEX_TYPES,
    MANIFEST_TYPES,
    Descriptor,
    DocumentT,
    Image,
    Index,
    MalformedImageError,
    Manifest,
    decode,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

_SCHEMA_1 = frozenset(
    {
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    }
)
_DOCKER_LAYER, _OCI_LAYER = "application/vnd.docker.image.rootfs", "application/vnd.oci.image.layer"
_LAYER_TYPES = frozenset(
    kind + compression
    for kinds, compressions in (
        ((f"{_DOCKER_LAYER}.diff.tar", f"{_DOCKER_LAYER}.foreign.diff.tar"), (".gzip", ".zstd")),
        ((f"{_OCI_LAYER}.v1.tar", f"{_OCI_LAYER}.nondistributable.v1.tar"), ("+gzip", "+zstd")),
    )
    for kind in kinds
    for compression in ("", *compressions)
)
LARGEST_DOCUMENT = 8 << 20
"""Bytes of a manifest, an index or a config."""
_DEEPEST = 4


@dataclass(frozen=True, slots=True)
class RemoteLayer:
    """A layer as the manifest names it: ``digest`` is that of the (compressed) blob."""

    descriptor: Descriptor
    digest: Digest
    diff_id: Digest

    def source(self, repository: str, *, claimed: bool) -> LayerSource:
        """Say that the blob is in ``repository``."""
        said = self.descriptor
        return LayerSource(
            self.diff_id, self.digest, said.size, said.media_type, repository, claimed
        )


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """All that is to be known of an image before its layers are fetched."""

    top: Digest
    """Of what the name leads to: the index, or the manifest if there is none."""
    index: Digest | None
    manifest: Digest
    platform: Platform
    config: bytes
    image: Image
    layers: tuple[RemoteLayer, ...]
    documents: tuple[bytes, ...]
    """Manifest and indexes, to be kept."""

    @property
    def id(self) -> Digest:
        return Digest.of(self.config)

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        return tuple(layer.diff_id for layer in self.layers)


class DocumentFetcher:
    """Follows one name of one repository."""

    def __init__(
        self, repository: Repository, stored: Callable[[Digest], bytes | None], cancel: Cancel
    ) -> None:
        self._repository = repository
        self._stored = stored
        self._cancel = cancel

    def top(self, name: Reference) -> FetchedManifest:
        """Fetch what the name leads to. Raise InvalidArgumentError for a format that is gone."""
        found = self._repository.manifest(name.digest or name.tag, self._cancel)
        if found.media_type in _SCHEMA_1:
            raise InvalidArgumentError(
                "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has "
                f"been removed. Suggest the author of {name} to upgrade the image to the OCI "
                "Format or Docker Image manifest v2, schema 2. More information at "
                "https://docs.docker.com/go/deprecated-image-specs/"
            )
        _check_type(found)
        return found

    def image(self, top: FetchedManifest, wanted: Platform | None) -> RemoteImage:
        """Follow it to an image for ``wanted`` (this machine). NotFoundError if there is none."""
        documents = [top.data]
        found, described = top, None
        for _ in range(_DEEPEST):
            if found.media_type not in INDEX_TYPES:
                break
            entry = chosen(_decoded(found, Index).manifests or (), wanted or platforms.host())
            described = entry.platform
            found = self._child(entry)
            documents.append(found.data)
        if found.media_type not in MANIFEST_TYPES:
            raise BadRegistryAnswerError("indexes are nested too deeply")
        manifest = _decoded(found, Manifest)
        config = self._config(manifest.config)
        image = _image(config)
        return RemoteImage(
            top=top.digest,
            index=top.digest if found is not top else None,
            manifest=found.digest,
            platform=(
                platforms.platform(described.os, described.architecture, described.variant)
                if described is not None
                else image.platform
            ),
            config=config,
            image=image,
            layers=layers_of(manifest, image),
            documents=tuple(documents),
        )

    def _child(self, entry: Descriptor) -> FetchedManifest:
        digest = _digest(entry)
        data = self._stored(digest)
        if data is not None:
            found = FetchedManifest(entry.media_type, digest, data)
        else:
            found = self._repository.manifest(digest, self._cancel)
        if len(found.data) != entry.size:
            raise BadRegistryAnswerError(
                f"manifest {digest} has {len(found.data)} bytes, and {entry.size} were announced"
            )
        _check_type(found)
        return found

    def _config(self, descriptor: Descriptor) -> bytes:
        if descriptor.media_type not in CONFIG_TYPES:
            raise InvalidArgumentError(
                f'Encountered remote "{descriptor.media_type}"(unknown) when fetching'
            )
        if descriptor.size > LARGEST_DOCUMENT:
            raise BadRegistryAnswerError(f"a config of {descriptor.size} bytes is too large")
        digest = _digest(descriptor)
        if (data := self._stored(digest)) is not None:
            return data
        return b"".join(self._repository.blob(descriptor, self._cancel))


def chosen(entries: Sequence[Descriptor], wanted: Platform) -> Descriptor:
    """Choose the entry that runs on ``wanted`` best. NotFoundError if there is none.

    Entries without a platform come last; attestations (``unknown/unknown``) are never chosen.
    """
    known = [entry for entry in entries if entry.platform is not None]
    offered = [
        platforms.platform(entry.platform.os, entry.platform.architecture, entry.platform.variant)
        for entry in known
        if entry.platform is not None
    ]
    order = platforms.by_preference(wanted, offered)
    if order:
        return known[order[0]]
    silent = [entry for entry in entries if entry.platform is None]
    if silent:
        return silent[0]
    raise NotFoundError(f"no matching manifest for {wanted} in the manifest list entries")


def layers_of(manifest: Manifest, image: Image) -> tuple[RemoteLayer, ...]:
    """Put the manifest's blobs and the config's diff ids together."""
    try:
        diff_ids = image.diff_ids
    except MalformedImageError as error:
        raise BadRegistryAnswerError(f"invalid image config: {error}") from error
    descriptors = manifest.layers or ()
    if len(diff_ids) != len(descriptors):
        raise BadRegistryAnswerError(
            f"layers from manifest don't match image configuration: {len(descriptors)} layers, "
            f"{len(diff_ids)} diff ids"
        )
    for descriptor in descriptors:
        if descriptor.media_type not in _LAYER_TYPES:
            raise InvalidArgumentError(
                f"unsupported media type of layer {descriptor.digest}: {descriptor.media_type}"
            )
    return tuple(
        RemoteLayer(descriptor, _digest(descriptor), diff_id)
        for descriptor, diff_id in zip(descriptors, diff_ids, strict=True)
    )


class _Shape(msgspec.Struct, rename="camel"):
    """What tells manifests and indexes apart, whatever they claim to be."""

    media_type: str = ""
    manifests: object = None
    layers: object = None
    config: object = None


def _check_type(found: FetchedManifest) -> None:
    """The header, the document's own word and its members must agree (CVE-2021-41190)."""
    if found.media_type not in INDEX_TYPES | MANIFEST_TYPES:
        raise BadRegistryAnswerError(
            f"manifest {found.digest} is of an unsupported media type: {found.media_type!r}"
        )
    shape = _decoded(found, _Shape)
    if shape.media_type not in ("", found.media_type):
        raise BadRegistryAnswerError(
            f"mediaType in manifest should be '{found.media_type}' not '{shape.media_type}'"
        )
    of_manifest, of_index = (shape.layers, shape.config), (shape.manifests,)
    foreign = of_manifest if found.media_type in INDEX_TYPES else of_index
    if any(member is not None for member in foreign):
        raise BadRegistryAnswerError(f"manifest {found.digest} is a manifest and an index at once")


def _decoded(found: FetchedManifest, kind: type[DocumentT]) -> DocumentT:
    try:
        return decode(found.data, kind)
    except MalformedImageError as error:
        raise BadRegistryAnswerError(f"manifest {found.digest}: {error}") from error


def _image(config: bytes) -> Image:
    try:
        image = decode(config, Image)
    except MalformedImageError as error:
        raise BadRegistryAnswerError(f"invalid image config: {error}") from error
    if image.os not in ("", "linux"):
        raise InvalidArgumentError(
            f'image operating system "{image.os}" cannot be used on this platform'
        )
    return image


def _digest(descriptor: Descriptor) -> Digest:
    try:
        return Digest.parse(descriptor.digest)
    except DigestError as error:
        raise BadRegistryAnswerError(f"{descriptor.digest!r}: {error}") from error
