"""Images as caches: what ``--cache-from`` of the classic builder means.

An image's history says by which instructions each of its layers was made. A step that stands on the
same layers, made by the same instructions, and that comes next in an image's history, has that
image's next layer as its result. Copies are told apart by what they copy, which the history has as
``file:<digest>``. Only the histories are looked at, so whoever names an image trusts it. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from boxship.base.clock import parse_rfc3339
from boxship.base.errors import BoxshipError
from boxship.dockerfile.places import Range
from boxship.engine.build.planning.wish import Chain, PlannedHistory
from boxship.engine.build.planning.words import COPIED
from boxship.engine.build.results import EMPTY_LAYER, Result
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image
from boxship.solver.graph import Vertex
from boxship.solver.operations import Exec, FileActions


@dataclass(frozen=True, slots=True)
class FoundLayer:
    """A layer of an image that a step's result is, and when it was made (ns)."""

    layer: Digest
    at_ns: int


def with_copied(text: str, copied: str, layer: Digest) -> str:
    """Say in a step's history what it copied; of results of before, that is the layer."""
    return text.replace(COPIED, copied if ":" in copied else f"{copied or 'multi'}:{layer.hex}")


@dataclass(frozen=True, slots=True)
class ImageCache:
    """The images that a build may take layers from, and how its stages come about."""

    images: tuple[Image, ...]
    chains: tuple[Chain, ...]

    def find(self, vertex: Vertex[Range], root: Result, copied: str) -> FoundLayer | None:
        """Return the layer that some image has for a step over ``root``; ``copied`` as in
        ``Result.copied``."""
        if not self.images or not _is_told_by_history(vertex):
            return None
        for chain in self.chains:
            vertices = [each.vertex for each in chain.history]
            if vertex.digest not in vertices:
                continue
            at = vertices.index(vertex.digest)
            wanted = _history(chain, chain.history[:at], root)
            if wanted is None:
                continue
            text = chain.history[at].created_by.replace(COPIED, copied)
            for image in self.images:
                found = _next(image, chain, wanted, root) if _fits(image, chain) else None
                if found is not None and found[0].created_by == text:
                    return _layer(*found)
        return None


def _is_told_by_history(vertex: Vertex[Range]) -> bool:
    """Tell whether all that decides of a step is in its line of a history."""
    operation = vertex.operation
    if isinstance(operation, Exec):
        return not (operation.mounts or operation.script or operation.stdin)
    return isinstance(operation, FileActions)


def _history(
    chain: Chain, before: Sequence[PlannedHistory], root: Result
) -> list[tuple[str, bool]] | None:
    """Return the instructions that made ``root``, and whether they made no layer."""
    below = len(chain.base.diff_ids) if chain.base else 0
    made = iter(zip(root.layers[below:], root.copied[below:], strict=True))
    beginning = (chain.base and chain.base.history) or ()
    found = [(step.created_by, step.empty_layer) for step in beginning]
    for item in before:
        if item.vertex is None:
            found.append((item.created_by, True))
            continue
        layer, copied = next(made, (None, ""))
        if layer is None:
            return None
        found.append((with_copied(item.created_by, copied, layer), layer == EMPTY_LAYER))
    # What a context brought that a stage began with is in no history.
    return found if next(made, None) is None else None


def _fits(image: Image, chain: Chain) -> bool:
    platform = chain.platform
    theirs = (image.os, image.architecture, image.variant)
    return theirs == (platform.os, platform.architecture, platform.variant)


def _next(
    image: Image, chain: Chain, wanted: list[tuple[str, bool]], root: Result
) -> tuple[History, Digest] | None:
    """Return what comes in an image after ``root``, if it begins so."""
    history, layers = image.history or (), image.diff_ids
    if len(history) <= len(wanted):
        return None
    if [(step.created_by, step.empty_layer) for step in history[: len(wanted)]] != wanted:
        return None
    below = len(chain.base.diff_ids) if chain.base else 0
    own = tuple(layer for layer in root.layers[below:] if layer != EMPTY_LAYER)
    stack = (*root.layers[:below], *own)
    step = history[len(wanted)]
    if tuple(layers[: len(stack)]) != stack:
        return None
    if step.empty_layer:
        return step, EMPTY_LAYER
    return (step, layers[len(stack)]) if len(layers) > len(stack) else None


def _layer(step: History, layer: Digest) -> FoundLayer:
    try:
        return FoundLayer(layer, parse_rfc3339(step.created or ""))
    except (BoxshipError, ValueError):
        return FoundLayer(layer, 0)
