"""What the API calls: a narrow view of the engine and of the daemon, as Protocols.

``boxship.daemon.wiring`` hands in the real ones; the tests of this package have fakes.
"""

import builtins
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from boxship.api.containercalls import ContainerFiles, Containers
from boxship.api.facts import DaemonFacts, HostFacts, Release
from boxship.api.http.messages import Chunk
from boxship.api.kept import Kept
from boxship.api.viewcache import ViewCache
from boxship.base.clock import Clock
from boxship.base.metrics import Family, Histogram
from boxship.distribution.credentials import Credentials
from boxship.distribution.login import LoginOutcome
from boxship.distribution.search import SearchFilters, SearchResult
from boxship.engine.containers.requests import (
    PathStat,
)
from boxship.engine.events.bus import Published
from boxship.engine.housekeeping.trash import Emptied, TrashEntry
from boxship.engine.housekeeping.volumecopies import Copied, CopyEvent, CopyVolume
from boxship.engine.images.intake import ImportOptions
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.pushing import PushRequest
from boxship.engine.images.remote import RemoteImage
from boxship.engine.images.service import ResolvedImage
from boxship.engine.networks.record import NetworkRecord
from boxship.engine.networks.requests import (
    CreatedNetwork,
    CreateNetwork,
    NetworkDetail,
    NetworkPrune,
    NetworkQuery,
)
from boxship.engine.volumes.requests import (
    CreateVolume,
    PrunedVolumes,
    VolumePrune,
    VolumeQuery,
    VolumeSurvey,
    VolumeUse,
    VolumeView,
)
from boxship.model.check import CheckEvent
from boxship.model.debug import Variables
from boxship.model.image import (
    FetchEvent,
    HistoryStep,
    ImageDetail,
    ImageDiskUsage,
    ImagePrune,
    ImageQuery,
    ImageSummary,
    LoadEvent,
    Pruned,
    RemovedImage,
    TransferEvent,
)
from boxship.model.requester import Requester
from boxship.model.statistics import InterfaceStatistics
from boxship.model.why import Why
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform

if TYPE_CHECKING:
    from boxship.engine.access.service import Access
    from boxship.engine.build.service import Builder
    from boxship.engine.managed.installing import PullPlugin
    from boxship.engine.managed.privileges import Privilege
    from boxship.engine.managed.record import PluginRecord
    from boxship.model.adoption import Adopted, AdoptedNetwork, AdoptedVolume


