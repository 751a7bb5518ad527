"""Images in the trash: what is kept of what a removal takes away, and putting it back.

A removal takes names away, and images: that one and perhaps its other platforms and those it was
built on. Each step is an item of its own, committed with what it takes, and all of one removal have
one lot. Their layers and documents stay, because what is in the trash needs them.
"""

import asyncio
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct

from boxship.base.errors import ConflictError
from boxship.base.ids import new_id
from boxship.engine.images import variants
from boxship.engine.images.catalog import ImageRecord, KnownImage, understand
from boxship.engine.images.scope import ImageScope
from boxship.engine.images.variants import Variant
from boxship.engine.records.trash import TrashItem
from boxship.model.event import EventType
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference


class RemovedNames(Struct, frozen=True):
    """One step of a removal: names of an image, what they keep for each platform, its record.

    Without a record the image itself stayed. ``documents`` are blobs in the store.
    """

    image_id: str
    names: tuple[str, ...]
    variants: tuple[tuple[object, ...], ...] = ()
    """Rows of the table."""
    record: ImageRecord | None = None
    layers: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()


def item_of(
    scope: ImageScope, known: KnownImage, names: Sequence[Reference], *, deleted: bool, lot: str
) -> TrashItem | None:
    """Return what a step of a removal becomes in the trash; None if there is none."""
    if not scope.trash.is_on:
        return None
    kept = [(name, variant) for name in names for variant in scope.catalog.variants_of(name)]
    documents = {known.id}.union(*(variant.documents for _, variant in kept))
    body = RemovedNames(
        image_id=str(known.id),
        names=tuple(map(str, names)),
        variants=tuple(variants.row(name, variant) for name, variant in kept),
        record=known.record if deleted else None,
        layers=tuple(map(str, known.layers)),
        documents=tuple(map(str, sorted(documents))),
    )
    shown = ", ".join(name.familiar for name in names) or known.id.short
    encoded = msgspec.json.encode(body)
    return scope.trash.item(EventType.IMAGE, new_id(), shown, encoded, lot)


def read(item: TrashItem) -> RemovedNames:
    """Read what :func:`item_of` wrote."""
    return msgspec.json.decode(item.body, type=RemovedNames)


def _digests(texts: Iterable[str]) -> set[Digest]:
    return {Digest.parse(text) for text in texts}


async def restore(scope: ImageScope, items: Sequence[TrashItem]) -> None:
    """Put back what one removal took; what bears no name first.

    ConflictError: a name is another image's by now, or an image is gone for good.
    """
    async with scope.changing:
        items = _with_images(scope, items)
        found = sorted(((item, read(item)) for item in items), key=_images_first)
        coming = {body.image_id for _, body in found if body.record is not None}
        for _, body in found:
            _check(scope, body, coming)
        for item, body in found:
            await _put_back(scope, item, body)


def _images_first(pair: tuple[TrashItem, RemovedNames]) -> tuple[bool, bool]:
    """Put what others of one removal lead to before them."""
    body = pair[1]
    return body.record is None, bool(body.names)


def _with_images(scope: ImageScope, items: Sequence[TrashItem]) -> list[TrashItem]:
    """Add the lots that have the images of names, where these went before them."""
    found = {item.id: item for item in items}
    for body in map(read, items):
        if body.record is None and scope.catalog.find(Digest.parse(body.image_id)) is None:
            for other in scope.trash.of(EventType.IMAGE):
                if read(other).record is not None and read(other).image_id == body.image_id:
                    found.update((each.id, each) for each in scope.trash.lot(other))
    return list(found.values())


def _check(scope: ImageScope, body: RemovedNames, coming: set[str]) -> None:
    if body.image_id not in coming and scope.catalog.find(Digest.parse(body.image_id)) is None:
        raise ConflictError(f"image {body.image_id} is gone, and its names with it")
    for text in body.names:
        owner = scope.catalog.named(reference.parse_canonical(text))
        if owner is not None and str(owner.id) != body.image_id:
            raise ConflictError(
                f"{reference.parse_canonical(text).familiar} is the name of another image by now: "
                "give that another name first"
            )


async def _put_back(scope: ImageScope, item: TrashItem, body: RemovedNames) -> None:
    image_id = Digest.parse(body.image_id)
    known = scope.catalog.find(image_id)
    if known is None:
        assert body.record is not None
        config = await asyncio.to_thread(scope.storage.blobs.read, image_id)
        known = understand(body.record, config)
    names = [reference.parse_canonical(text) for text in body.names]
    kept = _variants_here(scope, known, body)
    await scope.catalog.put(known, names, kept, scope.trash.taking(item))
    scope.trash.taken(item)
    scope.announce("restore", known, name=names[0].familiar if names else "")


def _variants_here(scope: ImageScope, known: KnownImage, body: RemovedNames) -> list[Variant]:
    """Return, once each, the variants whose images are there."""
    rows = [variants.restored(row)[1] for row in body.variants]
    wanted = {variant.platform: variant for variant in rows}
    there = scope.catalog.find
    return [v for v in wanted.values() if v.image_id == known.id or there(v.image_id) is not None]


async def empty(scope: ImageScope, items: Sequence[TrashItem]) -> int:
    """Let go of what the trash kept of images; its records are gone. Return the freed bytes."""
    bodies = [read(item) for item in items]
    async with scope.changing:
        await scope.drop_documents({d for body in bodies for d in _digests(body.documents)})
    return scope.sweep({layer for body in bodies for layer in _digests(body.layers)})


def size(scope: ImageScope, items: Sequence[TrashItem]) -> int:
    """Return the bytes of the layers that these items alone need."""
    ours = {item.id for item in items}
    others = [item for item in scope.trash.of(EventType.IMAGE) if item.id not in ours]
    needed = {layer for known in scope.catalog for layer in known.layers}
    needed.update(scope.users.layers_in_use(), scope.pulls.layers())
    needed.update(layer for item in others for layer in _digests(read(item).layers))
    alone = {layer for item in items for layer in _digests(read(item).layers)} - needed
    found = (scope.storage.layers.look(layer) for layer in alone)
    return sum(layer.size for layer in found if layer is not None)
