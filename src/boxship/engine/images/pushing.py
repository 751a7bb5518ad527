"""Push: from images in the store to names in a registry.

::

    name ─► its image, or its variants ─► layers, several at once ─► config ─► manifest
                                          (layerpush)                          ─► index ─► records

A name that was pulled for several platforms goes out for all of them, as an index of what is here:
whoever pulled them under one name wants to find them under one. (dockerd without containerd's store
can only keep, and so push, one.) ``--platform`` sends that one alone, as a manifest.

Every layer that has arrived is remembered at once, so a push that is repeated after ``kill -9``
sends only what is missing. Two pushes of one layer to one repository take turns; the second finds
it there.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import partial
from weakref import WeakValueDictionary

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.settings import Retries
from boxship.engine.images import manifests
from boxship.engine.images.bridge import all_or_none, in_thread, stoppable, telling
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.layerpush import LayerPush, Sender, Target
from boxship.engine.images.layersources import LayerSource
from boxship.engine.images.manifests import Document, PushedLayer
from boxship.engine.images.scope import ImageScope
from boxship.engine.images.variants import Variant
from boxship.model.event import EventType
from boxship.model.image import (
    LayerTransfer,
    PushBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci.digest import Digest
from boxship.oci.image import DOCKER_LAYER_TYPE, GZIP_LAYER_TYPE, Manifest, decode
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.compressing import workers

Tell = Callable[[TransferEvent], None]


@dataclass(frozen=True, slots=True)
class PushRequest:
    """What to push; a reference without a tag stands for all tags of the repository."""

    reference: Reference
    platform: Platform | None = None
    """Of several, this one; all if None."""
    credentials: Credentials | None = None
    image: Digest | None = None
    """This image, whatever it is called here; nothing is remembered of it."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One platform's image of a name, and the manifest it was pulled by, if it was."""

    known: KnownImage
    variant: Variant | None
    config: bytes
    manifest: bytes | None


@dataclass(frozen=True, slots=True)
class _Shipment:
    """What one push works with."""

    request: PushRequest
    target: Target
    executor: Executor
    tell: Tell
    cancel: Cancel = field(default_factory=Cancel)


