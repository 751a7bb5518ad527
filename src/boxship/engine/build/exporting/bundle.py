"""Manifests of built images, and the index that names them; blocking: what is told is read then.

One image for one platform is its manifest. Several, or one with attestations, are an index::

    index ──► manifest        linux/amd64
          ├─► manifest        linux/arm64
          └─► attestations    unknown/unknown, of the manifest that an annotation names
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.attestations.statements import MEDIA_TYPE
from boxship.engine.build.exporting.packing import PackedLayer
from boxship.engine.build.exporting.telling import Attest, subjects
from boxship.engine.build.requests import Compression, LayerOptions
from boxship.engine.images import manifests
from boxship.engine.images.manifests import Document, PushedLayer
from boxship.oci.digest import Digest
from boxship.oci.image import (
    CONFIG_TYPE,
    DOCKER_LAYER_TYPE,
    GZIP_LAYER_TYPE,
    INDEX_TYPE,
    MANIFEST_TYPE,
)
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference

Plain = dict[str, object]
_ANNOTATION = re.compile(
    r"(?:(manifest|index|manifest-descriptor|index-descriptor)(?:\[([^\]]*)\])?:)?(.+)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class PackedImage:
    """One platform's image, with what is told about how it came about."""

    platform: Platform
    config: bytes
    layers: tuple[PackedLayer, ...]
    told: tuple[Attest, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """All blobs, and the document that stands for the whole."""

    top: Document
    blobs: Mapping[Digest, bytes | PackedLayer]
    manifests: tuple[Document, ...]
    """Those of the images, in their order."""
    others: tuple[Document, ...] = ()
    """Those of attestations."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Of the descriptor of ``top``."""


def bundle(
    images: Sequence[PackedImage],
    names: Sequence[Reference],
    options: LayerOptions,
    *,
    listed: bool = False,
) -> Bundle:
    """Put images together; ``listed``: into an index, even a single one.

    InvalidArgumentError: an annotation for nothing that there is.
    """
    wanted = _Annotations(options.annotations)
    listed = listed or len(images) > 1 or any(image.told for image in images)
    oci = options.oci_types or listed or bool(options.annotations)
    oci |= options.compression in (Compression.ZSTD, Compression.NONE)
    blobs: dict[Digest, bytes | PackedLayer] = {}
    made: list[Document] = []
    others: list[Document] = []
    entries: list[Plain] = []
    attestations: list[Plain] = []
    for image in images:
        document = _manifest(image, wanted.of("manifest", image.platform), oci=oci)
        made.append(document)
        blobs |= {layer.digest: layer for layer in image.layers}
        blobs |= {Digest.of(image.config): image.config, document.digest: document.data}
        extra = wanted.of("manifest-descriptor", image.platform)
        entries.append(_entry(document, image.platform, extra))
        if image.told:
            attested, parts = _attestations(image, document, names)
            others.append(attested)
            blobs |= parts
            blobs[attested.digest] = attested.data
            attestations.append(_attestation_entry(attested, document))
    if not listed:
        wanted.check(index=False)
        return Bundle(made[0], blobs, tuple(made), (), wanted.of("manifest-descriptor", None))
    entries += attestations
    plain: Plain = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": entries}
    if annotations := wanted.of("index", None):
        plain["annotations"] = annotations
    top = Document(INDEX_TYPE, msgspec.json.encode(plain))
    blobs[top.digest] = top.data
    return Bundle(top, blobs, tuple(made), tuple(others), wanted.of("index-descriptor", None))


def descriptor(media_type: str, data: bytes) -> Plain:
    """Point to a blob."""
    return {"mediaType": media_type, "digest": str(Digest.of(data)), "size": len(data)}


def _manifest(image: PackedImage, annotations: dict[str, str], *, oci: bool) -> Document:
    if not oci:
        layers = [PushedLayer(layer.digest, layer.size, layer.media_type) for layer in image.layers]
        return manifests.manifest(image.config, layers)
    plain: Plain = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, image.config),
        "layers": [
            {
                "mediaType": _layer_type(layer),
                "digest": str(layer.digest),
                "size": layer.size,
            }
            for layer in image.layers
        ],
    }
    if annotations:
        plain["annotations"] = annotations
    return Document(MANIFEST_TYPE, msgspec.json.encode(plain))


def _layer_type(layer: PackedLayer) -> str:
    return GZIP_LAYER_TYPE if layer.media_type == DOCKER_LAYER_TYPE else layer.media_type


def _entry(document: Document, platform: Platform, annotations: dict[str, str]) -> Plain:
    plain = descriptor(document.media_type, document.data)
    if annotations:
        plain["annotations"] = annotations
    said: Plain = {"architecture": platform.architecture, "os": platform.os}
    if platform.variant:
        said["variant"] = platform.variant
    return plain | {"platform": said}


def _attestations(
    image: PackedImage, document: Document, names: Sequence[Reference]
) -> tuple[Document, dict[Digest, bytes | PackedLayer]]:
    """Return the manifest of what is told about an image, and its blobs."""
    about = subjects(names, str(document.digest), image.platform)
    statements = [attest(about) for attest in image.told]
    texts = [each.data for each in statements]
    config = msgspec.json.encode(
        {
            "architecture": "unknown",
            "os": "unknown",
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [str(Digest.of(text)) for text in texts]},
        }
    )
    layers = [
        descriptor(MEDIA_TYPE, text)
        | {"annotations": {"in-toto.io/predicate-type": each.predicate_type}}
        for text, each in zip(texts, statements, strict=True)
    ]
    plain: Plain = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, config),
        "layers": layers,
    }
    blobs: dict[Digest, bytes | PackedLayer] = {Digest.of(text): text for text in (*texts, config)}
    return Document(MANIFEST_TYPE, msgspec.json.encode(plain)), blobs


def _attestation_entry(attested: Document, image: Document) -> Plain:
    return descriptor(attested.media_type, attested.data) | {
        "annotations": {
            "vnd.docker.reference.digest": str(image.digest),
            "vnd.docker.reference.type": "attestation-manifest",
        },
        "platform": {"architecture": "unknown", "os": "unknown"},
    }


class _Annotations:
    """``manifest[linux/amd64]:key=value`` by where they go."""

    def __init__(self, given: Mapping[str, str]) -> None:
        self._found: list[tuple[str, str, str, str]] = []
        for text, value in given.items():
            match = _ANNOTATION.fullmatch(text)
            if match is None:
                raise InvalidArgumentError(f"invalid annotation {text!r}")
            self._found.append((match[1] or "manifest", match[2] or "", match[3], value))

    def of(self, level: str, platform: Platform | None) -> dict[str, str]:
        """Return those of a document; ``platform`` of an image's."""
        return {
            key: value
            for at, only, key, value in self._found
            if at == level and only in ("", str(platform))
        }

    def check(self, *, index: bool) -> None:
        """Raise InvalidArgumentError for those of an index that there is not."""
        if not index and any(at.startswith("index") for at, *_ in self._found):
            raise InvalidArgumentError("index annotations need several platforms, or attestations")
