"""Images in answers: rows of the list, one in full, its history, what a removal did."""

from typing import Any

from msgspec import UNSET, Struct, UnsetType, field

from boxship.oci.image import Descriptor, ImageConfig, PlatformDocument


class ManifestSize(Struct, frozen=True, rename="pascal"):
    """Bytes: documents and compressed layers kept here, and these with what is unpacked."""

    content: int
    total: int


class UnpackedSize(Struct, frozen=True, rename="pascal"):
    unpacked: int


class ImageData(Struct, frozen=True, rename="pascal"):
    """What is known of a manifest that describes an image."""

    platform: PlatformDocument
    containers: tuple[str, ...]
    size: UnpackedSize


class ManifestRow(Struct, frozen=True, rename="pascal"):
    """One manifest under an image's name."""

    id: str = field(name="ID")
    descriptor: Descriptor
    available: bool
    size: ManifestSize
    kind: str
    image_data: ImageData | UnsetType = UNSET


class ImageRow(Struct, frozen=True, rename="pascal"):
    """A row of ``GET /images/json``; ``created`` in seconds."""

    id: str
    parent_id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    created: int
    size: int
    shared_size: int
    labels: dict[str, str] | None
    containers: int
    manifests: tuple[ManifestRow, ...] | UnsetType = UNSET
    """Only if asked for."""
    last_used: int | UnsetType = UNSET
    """When a container of it was last made, started or removed; seconds. Beyond Docker."""


class Driver(Struct, frozen=True, rename="pascal"):
    """A storage driver and where it keeps something."""

    data: dict[str, str] | None
    name: str


class RootFS(Struct, frozen=True, rename="pascal"):
    type: str
    layers: tuple[str, ...]


class Metadata(Struct, frozen=True, rename="pascal"):
    last_tag_time: str
    last_used_time: str | UnsetType = UNSET
    """Beyond Docker."""


class ImageInspect(Struct, frozen=True, rename="pascal", kw_only=True):
    """``GET /images/{name}/json``."""

    id: str
    repo_tags: tuple[str, ...]
    repo_digests: tuple[str, ...]
    comment: str | UnsetType = UNSET
    created: str | UnsetType = UNSET
    author: str | UnsetType = UNSET
    config: ImageConfig
    architecture: str
    os: str
    size: int
    graph_driver: Driver
    root_fs: RootFS = field(name="RootFS")
    metadata: Metadata
    variant: str | UnsetType = UNSET
    os_version: str | UnsetType = UNSET
    parent: str | UnsetType = UNSET
    docker_version: str | UnsetType = UNSET
    manifests: tuple[ManifestRow, ...] | UnsetType = UNSET
    """Only if asked for."""
    stored: dict[str, Any] | UnsetType = UNSET
    """The config document, of which older versions showed more; ``adapt.py`` takes it out."""


class HistoryRow(Struct, frozen=True, rename="pascal"):
    """A row of ``GET /images/{name}/history``; ``created`` in seconds."""

    id: str
    created: int
    created_by: str
    tags: tuple[str, ...] | None
    size: int
    comment: str


class RemovedRow(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """One thing that ``DELETE /images/{name}`` did; exactly one field is set."""

    untagged: str = ""
    deleted: str = ""
