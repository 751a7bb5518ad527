"""Image configs, manifests and indexes, Docker's and OCI's, as frozen values.

The bytes of a config are the image's identity, so nobody ever writes a parsed config back: the
store keeps the bytes, and unknown fields survive with them. These types are for reading, and for
the configs Boxship makes itself (:func:`encode`).

Go writes empty collections as ``null``; every collection here may therefore be ``None``.
"""

from collections.abc import Iterable
from typing import TypeVar

import msgspec

from boxship.oci.digest import Digest
from boxship.oci.platform import Platform, platform

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"
GZIP_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
ZSTD_LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_INDEX_TYPE = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"

MANIFEST_TYPES = frozenset({MANIFEST_TYPE, DOCKER_MANIFEST_TYPE})
INDEX_TYPES = frozenset({INDEX_TYPE, DOCKER_INDEX_TYPE})
CONFIG_TYPES = frozenset({CONFIG_TYPE, DOCKER_CONFIG_TYPE})


MOST_STEPS = 10_000


class MalformedImageError(ValueError):
    """A JSON document is not what it claims to be; the text names the field."""


class Empty(msgspec.Struct, frozen=True):
    """The value of a member of a Go set: ``{}``."""


class Healthcheck(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """How the image wants to be probed; times in nanoseconds, 0 means Docker's default."""

    test: tuple[str, ...] | None = None
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    start_interval: int = 0
    retries: int = 0


class ImageConfig(msgspec.Struct, frozen=True, rename="pascal", omit_defaults=True):
    """What a container of the image starts with unless told otherwise."""

    hostname: str = ""
    domainname: str = ""
    user: str = ""
    exposed_ports: dict[str, Empty] | None = None
    env: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    healthcheck: Healthcheck | None = None
    args_escaped: bool = False
    volumes: dict[str, Empty] | None = None
    working_dir: str = ""
    network_disabled: bool = False
    labels: dict[str, str] | None = None
    on_build: tuple[str, ...] | None = None
    stop_signal: str = ""
    stop_timeout: int | None = None
    shell: tuple[str, ...] | None = None


class RootFS(msgspec.Struct, frozen=True):
    """The image's file system: the diff ids of its layers, lowest first."""

    type: str = "layers"
    diff_ids: tuple[str, ...] | None = ()


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """One step that made the image, oldest first; ``empty_layer`` steps changed the config only."""

    created: str | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class Image(msgspec.Struct, frozen=True, omit_defaults=True):
    """An image's config document. Its digest is the image id."""

    architecture: str = ""
    os: str = ""
    variant: str = ""
    os_version: str = msgspec.field(default="", name="os.version")
    created: str | None = None
    author: str = ""
    comment: str = ""
    docker_version: str = ""
    container: str = ""
    parent: str = ""
    config: ImageConfig | None = None
    rootfs: RootFS | None = None
    history: tuple[History, ...] | None = None

    def __post_init__(self) -> None:
        # It stays in memory for as long as the image is here.
        if self.history is not None and len(self.history) > MOST_STEPS:
            raise ValueError(f"a history of more than {MOST_STEPS} steps")

    @property
    def diff_ids(self) -> tuple[Digest, ...]:
        """The layers, lowest first. Raise :class:`MalformedImageError` for a bad digest."""
        texts = (self.rootfs and self.rootfs.diff_ids) or ()
        try:
            return tuple(Digest.parse(text) for text in texts)
        except ValueError as error:
            raise MalformedImageError(f"rootfs.diff_ids: {error}") from error

    @property
    def platform(self) -> Platform:
        """The platform the image is for; Docker reads a missing one as its own."""
        return platform(self.os or "linux", self.architecture, self.variant)


class PlatformDocument(msgspec.Struct, frozen=True, omit_defaults=True):
    """The ``platform`` member of a descriptor."""

    architecture: str = ""
    os: str = ""
    variant: str = ""


class Descriptor(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """A pointer to a blob: what it is, its digest and its length."""

    media_type: str
    digest: str
    size: int
    urls: tuple[str, ...] | None = None
    annotations: dict[str, str] | None = None
    platform: PlatformDocument | None = None


class Manifest(msgspec.Struct, frozen=True, rename="camel"):
    """One platform's image: its config and its layers, lowest first."""

    config: Descriptor
    layers: tuple[Descriptor, ...] | None = None
    schema_version: int = 2
    media_type: str = ""


class Index(msgspec.Struct, frozen=True, rename="camel"):
    """Several manifests under one name, usually one per platform."""

    manifests: tuple[Descriptor, ...] | None = None
    schema_version: int = 2
    media_type: str = ""


DocumentT = TypeVar("DocumentT", bound=msgspec.Struct)


def decode(data: bytes, kind: type[DocumentT]) -> DocumentT:
    """Read a document. Raise :class:`MalformedImageError` naming the field that is wrong."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedImageError(f"{kind.__name__.lower()}: {error}") from error


def encode(document: msgspec.Struct) -> bytes:
    """Write a document the way its digest will be taken: compact, fields in declared order."""
    return msgspec.json.encode(document, order="deterministic")


def chain_id(diff_ids: Iterable[Digest]) -> Digest | None:
    """Return the name of a stack of layers, lowest first; ``None`` for no layers."""
    chain: Digest | None = None
    for diff_id in diff_ids:
        chain = diff_id if chain is None else Digest.of(f"{chain} {diff_id}".encode())
    return chain
