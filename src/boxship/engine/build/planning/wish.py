"""What planning starts from, and what comes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.places import Range
from boxship.engine.build.progress import PlannedStep
from boxship.engine.build.requests import ContextSource
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig
from boxship.oci.platform import Platform

Scopes = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ImageNeed:
    """A base image whose config has to be known."""

    reference: str
    platform: Platform
    place: Range
    layout: str = ""
    """The client's OCI layout that it is in; empty: store and registries."""


@dataclass(frozen=True, slots=True)
class BaseImage:
    """An image that a stage stands on, or whose files are copied."""

    name: str
    """In full, as people shall see it: ``docker.io/library/debian:12@sha256:…``."""
    image: Image
    layers: tuple[Digest, ...]
    id: str = ""


ImageKey = tuple[str, str, str]
"""Layout, reference and platform."""


def image_key(need: ImageNeed) -> ImageKey:
    return need.layout, need.reference, str(need.platform)


@dataclass(frozen=True, slots=True)
class Wish:
    """A build of one platform, as far as planning is concerned."""

    platform: Platform
    host: Platform
    target: str = ""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    context: ContextSource | None = None
    contexts: Mapping[str, ContextSource] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    """Patterns of ``.dockerignore``."""
    fresh: bool = False
    fresh_stages: frozenset[str] = frozenset()
    """Names, in lower case, or numbers."""
    network: str = "default"
    extra_hosts: tuple[tuple[str, str], ...] = ()
    hostname: str = ""
    entitlements: frozenset[str] = frozenset()
    source_date_epoch: int | None = None
    classic: bool = False
    several_platforms: bool = False

    @property
    def modified_ns(self) -> int | None:
        """The time that everything made by the build itself gets, if there is one."""
        return None if self.source_date_epoch is None else self.source_date_epoch * 1_000_000_000


@dataclass(frozen=True, slots=True)
class PlannedHistory:
    """A step of the image's history; ``vertex`` is what may have made a layer for it."""

    created_by: str
    vertex: Digest | None = None
    comment: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """How a stage comes about: what it begins with, and what its instructions say of it."""

    platform: Platform
    base: Image | None
    history: tuple[PlannedHistory, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is decided before anything runs.

    ``tree`` is the vertex of the files, None for none at all. ``base`` is the config document that
    the image goes on from.
    """

    platform: Platform
    tree: Digest | None
    config: ImageConfig
    base: Image | None
    base_name: str
    base_id: str
    author: str
    history: tuple[PlannedHistory, ...]
    steps: tuple[PlannedStep, ...]
    unused_args: tuple[str, ...]
    images: tuple[BaseImage, ...]
    stage: str
    environments: Mapping[int, Mapping[str, str]] = field(default_factory=dict)
    """The variables of the images that stages begin with, by the stages' numbers."""
    modified_ns: int | None = None
    chains: tuple[Chain, ...] = ()
    """Of all stages that are needed."""
    scans: tuple[tuple[str, Digest], ...] = ()
    """Names and vertices of what an SBOM is to be made of, too: stages, the context."""


@dataclass(frozen=True, slots=True)
class Missing:
    """What has to be found out before planning can go on."""

    images: tuple[ImageNeed, ...]
