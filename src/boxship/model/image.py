"""What can be seen of images: rows of a list, one image in full, what a change did.

Times are nanoseconds since the epoch (0: unknown), sizes bytes. Image ids and layer digests are
text of the form ``sha256:<hex>``; references are in the familiar form (``busybox:latest``).
"""

from enum import Enum

from msgspec import Struct

from boxship.model.labels import ANY_LABELS, LabelFilter
from boxship.oci.image import ImageConfig
from boxship.oci.platform import Platform

NOT_COUNTED = -1


class ManifestKind(Enum):
    """What a manifest of an index describes."""

    IMAGE = "image"
    ATTESTATION = "attestation"


class ManifestSummary(Struct, frozen=True):
    """One platform's manifest under a name; sizes in bytes.

    ``image_id`` is empty if only the index knows of it and nothing of it is here; ``content_size``
    is that of its documents here.
    """

    digest: str
    media_type: str
    document_size: int
    kind: ManifestKind
    platform: Platform
    image_id: str
    content_size: int
    unpacked_size: int
    containers: tuple[str, ...]


class ImageSummary(Struct, frozen=True):
    """One row of the list of images."""

    id: str
    parent_id: str
    tags: tuple[str, ...]
    """``busybox:latest``, sorted; empty for a dangling image."""
    digests: tuple[str, ...]
    """``busybox@sha256:…``, sorted: the manifests under which it was pulled or pushed."""
    created_ns: int
    size: int
    """All layers, unpacked."""
    labels: dict[str, str]
    shared_size: int = NOT_COUNTED
    containers: int = NOT_COUNTED
    os: str = "linux"
    architecture: str = ""
    variant: str = ""
    last_used_ns: int = 0
    manifests: tuple[ManifestSummary, ...] = ()


class StorageDetail(Struct, frozen=True):
    """Where a driver keeps something; the keys are the driver's (``UpperDir``, ``LowerDir``…)."""

    driver: str
    data: dict[str, str]


class ImageDetail(Struct, frozen=True):
    """One image in full."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    parent_id: str
    comment: str
    author: str
    created: str
    """As the image's config writes it (RFC 3339), or empty."""
    created_ns: int
    config: ImageConfig
    container: str
    """The container it was committed from, or empty."""
    docker_version: str
    architecture: str
    variant: str
    os: str
    os_version: str
    size: int
    storage: StorageDetail
    layers: tuple[str, ...]
    """Diff ids, lowest first."""
    last_tagged_ns: int
    last_used_ns: int = 0
    config_json: bytes = b""
    """The image's config document, byte for byte; it may hold more than ``config`` shows."""
    manifests: tuple[ManifestSummary, ...] = ()
    """Only if asked for."""


class HistoryStep(Struct, frozen=True):
    """One step that made the image, newest first in a list."""

    id: str
    """The image the step ended with, or ``<missing>``."""
    created_ns: int
    created_by: str
    tags: tuple[str, ...]
    size: int
    comment: str


class Untagged(Struct, frozen=True):
    """A name was taken from an image. ``reference`` is familiar, with tag or digest."""

    reference: str


class Deleted(Struct, frozen=True):
    """An image or a layer that nothing needs any more is gone; ``id`` is its digest."""

    id: str


RemovedImage = Untagged | Deleted


class LoadedImage(Struct, frozen=True):
    """An image of an archive is in the store; ``reference`` is empty if the archive named none."""

    id: str
    reference: str


class LoadingLayer(Struct, frozen=True):
    """Bytes of an archive's layer that have been unpacked so far; ``total`` 0 if unknown.

    ``layer`` is the digest in its path within the archive, else the path.
    """

    layer: str
    current: int
    total: int


LoadEvent = LoadedImage | LoadingLayer


class Fetching(Struct, frozen=True):
    """An archive is there, and comes in."""

    url: str


class Fetched(Struct, frozen=True):
    """Bytes of an archive that have come in so far; ``total`` 0 if unknown."""

    current: int
    total: int


class ImportedImage(Struct, frozen=True):
    """The image made of it."""

    id: str


FetchEvent = Fetching | Fetched | ImportedImage


class TransferPhase(Enum):
    """Where a layer is on its way from or to a registry; values are what Docker's clients show."""

    WAITING_TO_PULL = "Pulling fs layer"
    WAITING = "Waiting"
    DOWNLOADING = "Downloading"
    VERIFYING = "Verifying Checksum"
    DOWNLOADED = "Download complete"
    EXTRACTING = "Extracting"
    PULLED = "Pull complete"
    PRESENT = "Already exists"
    PREPARING = "Preparing"
    PUSHING = "Pushing"
    PUSHED = "Pushed"
    PRESENT_THERE = "Layer already exists"
    MOUNTED = "Mounted from"
    RETRYING = "Retrying in"


class LayerTransfer(Struct, frozen=True):
    """A layer came to a phase, or further in it. ``layer`` is the digest that it goes by.

    ``current`` and ``total`` are bytes (total 0: unknown), in ``RETRYING`` seconds left;
    ``source`` is the repository it was mounted from.
    """

    layer: str
    phase: TransferPhase
    current: int = 0
    total: int = 0
    source: str = ""


class TransferBegun(Struct, frozen=True):
    """One name is being pulled or pushed; ``repository`` is familiar, ``tag`` may be a digest."""

    repository: str
    tag: str


class PushBegun(Struct, frozen=True):
    """A push begins; ``repository`` is the full name (``docker.io/library/busybox``)."""

    repository: str


class TransferDigest(Struct, frozen=True):
    """The manifest or index that a name turned out to be; ``size`` in bytes."""

    digest: str
    tag: str = ""
    size: int = 0


class Pulled(Struct, frozen=True):
    """One name is there now; ``newer`` tells whether anything had to change for it."""

    reference: str
    id: str
    newer: bool


TransferEvent = LayerTransfer | TransferBegun | PushBegun | TransferDigest | Pulled


class ImageFilters(Struct, frozen=True):
    """Which images a list shows. Empty members do not restrict; members restrict together.

    ``labels`` are ``name`` or ``name=value`` and all must hold; of ``references`` (shell patterns
    over familiar names), ``before``, ``since`` and ``until_ns`` one must hold each.
    """

    references: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    without_labels: tuple[str, ...] = ()
    dangling: bool | None = None
    before: tuple[str, ...] = ()
    """Image references or ids: created before them."""
    since: tuple[str, ...] = ()
    until_ns: int | None = None


class ImageQuery(Struct, frozen=True):
    """A request for a list of images."""

    filters: ImageFilters = ImageFilters()
    all: bool = False
    shared_size: bool = False
    count_containers: bool = False
    manifests: bool = False


class ImagePrune(Struct, frozen=True):
    """Which unused images to remove: dangling ones, or ``all``; the other members restrict."""

    all: bool = False
    until_ns: int | None = None
    """Created by then."""
    labels: LabelFilter = ANY_LABELS
    unused_for_ns: int | None = None
    """Neither used, tagged nor added for so long; beyond Docker."""


class Pruned(Struct, frozen=True):
    """What a prune of images did; ``reclaimed`` are the bytes of the layers that went."""

    removed: tuple[RemovedImage, ...]
    reclaimed: int


class ImageDiskUsage(Struct, frozen=True):
    """Images on the disk: how many, how many with containers, bytes of all layers counted once.

    ``reclaimable`` are the bytes that would go with all images that have no container.
    """

    active: int
    count: int
    size: int
    reclaimable: int