class Images(Protocol):
    """The use cases of images; see ``boxship.engine.images.service``."""

    def resolve(self, reference: str, platform: Platform | None = None) -> ResolvedImage: ...
    def load(
        self, archive: AsyncIterator[bytes], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[LoadEvent]: ...
    def save(
        self, references: Sequence[str], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[Chunk]: ...
    def push(self, request: PushRequest) -> AsyncGenerator[TransferEvent, None]: ...
    def pull(self, request: PullRequest) -> AsyncGenerator[TransferEvent, None]: ...
    def import_from(self, url: str, options: ImportOptions) -> AsyncGenerator[FetchEvent, None]: ...
    async def import_(self, archive: AsyncIterator[bytes], options: ImportOptions) -> Digest: ...
    async def tag(self, source: str, repository: str, tag: str = "") -> None: ...
    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        prune_parents: bool = True,
        platforms: Collection[Platform] = (),
    ) -> builtins.list[RemovedImage]: ...
    def list(self, query: ImageQuery) -> builtins.list[ImageSummary]: ...
    def inspect(
        self, reference: str, platform: Platform | None = None, *, manifests: bool = False
    ) -> ImageDetail: ...
    def history(
        self, reference: str, platform: Platform | None = None
    ) -> builtins.list[HistoryStep]: ...
    def count(self) -> int: ...
    def disk_usage(self) -> ImageDiskUsage: ...
    async def prune(self, wanted: ImagePrune) -> Pruned: ...
    def plan_prune(self, wanted: ImagePrune, without: Collection[str] = ()) -> Pruned: ...
    async def ensure_builtin(self, reference: str) -> Digest: ...


class Networks(Protocol):
    """The use cases of networks; see ``boxship.engine.networks.service``."""

    def list(self, query: NetworkQuery) -> builtins.list[NetworkRecord]: ...
    def inspect(self, reference: str) -> NetworkDetail: ...
    async def traffic(self, reference: str) -> dict[str, InterfaceStatistics]: ...
    async def create(self, request: CreateNetwork) -> CreatedNetwork: ...
    async def remove(self, reference: str) -> None: ...
    async def prune(self, wanted: NetworkPrune) -> tuple[str, ...]: ...
    def plan_prune(self, wanted: NetworkPrune) -> tuple[str, ...]: ...


class Volumes(Protocol):
    """The use cases of volumes; see ``boxship.engine.volumes.service``."""

    def list(self, query: VolumeQuery | None = None) -> builtins.list[VolumeView]: ...
    def inspect(self, name: str) -> VolumeView: ...
    async def look(self, name: str) -> VolumeView: ...
    async def survey(self, query: VolumeQuery) -> VolumeSurvey: ...
    async def usage(self) -> builtins.list[VolumeUse]: ...
    async def create(self, request: CreateVolume) -> VolumeView: ...
    async def remove(self, name: str, *, force: bool = False) -> None: ...
    async def rename(self, name: str, new_name: str) -> None: ...
    async def prune(self, wanted: VolumePrune) -> PrunedVolumes: ...
    async def plan_prune(
        self, wanted: VolumePrune, without: Collection[str] = ()
    ) -> PrunedVolumes: ...


class VolumeCopies(Protocol):
    """Volumes' files; see ``boxship.engine.housekeeping.volumecopies``."""

    def copy(self, name: str, wish: CopyVolume) -> AsyncGenerator[CopyEvent, None]: ...
    def export(self, name: str) -> AsyncIterator[Chunk]: ...
    async def import_(self, request: CreateVolume, archive: AsyncIterator[bytes]) -> VolumeView: ...
    async def look(self, name: str, path: str) -> PathStat: ...
    def read_files(self, name: str, path: str) -> AsyncIterator[Chunk]: ...
    async def write_files(
        self, name: str, path: str, archive: AsyncIterator[bytes], *, keep_kinds: bool
    ) -> None: ...


class Trash(Protocol):
    """What was removed and can be brought back; see ``boxship.engine.housekeeping.trash``."""

    @property
    def is_on(self) -> bool: ...
    async def list(self) -> builtins.list[TrashEntry]: ...
    async def restore(self, reference: str, name: str = "") -> TrashEntry: ...
    async def empty(self, references: Sequence[str] = ()) -> Emptied: ...


class Checker(Protocol):
    """The check of the store."""

    def check(self, *, repair: bool) -> AsyncGenerator[CheckEvent, None]: ...


class Reasons(Protocol):
    """Why things are as they are; see ``boxship.engine.why.service``."""

    async def container(self, reference: str) -> Why: ...
    async def image(self, reference: str) -> Why: ...
    async def volume(self, name: str) -> Why: ...
    async def network(self, reference: str) -> Why: ...
    async def port(self, number: int, protocol: str) -> Why: ...
    async def disk(self) -> Why: ...


class RegistryClient(Protocol):
    """Registries beyond this machine; see ``boxship.engine.images.remote``."""

    async def login(self, server: str, credentials: Credentials) -> LoginOutcome: ...
    async def search(
        self, term: str, credentials: Credentials | None, limit: int, filters: SearchFilters
    ) -> tuple[SearchResult, ...]: ...
    async def inspect(self, name: str, credentials: Credentials | None) -> RemoteImage: ...


class Uploads(Protocol):
    """Contexts of builds that come as archives; see ``boxship.engine.build.uploads``."""

    def unpacked(self, archive: AsyncIterator[bytes]) -> AbstractAsyncContextManager[str]: ...


class Adoption(Protocol):
    """Objects of other engines; see ``boxship.engine.adoption.service``."""

    async def network(self, wanted: "AdoptedNetwork") -> "Adopted": ...
    def volume(self, wanted: "AdoptedVolume") -> "AsyncGenerator[Copied | Adopted, None]": ...
    async def container(self, archive: AsyncIterator[bytes], by: Requester) -> "Adopted": ...


class EventStream(Protocol):
    """What one listener gets; see ``boxship.engine.events.bus.Subscription``."""

    def batches(self) -> AsyncGenerator[builtins.list[Published], None]: ...
    def close(self) -> None: ...


class PluginInstaller(Protocol):
    """Plugins in and out; see ``boxship.engine.managed.installing``."""

    async def privileges(
        self, remote: str, credentials: Credentials | None
    ) -> "tuple[Privilege, ...]": ...
    async def create(self, name: str, archive: AsyncIterator[bytes]) -> None: ...
    def name_of(self, wish: "PullPlugin") -> str: ...
    def pull(self, wish: "PullPlugin") -> AsyncGenerator[TransferEvent, None]: ...
    def upgrade(self, name: str, wish: "PullPlugin") -> AsyncGenerator[TransferEvent, None]: ...
    def push(
        self, name: str, credentials: Credentials | None
    ) -> AsyncGenerator[TransferEvent, None]: ...


class ManagedPlugins(Protocol):
    """The use cases of managed plugins; see ``boxship.engine.managed.service``."""

    @property
    def installer(self) -> PluginInstaller: ...

    def list(self, filters: Mapping[str, tuple[str, ...]]) -> "builtins.list[PluginRecord]": ...
    def inspect(self, name: str) -> "PluginRecord": ...
    async def enable(self, name: str, timeout: int = 0) -> None: ...  # noqa: ASYNC109
    async def disable(self, name: str, *, force: bool = False) -> None: ...
    async def set(self, name: str, words: Sequence[str]) -> None: ...
    async def remove(self, name: str, *, force: bool = False) -> "PluginRecord": ...


class Events(Protocol):
    """The engine's bus."""

    @property
    def listeners(self) -> int: ...

    def subscribe(self, *, since_ns: int | None = None) -> EventStream: ...


class Metrics(Protocol):
    """What is measured of the engine; see ``boxship.engine.metrics.service``."""

    async def families(self) -> builtins.list[Family]: ...


class System(Protocol):
    """The daemon around the engine."""

    def families(self) -> builtins.list[Family]: ...
    def variables(self) -> Variables: ...
    def stacks(self) -> str: ...
    async def profile(self, seconds: float) -> str: ...

    @property
    def host(self) -> HostFacts: ...
    @property
    def release(self) -> Release: ...
    @property
    def daemon(self) -> DaemonFacts: ...


def _requests() -> Histogram:
    return Histogram(
        "boxship_http_request_seconds",
        "Seconds from a request to the beginning of its answer",
        ("method", "route", "code"),
    )


@dataclass(frozen=True)
class Backend:
    """Everything that endpoints may call."""

    containers: Containers
    container_files: ContainerFiles
    images: Images
    networks: Networks
    registries: RegistryClient
    events: Events
    system: System
    clock: Clock
    checker: Checker
    volumes: Volumes
    volume_copies: VolumeCopies
    trash: Trash
    reasons: Callable[[], Reasons]
    metrics: Callable[[], Metrics]
    builds: "Callable[[], Builder]"
    """Loaded when somebody builds, as is the next."""
    uploads: Callable[[], Uploads]
    adoption: Callable[[], Adoption]
    access: "Callable[[], Access]"
    managed: Callable[[], ManagedPlugins]
    """Loaded when there are plugins, or somebody asks for them."""
    views: ViewCache = field(default_factory=ViewCache)
    kept: Kept = field(default_factory=Kept)
    requests: Histogram = field(default_factory=_requests)
    """How long requests took until their answers began."""
