"""What the verbs work with: everything a container's life touches, put together once.

``images`` and ``snapshots`` are described by what containers need of them; the real ones are
``boxship.engine.images`` and ``boxship.storage``, and tests bring their own.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from boxship.base.clock import Clock
from boxship.base.ids import boot_id
from boxship.engine.containers.announce import Announcer
from boxship.engine.containers.background import Background
from boxship.engine.containers.checks.machine import Machine
from boxship.engine.containers.live import Container
from boxship.engine.containers.paths import Paths
from boxship.engine.containers.pending import HangupWatch
from boxship.engine.containers.planner import Planner
from boxship.engine.containers.runtimes import Runtimes
from boxship.engine.containers.shelf import Shelf
from boxship.engine.containers.tasks import ShimSource
from boxship.engine.images.committing import ChildImage
from boxship.engine.measures import Measures
from boxship.engine.networks.plugging import Plugging
from boxship.engine.networks.publishing import Publications
from boxship.engine.networks.service import Networks
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.records.trash import TrashBin
from boxship.engine.settings import Configured, EngineSettings
from boxship.engine.volumes.service import Volumes
from boxship.model.explanation import LayerStep
from boxship.oci.digest import Digest
from boxship.oci.image import Image
from boxship.oci.platform import Platform
from boxship.storage.chunks import Buffer
from boxship.storage.snapshots import SnapshotDriver


class FoundImage(Protocol):
    """An image that was found: its id, its config, its layers' diff ids, lowest first."""

    @property
    def id(self) -> Digest: ...
    @property
    def image(self) -> Image: ...
    @property
    def layers(self) -> tuple[Digest, ...]: ...


class Images(Protocol):
    """Where containers come from."""

    def hold(
        self, reference: str, platform: Platform | None = None
    ) -> AbstractContextManager[FoundImage]:
        """Find an image, and keep its layers while the ``with`` lasts. NotFoundError."""
        ...

    async def commit(self, child: ChildImage, read: Callable[[], Iterator[Buffer]]) -> Digest:
        """Make an image of another one and a layer, whose tar ``read`` gives; return its id.

        NotFoundError: the other one is gone; InvalidArgumentError: a bad name.
        """
        ...

    def used(self, image_id: str) -> None:
        """Remember that an image serves somebody now; one that is gone does not matter."""
        ...

    def layers(self, reference: str) -> list[LayerStep]:
        """Return an image's layers, lowest first, each with what made it. NotFoundError."""
        ...


@dataclass(frozen=True)
class Context:
    """The engine, as far as containers see it."""

    configured: Configured
    paths: Paths
    clock: Clock
    machine: Machine
    shelf: Shelf
    announcer: Announcer
    images: Images
    snapshots: SnapshotDriver
    throw_away: Callable[[str], None]
    """Makes a directory of the data root disappear at once; its space is freed later."""
    planner: Planner
    runtimes: Runtimes
    shims: ShimSource
    pending: HangupWatch
    networks: Networks
    plugging: Plugging
    publications: Publications
    volumes: Volumes
    trash: TrashBin
    plugins: PluginEntry
    start_again: Callable[["Context", Container], None]
    """What a container's end calls when the restart policy says so; the start needs the end, and
    this keeps the end from needing the start."""
    end_unhealthy: Callable[["Context", Container], None]
    """What a health check calls when the restart policy wants the container ended; likewise."""
    mapped_owners: int = -1
    """A user namespace with the daemon's maps, for mounts that show other owners; -1: no maps."""
    background: Background = field(default_factory=Background)
    measures: Measures = field(default_factory=Measures)
    pruning: asyncio.Lock = field(default_factory=asyncio.Lock)
    keeps_strangers: bool = False
    """Records may have been lost: what has none is left where it is."""
    boot_id: str = field(default_factory=boot_id)
    """Differs after each boot of the machine."""
    execs: dict[str, str] = field(default_factory=dict)
    """The container of each exec."""

    @property
    def settings(self) -> EngineSettings:
        """What is configured; of what is read again at each use, a reload may change it."""
        return self.configured.now