class Pusher:
    """Pushes for one engine. Belongs to the event loop."""

    def __init__(self, scope: ImageScope, at_most: int, retries: Retries | None = None) -> None:
        self._scope = scope
        self._retries = retries or Retries()
        self._slots = asyncio.Semaphore(at_most)
        self._turns = WeakValueDictionary[tuple[str, Digest], asyncio.Lock]()

    def set_limit(self, at_most: int) -> None:
        """Let so many layers go out at once from now on; those under way keep their slots."""
        self._slots = asyncio.Semaphore(at_most)

    async def push(self, request: PushRequest) -> AsyncGenerator[TransferEvent, None]:
        """Push, and tell how it goes. Closing the generator cancels what is under way.

        Raises NotFoundError before anything is told when the name has no image for the platform,
        and later the errors of ``distribution.errors``, NotFoundError (no such name) or
        DamagedLayerError.
        """
        if request.platform is not None:
            self._parts(request.reference.with_default_tag(), request.platform)
        yield PushBegun(request.reference.name)
        events = telling(partial(self._push, request))
        async with contextlib.aclosing(events):
            async for event in events:
                yield event

    async def _push(self, request: PushRequest, tell: Tell) -> None:
        one = request.reference.with_default_tag()
        names = [one] if request.image else self._names(request.reference)
        find = partial(self._scope.registries.repository, request.reference, request.credentials)
        target = await in_thread(find)
        executor = workers()
        try:
            for name in names:
                await self._push_name(name, _Shipment(request, target, executor, tell))
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        if request.image is None:
            self._announce(request.reference)

    def _names(self, asked: Reference) -> list[Reference]:
        """Return the names to push. Raise as dockerd does when there are none."""
        if asked.digest:
            raise InvalidArgumentError("cannot push a digest reference")
        tagged = [name for name, _ in self._scope.catalog.in_repository(asked)]
        if not tagged:
            text = asked.familiar_name
            raise NotFoundError(f"An image does not exist locally with the tag: {text}")
        if asked.tag and asked not in tagged:
            raise NotFoundError(f"tag does not exist: {asked.familiar}")
        return [asked] if asked.tag else tagged

    async def _push_name(self, name: Reference, shipment: _Shipment) -> None:
        platform, image = shipment.request.platform, shipment.request.image
        with self._scope.storage.layers.lease() as lease:
            alone = None if image is None else self._scope.find(str(image))
            chosen = [(alone, None)] if alone is not None else self._parts(name, platform)
            for known, _ in chosen:
                for layer in known.layers:
                    lease.hold(layer)
            parts = [await asyncio.to_thread(self._read, *pair) for pair in chosen]
            documents = [await self._push_part(part, shipment) for part in parts]
        top = documents[0]
        if len(documents) > 1:
            for document in documents:
                await self._put(document, document.digest, shipment)
            top = await asyncio.to_thread(self._index, parts, documents)
        await self._put(top, name.tag, shipment)
        if image is None:
            await self._record(name, parts[0].known, top.digest)
        shipment.tell(TransferDigest(str(top.digest), name.tag, len(top.data)))

    def _parts(
        self, name: Reference, platform: Platform | None
    ) -> list[tuple[KnownImage, Variant | None]]:
        """Choose the images that go out for a name, the host's first."""
        catalog = self._scope.catalog
        variants = catalog.variants_of(name)
        if platform is None and len(variants) > 1:
            preferred = catalog.named(name)
            found = [(catalog.find(variant.image_id), variant) for variant in variants]
            parts = [(known, variant) for known, variant in found if known is not None]
            return sorted(parts, key=lambda part: preferred is None or part[0].id != preferred.id)
        known = self._scope.find(name.familiar, platform)
        if platform is not None and not platform.asks_for(known.image.platform):
            raise NotFoundError(
                f"image with reference {name.familiar} was found but its platform "
                f"({known.image.platform}) does not match the specified platform ({platform})"
            )
        of_image = catalog.variants(known.id)
        of_image.sort(key=lambda pair: (pair[0] != name, -pair[1].at_ns))
        return [(known, of_image[0][1] if of_image else None)]

    def _read(self, known: KnownImage, variant: Variant | None) -> _Part:
        """Read the documents. Without its manifest an image is as one that came without."""
        blobs = self._scope.storage.blobs
        manifest = None
        with contextlib.suppress(NotFoundError):
            manifest = blobs.read(variant.manifest) if variant else None
        return _Part(known, variant, blobs.read(known.id), manifest)

    async def _push_part(self, part: _Part, shipment: _Shipment) -> Document:
        """Bring layers and config there; return the manifest, which isn't there yet."""
        sizes = dict(zip(part.known.layers, part.known.record.layer_sizes, strict=True))
        top_first = dict.fromkeys(reversed(part.known.layers))
        for diff_id in reversed(part.known.layers):
            shipment.tell(LayerTransfer(str(diff_id), TransferPhase.PREPARING))
        tasks = {
            diff_id: asyncio.create_task(self._push_layer(diff_id, sizes[diff_id], part, shipment))
            for diff_id in top_first
        }
        await all_or_none(tasks.values())
        await stoppable(partial(_send_config, part, shipment), shipment.cancel.cancel)
        pushed = [tasks[diff_id].result() for diff_id in part.known.layers]
        return manifests.manifest(part.config, pushed, part.manifest)

    async def _push_layer(
        self, diff_id: Digest, size: int, part: _Part, shipment: _Shipment
    ) -> PushedLayer:
        async with self._turn(shipment, diff_id):
            oci = manifests.is_oci(part.manifest)
            forms = _forms(self._scope.sources.of(diff_id), part.manifest, oci=oci)
            sender = Sender(
                shipment.target,
                self._scope.storage,
                shipment.executor,
                shipment.cancel,
                self._retries,
                shipment.tell,
                self._scope.keep_blobs,
            )
            layer = LayerPush(diff_id, size, manifests.layer_type(oci=oci), forms)
            arrived = await stoppable(partial(sender.send, layer), shipment.cancel.cancel)
            # Remembered first: whoever was told may kill us, and begins the next push with it.
            await self._scope.sources.add(arrived.sources)
            shipment.tell(arrived.event)
            return arrived.layer

    @contextlib.asynccontextmanager
    async def _turn(self, shipment: _Shipment, diff_id: Digest) -> AsyncGenerator[None, None]:
        """Wait for a push of the same layer to the same place, then for a free slot."""
        key = (shipment.target.name.name, diff_id)
        lock = self._turns.setdefault(key, asyncio.Lock())
        if lock.locked() or self._slots.locked():
            shipment.tell(LayerTransfer(str(diff_id), TransferPhase.WAITING))
        async with lock, self._slots:
            yield

    async def _put(self, document: Document, place: str | Digest, shipment: _Shipment) -> None:
        put = partial(shipment.target.put_manifest, place, document.media_type, document.data)
        await stoppable(partial(put, shipment.cancel), shipment.cancel.cancel)

    def _index(self, parts: Sequence[_Part], documents: Sequence[Document]) -> Document:
        variants = [part.variant for part in parts if part.variant is not None]
        entries = [
            manifests.Entry(variant.platform, document, variant.manifest)
            for variant, document in zip(variants, documents, strict=True)
        ]
        original = None
        with contextlib.suppress(NotFoundError):
            kept = variants[0].index
            original = self._scope.storage.blobs.read(kept) if kept else None
        return manifests.index(entries, original)

    async def _record(self, name: Reference, known: KnownImage, digest: Digest) -> None:
        """Remember under which digest the image is there now."""
        by_digest = name.with_digest(digest)
        async with self._scope.changing:
            present = self._scope.catalog.find(known.id)
            if present is not None and self._scope.catalog.named(by_digest) is None:
                await self._scope.catalog.put(present, [by_digest])

    def _announce(self, pushed: Reference) -> None:
        known = self._scope.catalog.named(pushed)
        attributes = {**(known.labels if known else {}), "name": pushed.familiar_name}
        self._scope.events.publish(EventType.IMAGE, "push", pushed.familiar, attributes)


def _send_config(part: _Part, shipment: _Shipment) -> None:
    target, digest = shipment.target, part.known.id
    if target.has_blob(digest, shipment.cancel) is None:
        target.upload([part.config], shipment.cancel, digest=digest, size=len(part.config))


def _forms(
    known: Sequence[LayerSource], manifest: bytes | None, *, oci: bool
) -> tuple[LayerSource, ...]:
    """Choose the forms of a layer that its manifest may name; those it names already come first.

    Docker's manifests know gzip alone.
    """
    layers = decode(manifest, Manifest).layers if manifest is not None else ()
    listed = {entry.digest for entry in layers or ()}
    gzip = (DOCKER_LAYER_TYPE, GZIP_LAYER_TYPE)
    usable = [f for f in known if oci or f.media_type in gzip or str(f.digest) in listed]
    return tuple(sorted(usable, key=lambda form: str(form.digest) not in listed))
