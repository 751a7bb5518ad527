"""Carry out what ``removal.py`` decides: names, record, config, then the layers nobody needs.

A crash in between leaves layers without a record, which the next start removes.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from boxship.base.ids import new_id
from boxship.engine.images import removal
from boxship.engine.images.catalog import KnownImage, favour_digest
from boxship.engine.images.scope import ImageScope, parsed, whole_id
from boxship.engine.images.trash import item_of
from boxship.engine.images.variants import Variant
from boxship.model.image import Deleted, RemovedImage, Untagged
from boxship.oci.digest import Digest
from boxship.oci.image import chain_id
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference


@dataclass
class Gone:
    """What a removal has done so far; ``layers`` are candidates for the sweep."""

    removed: list[RemovedImage] = field(default_factory=list)
    layers: set[Digest] = field(default_factory=set)
    lot: str = field(default_factory=new_id)
    """What brings together in the trash what went together."""


async def remove(
    scope: ImageScope, reference: str, *, force: bool, prune_parents: bool
) -> list[RemovedImage]:
    """Take a name from an image or the image away. NotFoundError, ConflictError."""
    gone = Gone()
    async with scope.changing:
        await take(scope, reference, gone, force=force, prune_parents=prune_parents)
    scope.sweep(gone.layers)
    return gone.removed


async def take(
    scope: ImageScope, reference: str, gone: Gone, *, force: bool, prune_parents: bool
) -> None:
    """The same without the sweep; ``scope.changing`` is held."""
    known = scope.find(reference)
    decision: removal.Removal | None = _decide(scope, known, reference, force=force)
    while decision is not None:
        gone.removed += await _apply(scope, known, decision, gone)
        if not decision.delete:
            return
        parent = _parent(scope, known) if prune_parents else None
        if parent is None:
            return
        known, decision = parent, _decide_parent(scope, parent)


async def withdraw(
    scope: ImageScope, reference: str, wanted: Collection[Platform], *, force: bool
) -> list[RemovedImage]:
    """Take some platforms from a name, or the whole name if nothing else is kept for it.

    NotFoundError: there is nothing for one of ``wanted``; ConflictError as for ``remove``.
    """
    gone = Gone()
    async with scope.changing:
        kept = () if whole_id(reference) else scope.catalog.variants_of(parsed(reference))
        offered = [v.platform for v in kept] or [scope.find(reference).image.platform]
        removal.check_offered(reference, offered, wanted)
        chosen = [v for v in kept if any(one.asks_for(v.platform) for one in wanted)]
        if len(chosen) == len(kept):
            await take(scope, reference, gone, force=force, prune_parents=True)
        else:
            if not force:
                removal.check_unused([use for v in chosen for use in scope.uses_of(v.image_id)])
            await scope.catalog.withdraw(_sharing(scope, parsed(reference), chosen), chosen)
            dropped = await _drop_unused(scope, chosen, gone.lot)
            gone.removed += _told(scope, dropped, gone.layers)
            await _drop_documents(scope, dropped, chosen)
    scope.sweep(gone.layers)
    return gone.removed


def _sharing(scope: ImageScope, name: Reference, chosen: Sequence[Variant]) -> list[Reference]:
    """Return the name, and the digests of its repository that no other tag of it stands for."""
    catalog, index = scope.catalog, chosen[0].index
    name = favour_digest(name)
    same = [
        other
        for other, variant in catalog.variants()
        if other.name == name.name and other != name and variant.index == index
    ]
    if name.digest or any(other.tag for other in same):
        return [name]
    return [name, *dict.fromkeys(same)]


def _parent(scope: ImageScope, known: KnownImage) -> KnownImage | None:
    parent = known.record.parent
    return scope.catalog.find(Digest.parse(parent)) if parent else None


def _decide(
    scope: ImageScope, known: KnownImage, reference: str, *, force: bool
) -> removal.Removal:
    target = _target(scope, known)
    if whole_id(reference) is None:
        asked = parsed(reference)
        name = favour_digest(asked)
        if name in target.names:
            return removal.by_name(target, name, asked, force=force)
    return removal.by_id(target, force=force)


def _decide_parent(scope: ImageScope, parent: KnownImage) -> removal.Removal | None:
    unused = removal.is_unused(_target(scope, parent))
    return removal.Removal((), delete=True) if unused else None


def _target(scope: ImageScope, known: KnownImage) -> removal.Target:
    return removal.Target(
        known.id,
        scope.catalog.names_of(known.id),
        bool(scope.catalog.children(known.id)),
        scope.uses_of(known.id),
    )


async def _apply(
    scope: ImageScope, known: KnownImage, decision: removal.Removal, so_far: Gone
) -> list[RemovedImage]:
    """Do it; the layers of ``so_far`` grow by those that may have become superfluous."""
    catalog = scope.catalog
    variants = [v for name in decision.untag for v in catalog.variants_of(name)]
    kept = item_of(scope, known, decision.untag, deleted=decision.delete, lot=so_far.lot)
    deleted = known.id if decision.delete else None
    with scope.leaving(deleted):
        await catalog.remove(decision.untag, deleted, scope.trash.putting(kept))
    scope.trash.put(kept)
    removed: list[RemovedImage] = []
    removed += [Untagged(name.familiar) for name in decision.untag]
    for name in decision.untag:
        if name not in decision.along:
            scope.announce("untag", known)
    gone = [known] if decision.delete else []
    others = [v for v in variants if v.image_id != known.id]
    gone += await _drop_unused(scope, others, so_far.lot)
    removed += _told(scope, gone, so_far.layers)
    await _drop_documents(scope, gone, variants)
    return removed


async def _drop_unused(
    scope: ImageScope, variants: Iterable[Variant], lot: str
) -> list[KnownImage]:
    """Remove the images of variants that no name has any more and nothing else keeps."""
    gone = []
    for image_id in dict.fromkeys(variant.image_id for variant in variants):
        other = scope.catalog.find(image_id)
        if other is not None and _is_unused(scope, other):
            with scope.leaving(image_id):
                kept = item_of(scope, other, (), deleted=True, lot=lot)
                await scope.catalog.remove((), image_id, scope.trash.putting(kept))
                scope.trash.put(kept)
            gone.append(other)
    return gone


def _told(scope: ImageScope, gone: Iterable[KnownImage], layers: set[Digest]) -> list[RemovedImage]:
    """Say of images that they are gone; ``layers`` grows by theirs."""
    removed: list[RemovedImage] = []
    for image in gone:
        layers.update(image.layers)
        scope.last_use.forget(image.id)
        removed.append(Deleted(str(image.id)))
        removed += [Deleted(str(chain)) for chain in _freed_chains(scope, image)]
        scope.announce("delete", image)
    return removed


async def _drop_documents(
    scope: ImageScope, gone: Iterable[KnownImage], variants: Iterable[Variant]
) -> None:
    documents = {image.id for image in gone}.union(*(v.documents for v in variants))
    await scope.drop_documents(documents)


def _is_unused(scope: ImageScope, known: KnownImage) -> bool:
    """Tell whether nothing keeps an image that was the variant of a name."""
    catalog = scope.catalog
    if catalog.names_of(known.id) or catalog.variants(known.id) or scope.is_held(known.id):
        return False
    return not (catalog.children(known.id) or scope.uses_of(known.id))


def _freed_chains(scope: ImageScope, gone: KnownImage) -> Iterator[Digest]:
    """Yield the chain ids that only this image had, topmost first, as Docker tells them.

    A chain is a stack from the bottom, so others have those up to where their layers differ.
    """
    shared = max((_common(known.layers, gone.layers) for known in scope.catalog), default=0)
    in_use = {*scope.users.layers_in_use(), *scope.kept.layers()}
    for height in range(len(gone.layers), shared, -1):
        chain = chain_id(gone.layers[:height])
        if chain is not None and gone.layers[height - 1] not in in_use:
            yield chain


def _common(one: Sequence[Digest], other: Sequence[Digest]) -> int:
    """Return how many layers two images have in common, from the lowest on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((n for n, (a, b) in pairs if a != b), min(len(one), len(other)))
