"""The door to images: one method for each thing that can be done to them.

Call it from the event loop. Whatever blocks (unpacking, hashing, deleting) runs in threads; the
catalog changes on the loop only, one change at a time. Images come in through ``intake.py``. They
go by a transaction that drops names and record; then the layers that nobody needs any more are
deleted. A crash in between leaves layers without a record, which :meth:`ImageService.recover`
removes.
"""

import builtins
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from dataclasses import dataclass

from boxship.base.clock import Clock
from boxship.base.errors import NotFoundError
from boxship.base.ids import boot_id
from boxship.distribution.registries import Registries
from boxship.engine.events.bus import EventBus
from boxship.engine.images import (
    committing,
    intake,
    listing,
    packing,
    pruning,
    recovery,
    refetching,
    removing,
    tagging,
    trash,
    urlimport,
    usage,
)
from boxship.engine.images.availability import manifests_of
from boxship.engine.images.bridge import in_thread, to_the_end
from boxship.engine.images.building import ImagesOfBuilds
from boxship.engine.images.catalog import Catalog, KnownImage
from boxship.engine.images.committing import ChildImage
from boxship.engine.images.intake import ImportOptions
from boxship.engine.images.kept import KeptLayers
from boxship.engine.images.lastuse import LastUse
from boxship.engine.images.layersources import LayerSources
from boxship.engine.images.pulling import Puller, PullRequest
from boxship.engine.images.pulls import UnfinishedPulls
from boxship.engine.images.pushing import Pusher, PushRequest
from boxship.engine.images.scope import ImageScope
from boxship.engine.images.usage import LayerUse
from boxship.engine.images.users import ImageUsers
from boxship.engine.records.database import Database
from boxship.engine.records.trash import TrashBin, TrashItem
from boxship.engine.settings import DEFAULT_LIMITS, TransferLimits
from boxship.model.explanation import LayerStep
from boxship.model.image import (
    NOT_COUNTED,
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
    StorageDetail,
    TransferEvent,
)
from boxship.oci.digest import Digest
from boxship.oci.image import Image
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.check.store import Needed
from boxship.storage.chunks import Buffer
from boxship.storage.layers import Lease
from boxship.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image that was found, as whoever creates a container needs it."""

    id: Digest
    image: Image
    layers: tuple[Digest, ...]
    """Diff ids, lowest first, as ``SnapshotDriver.prepare`` takes them."""


class ImageService:
    """Use cases of images."""

    def __init__(
        self,
        database: Database,
        storage: Storage,
        registries: Registries,
        events: EventBus,
        clock: Clock,
        *,
        limits: TransferLimits = DEFAULT_LIMITS,
        keep_blobs: bool = False,
        trash_bin: TrashBin | None = None,
    ) -> None:
        catalog = Catalog(database, storage.blobs)
        self._scope = ImageScope(
            catalog,
            LayerSources(database),
            UnfinishedPulls(database, boot_id()),
            KeptLayers(database),
            storage,
            registries,
            events,
            clock,
            LastUse(clock, catalog.record_use),
            TrashBin(database, clock) if trash_bin is None else trash_bin,
        )
        self.set_keep_blobs(keep_blobs)
        self.of_builds = ImagesOfBuilds(self._scope)
        self._puller = Puller(self._scope, limits.downloads)
        self._pusher = Pusher(self._scope, limits.uploads)

    def set_keep_blobs(self, keep: bool) -> None:
        """Keep layers that come or go from now on in their compressed form, too, or not."""
        self._scope.keep_blobs = keep

    def set_registries(self, registries: Registries, limits: TransferLimits) -> None:
        """Let pulls and pushes that begin from now on know other settings."""
        before, self._scope.registries = self._scope.registries, registries
        before.close()
        self._puller.set_limit(limits.downloads)
        self._pusher.set_limit(limits.uploads)

    @property
    def registries(self) -> Registries:
        """The registries of the current settings."""
        return self._scope.registries

    def set_users(self, users: ImageUsers) -> None:
        """Tell who uses images. Containers need images to exist first, hence not at the start."""
        self._scope.users = users

    def resolve(
        self, reference: str, platform: Platform | None = None, *, prefixes: bool = True
    ) -> ResolvedImage:
        """Find an image by name, id or unique prefix of an id. Raise NotFoundError."""
        known = self._known(reference, platform, prefixes=prefixes)
        return ResolvedImage(known.id, known.image, known.layers)

    @contextlib.contextmanager
    def hold(self, reference: str, platform: Platform | None = None) -> Iterator[ResolvedImage]:
        """Resolve, and keep the layers from deletion until the ``with`` ends."""
        with self._scope.storage.layers.lease() as lease:
            found = self.resolve(reference, platform)
            for layer in found.layers:
                lease.hold(layer)
            with self._scope.hold(found.id):
                yield found

    def load(
        self, archive: AsyncIterator[bytes], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[LoadEvent]:
        """Take in a ``docker save`` archive or an OCI layout as a tar, plain or compressed.

        Of several platforms all are taken, or those asked for (NotFoundError if there is none).
        Raises MalformedArchiveError or MalformedLayerError (InvalidArgumentError both); then
        nothing of the archive stays but the images already told of.
        """
        return intake.load(self._scope, archive, platforms)

    def save(
        self, references: Sequence[str], platforms: Collection[Platform] = ()
    ) -> AsyncIterator[Buffer]:
        """Write images as one archive. A missing image or platform is a NotFoundError at once."""
        return packing.save(self._scope, packing.choose(self._scope, references, platforms))

    def pull(self, request: PullRequest) -> AsyncGenerator[TransferEvent, None]:
        """Bring an image in from a registry, telling how it goes (``pulling.py``)."""
        return self._puller.pull(request)

    def push(self, request: PushRequest) -> AsyncGenerator[TransferEvent, None]:
        """Bring a name's image to its registry, telling how it goes (``pushing.py``)."""
        return self._pusher.push(request)

    async def import_(self, archive: AsyncIterator[bytes], options: ImportOptions) -> Digest:
        """Make a one-layer image of a root file system's tar; return its id."""
        return await intake.import_(self._scope, archive, options)

    def import_from(self, url: str, options: ImportOptions) -> AsyncGenerator[FetchEvent, None]:
        """The same with the tar at an http(s) URL, which the daemon fetches. InvalidArgumentError:
        a bad URL; NotFoundError: nothing there; UnavailableError: the server is not reached."""
        return urlimport.import_from(self._scope, url, options)

    async def commit(self, child: ChildImage, read: Callable[[], Iterator[Buffer]]) -> Digest:
        """Make an image of another one and a layer, whose tar ``read`` gives; return its id.

        NotFoundError: the other one is gone; InvalidArgumentError: a bad name.
        """
        return (await committing.commit(self._scope, child, read)).id

    def building(self) -> contextlib.AbstractAsyncContextManager[Lease]:
        """Lease layers for a build; those that nothing came to need are swept at its end."""
        return intake.taking_in(self._scope)

    async def add_built(
        self, config: bytes, layers: Sequence[Digest], names: Sequence[Reference]
    ) -> Digest:
        """Make an image of layers that the caller's lease holds; return its id.

        The layers are flushed to the disk before. NotFoundError: one of them is gone.
        """
        found = [self._scope.storage.layers.get(layer) for layer in layers]
        await in_thread(self._scope.storage.writeback.finish)
        known = await intake.add(self._scope, config, found, names, origin="build")
        for name in names:
            self._scope.announce("tag", known, name=name.familiar)
        return known.id

    async def ensure_builtin(self, reference: str) -> Digest:
        """Make the image that ships as code, if ``reference`` names it; return its id."""
        return await intake.ensure_builtin(self._scope, reference)

    async def tag(self, source: str, repository: str, tag: str = "") -> None:
        """Name an image; the image that had the name before loses it."""
        await tagging.tag(self._scope, source, repository, tag)

    async def remove(
        self,
        reference: str,
        *,
        force: bool = False,
        prune_parents: bool = True,
        platforms: Collection[Platform] = (),
    ) -> builtins.list[RemovedImage]:
        """Take a name from an image or the image away, by Docker's rules (``removal.py``).

        With ``platforms`` only what the name keeps for these.
        """
        if platforms:
            return await to_the_end(
                removing.withdraw(self._scope, reference, platforms, force=force)
            )
        return await to_the_end(
            removing.remove(self._scope, reference, force=force, prune_parents=prune_parents)
        )

    async def prune(self, wanted: ImagePrune) -> Pruned:
        """Remove the images nobody uses, dangling ones or all. ConflictError: at it already."""
        return await to_the_end(pruning.prune(self._scope, wanted))

    async def restore(self, items: Sequence[TrashItem]) -> None:
        """Bring back what one removal took. ConflictError: a name is another's by now."""
        await to_the_end(trash.restore(self._scope, items))

    async def empty(self, items: Sequence[TrashItem]) -> int:
        """Let go of what the trash kept; return the bytes that came free."""
        return await to_the_end(trash.empty(self._scope, items))

    def trash_size(self, items: Sequence[TrashItem]) -> int:
        """Return the bytes of the layers that these alone need."""
        return trash.size(self._scope, items)

    def plan_prune(self, wanted: ImagePrune, without: Collection[str] = ()) -> Pruned:
        """Say what a prune would remove if the containers ``without`` were gone."""
        return pruning.foresee(self._scope, wanted, without)

    def list(self, query: ImageQuery) -> builtins.list[ImageSummary]:
        """Return the images that the query shows, newest first."""
        names = self._scope.catalog.names()
        parents = {known.record.parent for known in self._scope.catalog}
        rows = [
            listing.Row(known, names.get(known.id, []), str(known.id) in parents)
            for known in self._scope.catalog
            if query.all or known.id in names or not self._scope.catalog.variants(known.id)
        ]
        rows.sort(key=lambda row: (row.known.created_ns, str(row.known.id)), reverse=True)
        shown = listing.select(rows, query, lambda text: self._scope.find(text).created_ns)
        use = LayerUse.of(self._scope.catalog) if query.shared_size else None
        uses = self._scope.use_counts() if query.count_containers else None
        return [
            listing.summary(
                row,
                shared_size=NOT_COUNTED if use is None else use.shared_with_others(row.known),
                containers=NOT_COUNTED if uses is None else uses[str(row.known.id)],
                last_used_ns=self._scope.last_use.of(row.known),
                manifests=manifests_of(self._scope, row.names) if query.manifests else (),
            )
            for row in shown
        ]

    def inspect(
        self, reference: str, platform: Platform | None = None, *, manifests: bool = False
    ) -> ImageDetail:
        """Show an image in full, of a name's variants that for ``platform``."""
        row = self._row(reference, platform)
        storage = self._scope.storage
        where = storage.snapshots.layer_detail(row.known.layers)
        config = storage.blobs.read(row.known.id)
        return listing.detail(
            row,
            config,
            StorageDetail(storage.snapshots.name, where),
            self._scope.last_use.of(row.known),
            manifests_of(self._scope, row.names) if manifests else (),
        )

    def history(
        self, reference: str, platform: Platform | None = None
    ) -> builtins.list[HistoryStep]:
        """Return the steps that made an image, newest first."""
        row = self._row(reference, platform)
        rows = [row]
        while row.known.record.parent:
            parent = self._scope.catalog.find(Digest.parse(row.known.record.parent))
            if parent is None:
                break
            row = listing.Row(parent, self._scope.catalog.names_of(parent.id), is_parent=True)
            rows.append(row)
        return listing.history(rows)

    def layers(self, reference: str) -> builtins.list[LayerStep]:
        """Return its layers, lowest first, each with what made it. NotFoundError."""
        return listing.layers(self._row(reference))

    def count(self) -> int:
        """Return how many images there are."""
        return len(self._scope.catalog)

    def disk_usage(self) -> ImageDiskUsage:
        """Add up what the images take and what could be freed, from what is known of layers."""
        used = {use.image_id for use in self._scope.users.image_uses()}
        return usage.measure(self._scope.catalog, self._scope.sources, used)

    def used(self, image_id: str) -> None:
        """Remember that a container of this image was made, started or removed just now."""
        self._scope.last_use.record(image_id)

    def needed(self) -> Needed:
        """Return what images and containers need of the store."""
        scope = self._scope
        return Needed(
            layers=frozenset(scope.layers_in_use()),
            blobs=frozenset(scope.documents()),
            copies=frozenset(scope.sources.kept_here()),
            awaited=frozenset(scope.pulls.layers()),
        )

    def sweep(self) -> None:
        """Remove the layers that nobody needs and nobody works with."""
        self._scope.sweep(layer.digest for layer in self._scope.storage.layers.all())

    def standing_on(self, digest: Digest) -> tuple[str, ...]:
        """Return the images that a layer or config belongs to, by their names."""
        users = [known for known in self._scope.catalog if digest in (known.id, *known.layers)]
        names = self._scope.catalog.names()
        found: builtins.list[str] = []
        for known in users:
            called = names.get(known.id, [])
            tagged = [name.familiar for name in called if name.tag]
            found += tagged or [name.familiar for name in called] or [str(known.id)]
        return tuple(found)

    async def fetch_again(self, diff_id: Digest) -> str:
        """Bring a damaged layer from where it is known to be; return from where, or nothing."""
        return await refetching.fetch_again(self._scope, diff_id)

    async def recover(self, live_containers: Iterable[str], *, running: bool = False) -> None:
        """At start-up, before anything else: remove what a crash left half made or half removed.

        ``running``: some of the containers may have outlived the daemon.
        """
        await recovery.recover(self._scope, frozenset(live_containers), running=running)

    def _known(
        self, reference: str, platform: Platform | None, *, prefixes: bool = True
    ) -> KnownImage:
        known = self._scope.find(reference, platform, prefixes=prefixes)
        if platform is not None and not platform.asks_for(known.image.platform):
            raise NotFoundError(
                f"image with reference {reference} was found but its platform "
                f"({known.image.platform}) does not match the specified platform ({platform})"
            )
        return known

    def _row(self, reference: str, platform: Platform | None = None) -> listing.Row:
        known = self._known(reference, platform)
        return listing.Row(known, self._scope.catalog.names_of(known.id), is_parent=False)
