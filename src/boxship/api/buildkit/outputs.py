"""Exporters of BuildKit as outputs of a build."""

from boxship.api.buildkit.attributes import Attributes, boolean, names, number, prefixed
from boxship.base.errors import InvalidArgumentError
from boxship.engine.build.requests import (
    ArchiveOutput,
    Compression,
    FilesOutput,
    ImageOutput,
    LayerOptions,
    Output,
)
from boxship.wire.buildkit.control import Exporter
from boxship.wire.buildkit.control import SolveRequest as SolveMessage
from boxship.wire.buildkit.filesync import EXPORTER_ID

_KNOWN = "image, moby, registry, oci, docker, local, tar"
_ANNOTATION = "annotation"


def outputs_of(message: SolveMessage) -> tuple[Output, ...]:
    """Return what a client wants of the result. InvalidArgumentError names what is wrong."""
    exporters = message.exporters
    if not exporters and message.exporter:
        exporters = (Exporter(message.exporter, message.exporter_attrs),)
    return tuple(_output(number, each) for number, each in enumerate(exporters))


def _output(place: int, exporter: Exporter) -> Output:
    attributes = exporter.attrs
    metadata = {EXPORTER_ID: str(place)}
    if exporter.type in ("image", "moby", "registry"):
        return _image(exporter.type, attributes)
    if exporter.type in ("oci", "docker"):
        return ArchiveOutput(
            oci=exporter.type == "oci",
            names=names(attributes),
            tar=boolean(attributes, "tar", default=True),
            metadata=metadata,
            layers=_layers(attributes, oci=exporter.type == "oci"),
        )
    if exporter.type in ("local", "tar"):
        split = boolean(attributes, "platform-split") if "platform-split" in attributes else None
        return FilesOutput(tar=exporter.type == "tar", platform_split=split, metadata=metadata)
    raise InvalidArgumentError(f"exporter {exporter.type!r} could not be found; known: {_KNOWN}")


def _image(kind: str, attributes: Attributes) -> ImageOutput:
    # Clients push what Docker's own exporter has made by themselves, over POST /images/…/push.
    push = kind == "registry" or (kind == "image" and boolean(attributes, "push"))
    by_digest = boolean(attributes, "push-by-digest")
    if push and not attributes.get("name"):
        raise InvalidArgumentError("tag is needed when pushing to registry")
    return ImageOutput(
        names=names(attributes),
        push=push,
        push_by_digest=push and by_digest,
        insecure=boolean(attributes, "registry.insecure"),
        layers=_layers(attributes, oci=False),
    )


def _layers(attributes: Attributes, *, oci: bool) -> LayerOptions:
    compression = attributes.get("compression") or Compression.GZIP
    try:
        kind = Compression(compression)
    except ValueError:
        known = ", ".join(Compression)
        raise InvalidArgumentError(
            f"unsupported layer compression type: {compression!r} (known: {known})"
        ) from None
    level = number(attributes, "compression-level", -1)
    return LayerOptions(
        compression=kind,
        level=None if level < 0 else level,
        oci_types=boolean(attributes, "oci-mediatypes", default=oci),
        rewrite_timestamp=boolean(attributes, "rewrite-timestamp"),
        annotations=_annotations(attributes),
    )


def _annotations(attributes: Attributes) -> dict[str, str]:
    """``annotation.key``, ``annotation-index.key``, ``annotation-manifest[platform].key`` …"""
    found = {}
    for name, value in prefixed(attributes, _ANNOTATION).items():
        where, _, key = name.partition(".")
        where = where.removeprefix("-")
        found[f"{where}:{key}" if where else key] = value
    return found
