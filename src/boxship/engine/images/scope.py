"""What the use cases of images share: the stores, the catalog, and three small habits.

Looking up, announcing and sweeping are here because every use case needs them.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import msgspec
from msgspec import Struct

from boxship.base.clock import Clock
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.registries import Registries
from boxship.engine.events.bus import EventBus
from boxship.engine.images.catalog import Catalog, KnownImage
from boxship.engine.images.kept import KeptLayers
from boxship.engine.images.lastuse import LastUse
from boxship.engine.images.layersources import LayerSource, LayerSources
from boxship.engine.images.pulls import UnfinishedPulls
from boxship.engine.images.users import ImageUse, ImageUsers, NoUsers
from boxship.engine.records.trash import TrashBin
from boxship.model.event import EventType
from boxship.oci import reference
from boxship.oci.digest import Digest, DigestError
from boxship.oci.platform import Platform
from boxship.oci.reference import InvalidReferenceError, Reference
from boxship.storage.storage import Storage


class _Needs(Struct, frozen=True):
    """What an image in the trash needs of the store; see ``trash.py`` for the rest of it."""

    layers: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


@dataclass
class ImageScope:
    """Belongs to the event loop. ``changing`` is held while records and names change.

    A container that is being made has no record yet. ``held`` counts such uses of an image, so that
    a prune leaves it; and who is just about to be removed (``going``) is not given to new ones.
    """

    catalog: Catalog
    sources: LayerSources
    pulls: UnfinishedPulls
    kept: KeptLayers
    storage: Storage
    registries: Registries
    events: EventBus
    clock: Clock
    last_use: LastUse
    trash: TrashBin
    users: ImageUsers = field(default_factory=NoUsers)
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    keep_blobs: bool = False
    """Whether compressed layers that come or go are kept beside the unpacked ones."""
    pruning: asyncio.Lock = field(default_factory=asyncio.Lock)
    held: Counter[Digest] = field(default_factory=Counter)
    going: set[Digest] = field(default_factory=set)

    @contextlib.contextmanager
    def hold(self, image_id: Digest) -> Iterator[None]:
        """Let no prune take an image. Raise NotFoundError if it is on its way out."""
        if image_id in self.going:
            raise NotFoundError(f"No such image: {image_id}")
        self.held[image_id] += 1
        try:
            yield
        finally:
            self.held[image_id] -= 1
            self.held = +self.held

    def is_held(self, image_id: Digest) -> bool:
        return image_id in self.held

    @contextlib.contextmanager
    def leaving(self, image_id: Digest | None) -> Iterator[None]:
        """Say that an image is being removed, while its record is taken from the database."""
        gone = {image_id} if image_id else set()
        self.going |= gone
        try:
            yield
        finally:
            self.going -= gone

    def find(
        self, text: str, platform: Platform | None = None, *, prefixes: bool = True
    ) -> KnownImage:
        """Find an image as Docker does: whole id, then name, then the prefix of one id.

        Of a name's variants it is the one for ``platform``, if there is one.
        Raise NotFoundError, also if the prefix fits several; InvalidArgumentError if ``text``
        cannot be a reference at all.
        """
        if (image_id := whole_id(text)) is not None:
            known, text = self.catalog.find(image_id), str(image_id)
        else:
            name = parsed(text)
            known = self.catalog.resolve(name, platform) or self.catalog.named(name)
            if known is None and prefixes:
                candidates = self.catalog.with_prefix(text)
                known = candidates[0] if len(candidates) == 1 else None
            text = name.with_default_tag().familiar
        if known is None:
            raise NotFoundError(f"No such image: {text}")
        return known

    def announce(self, action: str, known: KnownImage, *, name: str = "", actor: str = "") -> None:
        """Publish an event about an image, whose id stands for actor and name unless given."""
        attributes = {**known.labels, "name": name or str(known.id)}
        self.events.publish(EventType.IMAGE, action, actor or str(known.id), attributes)

    def use_counts(self) -> Counter[str]:
        """Return how many containers there are of each image, by its id."""
        return Counter(use.image_id for use in self.users.image_uses())

    def uses_of(self, image_id: Digest) -> list[ImageUse]:
        """Return the containers made from an image."""
        return [use for use in self.users.image_uses() if use.image_id == str(image_id)]

    def needed_layers(self) -> set[Digest]:
        """Return the layers that images, containers and unfinished pulls stand on."""
        return self.layers_in_use() | self.pulls.layers()

    def layers_in_use(self) -> set[Digest]:
        """Return the layers that images, containers and builds stand on: all of them are there."""
        used = {layer for known in self.catalog for layer in known.layers} | self.kept.layers()
        used.update(self.users.layers_in_use())
        used.update(self._in_trash("layers"))
        return used

    def _in_trash(self, what: str) -> Iterator[Digest]:
        for item in self.trash.of(EventType.IMAGE):
            for text in getattr(msgspec.json.decode(item.body, type=_Needs), what):
                yield Digest.parse(text)

    def documents(self) -> set[Digest]:
        """Return the configs, manifests and indexes that images, removed ones too, need."""
        return self.catalog.documents() | set(self._in_trash("documents"))

    async def drop_documents(self, candidates: Iterable[Digest]) -> None:
        """Remove those configs, manifests and indexes that nobody needs; hold ``changing``."""
        needed = self.documents() | self.sources.kept_here()
        doomed = [digest for digest in candidates if digest not in needed]
        for digest in doomed:
            await asyncio.to_thread(self.storage.blobs.remove, digest)

    async def remember_kept(self, *forms: LayerSource) -> None:
        """Remember those compressed layers that really are in the blob store."""
        if self.keep_blobs:
            await self.sources.add(f for f in forms if self.storage.blobs.has(f.digest))

    def sweep(self, candidates: Iterable[Digest]) -> int:
        """Remove those layers that nobody needs any more; return how many bytes came free.

        On the loop and in one go, so that no image can appear between the decision and the deed.
        """
        layers = self.storage.layers
        found = [layer for each in set(candidates) if (layer := layers.look(each)) is not None]
        layers.remove([layer.digest for layer in found], self.needed_layers())
        gone = [layer for layer in found if layers.look(layer.digest) is None]
        kept = self.sources.kept_sizes(layer.digest for layer in gone)
        freed = sum(layer.size for layer in gone)
        for blob in self.sources.forget(layer.digest for layer in gone):
            self.storage.blobs.remove(blob)
            freed += kept.get(blob, 0)
        return freed


def whole_id(text: str) -> Digest | None:
    """Read ``sha256:<hex>`` or 64 hex digits; None for anything else."""
    try:
        return Digest.parse(text if ":" in text else f"sha256:{text}")
    except DigestError:
        return None


def parsed(text: str) -> Reference:
    """Read a reference. Raise InvalidArgumentError."""
    try:
        return reference.parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(str(error)) from error
