"""Remove the images nobody uses: dangling ones, or all that no container was made from.

Which ones is decided first and printed as a list of references (:func:`plan`, pure); then each is
removed as ``rmi`` without force would, one at a time, so that creates, pulls and loads get their
turn in between. What came into use meanwhile refuses to go and stays.

A tag is not what keeps an image from a prune of *all*, a container is; and what a container is just
being made from counts as used. ``unused_for`` is ours: it spares images that were used, tagged or
added within that time.

What pulls that broke off have left goes as well.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from boxship.base.errors import ConflictError, NotFoundError
from boxship.base.ids import new_id
from boxship.engine.images import removing
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.scope import ImageScope
from boxship.model.event import EventType
from boxship.model.image import Deleted, ImagePrune, Pruned, RemovedImage, Untagged
from boxship.model.labels import ANY_LABELS
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image as the plan sees it."""

    known: KnownImage
    names: tuple[Reference, ...]
    has_children: bool
    last_used_ns: int
    in_use: bool = False


def plan(candidates: Iterable[Candidate], wanted: ImagePrune, now_ns: int) -> list[str]:
    """Return references to remove, newest image first: names, or ids of untagged images."""
    chosen = [each for each in candidates if _is_wanted(each, wanted, now_ns)]
    chosen.sort(key=lambda each: (each.known.created_ns, str(each.known.id)), reverse=True)
    return [reference for each in chosen for reference in _references(each)]


async def prune(scope: ImageScope, wanted: ImagePrune) -> Pruned:
    """Do it. ConflictError while another one is at it."""
    if scope.pruning.locked():
        raise ConflictError("a prune operation is already running")
    async with scope.pruning:
        removed: list[RemovedImage] = []
        reclaimed = scope.sweep(_abandoned(scope, wanted))
        lots: dict[Digest, str] = defaultdict(new_id)  # names go one by one, and come back together
        for reference in plan(_candidates(scope), wanted, scope.clock.now_ns()):
            gone = await _removed(scope, reference, lots)
            removed += gone.removed
            reclaimed += scope.sweep(gone.layers)
    scope.events.publish(EventType.IMAGE, "prune", "", {"reclaimed": str(reclaimed)})
    return Pruned(tuple(removed), reclaimed)


def foresee(scope: ImageScope, wanted: ImagePrune, without: Collection[str] = ()) -> Pruned:
    """Say what :func:`prune` would do if the containers ``without`` were gone.

    What has a name goes with the last of its names; what pulls that broke off have left is not
    counted.
    """
    now_ns = scope.clock.now_ns()
    chosen = [each for each in _candidates(scope, without) if _is_wanted(each, wanted, now_ns)]
    chosen.sort(key=lambda each: (each.known.created_ns, str(each.known.id)), reverse=True)
    going = {each.known.id for each in chosen}
    kept = {layer for known in scope.catalog if known.id not in going for layer in known.layers}
    kept.update(scope.users.layers_in_use(without), scope.kept.layers())
    freed = {
        layer: size
        for each in chosen
        for layer, size in zip(each.known.layers, each.known.record.layer_sizes, strict=True)
        if layer not in kept
    }
    removed: list[RemovedImage] = []
    for each in chosen:
        removed += [Untagged(name.familiar) for name in each.names]
        removed.append(Deleted(str(each.known.id)))
    return Pruned(tuple(removed), sum(freed.values()))


def _abandoned(scope: ImageScope, wanted: ImagePrune) -> set[Digest]:
    """Forget the pulls that broke off and that nobody has gone on with; return their layers."""
    if wanted.labels != ANY_LABELS:
        return set()  # they are no images yet, and have none
    until = scope.clock.now_ns() - (wanted.unused_for_ns or 0)
    if wanted.until_ns is not None:
        until = min(until, wanted.until_ns)
    return scope.pulls.abandon(until, scope.storage.layers.is_leased)


async def _removed(scope: ImageScope, reference: str, lots: Mapping[Digest, str]) -> removing.Gone:
    gone = removing.Gone()
    async with scope.changing:
        try:
            image_id = scope.find(reference).id
            gone.lot = lots[image_id]
            if not scope.is_held(image_id):
                await removing.take(scope, reference, gone, force=False, prune_parents=True)
        except (ConflictError, NotFoundError):
            pass  # in use by now, or gone already
    return gone


def _candidates(scope: ImageScope, without: Collection[str] = ()) -> list[Candidate]:
    """Gather the images. A name's other platforms come and go with the name, also in being used.

    The containers ``without`` don't count.
    """
    catalog = scope.catalog
    names = catalog.names()
    parents = {known.record.parent for known in catalog}
    uses = [use for use in scope.users.image_uses() if use.container_id not in without]
    used = {use.image_id for use in uses} | set(map(str, scope.held))
    kept = catalog.variants()
    for name, variant in kept:
        if str(variant.image_id) in used and (known := catalog.named(name)) is not None:
            used.add(str(known.id))
    along = {variant.image_id for _, variant in kept} - names.keys()
    return [
        Candidate(
            known,
            tuple(names.get(known.id, ())),
            str(known.id) in parents,
            scope.last_use.of(known),
            str(known.id) in used,
        )
        for known in catalog
        if known.id not in along
    ]


def _is_wanted(candidate: Candidate, wanted: ImagePrune, now_ns: int) -> bool:
    known, record = candidate.known, candidate.known.record
    # Without a name and with descendants it is a step on the way to them; it goes with the last.
    if candidate.in_use or (candidate.has_children and not candidate.names):
        return False
    if not wanted.all and (candidate.has_children or any(name.tag for name in candidate.names)):
        return False
    if wanted.until_ns is not None and not 0 < known.created_ns <= wanted.until_ns:
        return False
    if wanted.unused_for_ns is not None:
        last = max(candidate.last_used_ns, record.last_tagged_ns, record.added_ns)
        if now_ns - last < wanted.unused_for_ns:
            return False
    return wanted.labels.admits(known.labels)


def _references(candidate: Candidate) -> list[str]:
    return [str(name) for name in candidate.names] or [str(candidate.known.id)]
