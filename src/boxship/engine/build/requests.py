"""What may be asked of builds, and what is answered; nothing of HTTP or gRPC is in it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from boxship.base.errors import ForbiddenError, InvalidArgumentError
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.solver.operations import Limits

NO_SECURITY_OPTIONS = (
    "The daemon on this platform does not support setting security options on build"
)
"""As Docker's daemon says it."""
CONTEXT = "context"
DOCKERFILE = "dockerfile"


@dataclass(frozen=True, slots=True)
class ClientDirectory:
    """A directory of the client, brought here by ``ClientSide.sync(name, …)``."""

    name: str


@dataclass(frozen=True, slots=True)
class DaemonDirectory:
    """A directory of the daemon (a context that came as a tar). It belongs to the door, and has to
    stay as it is until the build has ended."""

    path: str


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A git remote (``https://….git#ref:directory``, ``git@…``), or the URL of a tar or of a single
    Dockerfile."""

    url: str


@dataclass(frozen=True, slots=True)
class ImageContext:
    """An image in place of a stage or context (``docker-image://``)."""

    reference: str


@dataclass(frozen=True, slots=True)
class LayoutContext:
    """An image in an OCI layout of the client (``oci-layout://``)."""

    store: str
    reference: str


@dataclass(frozen=True, slots=True)
class TargetContext:
    """Another request's result, as bake's ``target:`` has it: the name of a stage or context."""

    name: str


@dataclass(frozen=True, slots=True)
class EmptyContext:
    """No files at all."""


ContextSource = (
    ClientDirectory
    | DaemonDirectory
    | RemoteSource
    | ImageContext
    | LayoutContext
    | TargetContext
    | EmptyContext
)


@dataclass(frozen=True, slots=True)
class DockerfileAt:
    """The Dockerfile as a file of ``source``, which is the context itself if None.

    Beside it ``<path>.dockerignore`` is looked for.
    """

    path: str = "Dockerfile"
    source: ContextSource | None = None


@dataclass(frozen=True, slots=True)
class DockerfileText:
    """The Dockerfile itself; ``name`` is what messages call it."""

    content: bytes
    name: str = "Dockerfile"


class Compression(StrEnum):
    """How exporters write layers."""

    GZIP = "gzip"
    ZSTD = "zstd"
    ESTARGZ = "estargz"
    NONE = "uncompressed"


@dataclass(frozen=True, slots=True)
class LayerOptions:
    """What exporters of images have in common."""

    compression: Compression = Compression.GZIP
    level: int | None = None
    oci_types: bool = False
    """Media types of OCI in place of Docker's."""
    rewrite_timestamp: bool = False
    """Clamp the times of all files in the layers to the source date."""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """By where they go: ``manifest:key``, ``index:key``, ``manifest-descriptor:key`` …; a bare
    ``key`` is the manifest's."""


@dataclass(frozen=True, slots=True)
class ImageOutput:
    """An image in the store, and with ``push`` in its registry as well."""

    names: tuple[Reference, ...] = ()
    push: bool = False
    push_by_digest: bool = False
    insecure: bool = False
    layers: LayerOptions = LayerOptions()


@dataclass(frozen=True, slots=True)
class ArchiveOutput:
    """An image to the client: an OCI layout (``oci``) or what ``docker load`` takes."""

    oci: bool
    names: tuple[Reference, ...] = ()
    tar: bool = True
    """False: the layout as a directory."""
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Handed to ``ClientSide.send_file``: which of the client's outputs this is."""
    layers: LayerOptions = LayerOptions()


@dataclass(frozen=True, slots=True)
class FilesOutput:
    """The files of the result to the client: as one tar, or as a directory."""

    tar: bool
    platform_split: bool | None = None
    """Whether each platform has a directory of its own; None: if there are several."""
    metadata: Mapping[str, str] = field(default_factory=dict)


Output = ImageOutput | ArchiveOutput | FilesOutput
"""``type=registry`` is an :class:`ImageOutput` with ``push``. With no outputs at all the result is
kept in the cache alone."""


class CacheKind(StrEnum):
    """Where a cache is brought from or to."""

    REGISTRY = "registry"
    LOCAL = "local"
    INLINE = "inline"


@dataclass(frozen=True, slots=True)
class CacheImport:
    """``--cache-from``. ``attributes`` as given: ``ref``, ``src``, ``digest``, ``tag`` …"""

    kind: CacheKind
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CacheExport:
    """``--cache-to``. ``attributes`` as given: ``ref``, ``dest``, ``mode``, ``compression`` …"""

    kind: CacheKind
    attributes: Mapping[str, str] = field(default_factory=dict)


class Pull(StrEnum):
    """When base images are asked for in their registry."""

    MISSING = "missing"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Attestations:
    """What is told about how the image was made."""

    provenance: str = ""
    """``min``, ``max``, or empty for none."""
    sbom: bool = False
    provenance_attributes: Mapping[str, str] = field(default_factory=dict)
    sbom_attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CacheUse:
    """What a build may take from earlier ones, and where its own cache goes."""

    disabled: bool = False
    """``--no-cache``: every step runs."""
    disabled_stages: tuple[str, ...] = ()
    """``--no-cache-filter``: every step of these stages runs."""
    imports: tuple[CacheImport, ...] = ()
    exports: tuple[CacheExport, ...] = ()


_TRUTH = {"": False, "0": False, "f": False, "false": False, "1": True, "t": True, "true": True}


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """One build. The defaults are those of ``docker build .`` with a client's directory."""

    dockerfile: DockerfileAt | DockerfileText = DockerfileAt()
    context: ContextSource = ClientDirectory(CONTEXT)
    contexts: Mapping[str, ContextSource] = field(default_factory=dict)
    """Named contexts (``--build-context``)."""
    target: str = ""
    """Stage by name or number; empty: the last one."""
    build_args: Mapping[str, str | None] = field(default_factory=dict)
    """None: the Dockerfile's own default is taken away, as the classic door can say."""
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[Platform, ...] = ()
    """Empty: the daemon's own."""
    cache: CacheUse = CacheUse()
    pull: Pull = Pull.MISSING
    outputs: tuple[Output, ...] = ()
    attestations: Attestations = Attestations()
    network: str = "default"
    """``default``, ``none``, ``host``, or a network's name, for steps that say nothing."""
    extra_hosts: tuple[tuple[str, str], ...] = ()
    """Name and address."""
    hostname: str = ""
    limits: Limits = field(default_factory=Limits)
    security_options: tuple[str, ...] = ()
    entitlements: frozenset[str] = frozenset()
    """``network.host``, ``security.insecure``, ``device``."""
    source_date_epoch: int | None = None
    """Seconds; what is made later than this is dated to it."""
    squash: bool = False
    classic: bool = False
    """Images as the classic builder makes them: no layer for a step that changed nothing, history
    in its words. Otherwise as BuildKit does."""
    check_only: bool = False
    """Parse and warn, build nothing."""
    explain: bool = False
    """Tell of each step that ran why no earlier result fit (``CacheMiss``, and in its log)."""
    keep_failed: bool = False
    """Keep a failed step's file system as an untagged image (``StepFailedError.kept_image``)."""
    reference: str = ""
    """The client's name for this build, for history and cancelling; empty: one is made."""
    recorded: bool = True
    """Whether it is in the history."""
    frontend_attributes: Mapping[str, str] = field(default_factory=dict)
    """As a client of BuildKit sent them: for records and provenance, without effect."""

    @property
    def is_listed(self) -> bool:
        """Whether the result is one of several platforms', be it the only one."""
        return len(self.platforms) > 1 or self._says("BUILDKIT_MULTI_PLATFORM")

    def _says(self, name: str) -> bool:
        """Read an argument that is a truth value. InvalidArgumentError."""
        value = (self.build_args.get(name) or "").lower()
        if value not in _TRUTH:
            raise InvalidArgumentError(f"invalid {name}: {value}: true or false is needed")
        return _TRUTH[value]


def check(request: BuildRequest, denied: Collection[str] = ()) -> None:
    """Refuse what no build can have. InvalidArgumentError; ForbiddenError: it may not have it here.

    ``denied`` are entitlements that no client may give its builds.

    Arguments and labels get into environments and into JSON: neither has a NUL, or what isn't UTF-8
    (which clients of BuildKit may well send, for nobody checks their messages).
    """
    for name in sorted(request.entitlements.intersection(denied)):
        if not request.classic:  # that one's clients don't ask for any
            raise ForbiddenError(
                f"{name} is not allowed: builder.entitlements in daemon.json forbids it"
            )
    if request.security_options:
        raise InvalidArgumentError(NO_SECURITY_OPTIONS)
    for what, values in (("build argument", request.build_args), ("label", request.labels)):
        for name, value in values.items():
            for text in (name, value or ""):
                if "\0" in text:
                    raise InvalidArgumentError(f"{what} {name!r} has a NUL in it")
                if not text.isascii() and text.encode(errors="replace").decode() != text:
                    raise InvalidArgumentError(f"{what} {name!r} is not UTF-8")


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """One platform's image of a result."""

    platform: Platform
    config: bytes
    """The config document."""
    layers: tuple[str, ...]
    """Diff ids, lowest first."""
    image_id: str = ""
    """The config's digest; empty if no output wanted an image."""
    manifest: str = ""
    """Digest of its manifest, where one was made."""


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What came of a build that succeeded."""

    reference: str
    images: tuple[BuiltImage, ...] = ()
    response: Mapping[str, str] = field(default_factory=dict)
    """``containerimage.digest``, ``containerimage.config.digest``, ``image.name`` … as BuildKit's
    exporters answer."""
    warnings: int = 0


@dataclass(frozen=True, slots=True)
class PruneRequest:
    """What of the cache may go. Nothing said: what neither an image nor a build uses."""

    all: bool = False
    """Also what images share, and what is internal."""
    keep_bytes: int = 0
    keep_duration_ns: int = 0
    max_used_bytes: int = 0
    min_free_bytes: int = 0
    filters: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """``id``, ``parent``, ``type``, ``until``, ``unused-for``, ``inuse``, ``shared``, ``private``,
    ``mutable``, ``immutable``, ``description``."""


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """One row of ``docker builder du``; sizes in bytes, times in nanoseconds."""

    id: str
    kind: str
    """``regular``, ``source.local``, ``source.git.checkout``, ``exec.cachemount``, ``internal``,
    ``frontend``."""
    description: str
    size: int
    created_ns: int
    last_used_ns: int | None = None
    usage_count: int = 0
    in_use: bool = False
    shared: bool = False
    mutable: bool = False
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What went."""

    entries: tuple[CacheEntry, ...] = ()

    @property
    def space_reclaimed(self) -> int:
        """Bytes; what images go on using is not counted."""
        return sum(entry.size for entry in self.entries if not entry.shared)


@dataclass(frozen=True, slots=True)
class BuildRecord:
    """A build of before, or one that runs now (history)."""

    reference: str
    name: str
    """What people call it."""
    created_ns: int
    completed_ns: int | None = None
    error: str = ""
    total_steps: int = 0
    cached_steps: int = 0
    completed_steps: int = 0
    warnings: int = 0
    attributes: Mapping[str, str] = field(default_factory=dict)
    response: Mapping[str, str] = field(default_factory=dict)
    images: tuple[str, ...] = ()
    pinned: bool = False
