"""The config document of a built image; pure."""

from collections.abc import Iterator
from typing import NamedTuple

from msgspec.structs import replace

from boxship.base.clock import format_ns
from boxship.engine.build.imagecache import with_copied
from boxship.engine.build.planning.wish import Plan
from boxship.engine.build.results import EMPTY_LAYER, Result
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image, RootFS, encode


def document(plan: Plan, result: Result, *, classic: bool, now_ns: int) -> Image:
    """Put a plan and the layers that came of it together.

    Times are those at which the layers were made, so the same steps found again give the same
    image; ``now_ns`` is for one without any layer of its own. The classic form leaves out layers
    with nothing in them.
    """
    base = plan.base or Image()
    below = len(base.diff_ids)
    own = list(map(_Own, result.layers[below:], result.times[below:], result.copied[below:]))
    made = [item for item in plan.history if item.vertex is not None]
    # What a context brought that a stage began with is under all that has a history.
    ground, own = own[: len(own) - len(made)], own[len(own) - len(made) :]
    history = tuple(_history(plan, own, classic=classic, now_ns=now_ns))
    layers = [*result.layers[:below], *(each.layer for each in ground)]
    layers += [each.layer for each in own if not (classic and each.layer == EMPTY_LAYER)]
    created = history[-1].created if history else base.created
    return replace(
        base,
        architecture=plan.platform.architecture,
        os=plan.platform.os,
        variant=plan.platform.variant,
        created=created or format_ns(_clamped(plan, now_ns)),
        author=plan.author,
        comment="",
        container="",
        docker_version="",
        parent="",
        config=plan.config,
        rootfs=RootFS(diff_ids=tuple(map(str, layers))),
        history=(*(base.history or ()), *history),
    )


def squashed(image: Image, base: Image, layer: Digest, plan: Plan, now_ns: int) -> Image:
    """Return an image whose own layers are one; its history says so in a last step."""
    below = base.history or ()
    own = tuple(replace(step, empty_layer=True) for step in (image.history or ())[len(below) :])
    created = format_ns(_clamped(plan, now_ns))
    whole = Digest.of(encode(image))
    comment = f"merge {whole} to {plan.base_id}" if plan.base_id else f"create new from {whole}"
    return replace(
        image,
        created=created,
        rootfs=RootFS(diff_ids=(*map(str, base.diff_ids), str(layer))),
        history=(*below, *own, History(created, comment=comment)),
    )


class _Own(NamedTuple):
    """A layer that the build has made, when, and what was copied into it."""

    layer: Digest
    at_ns: int
    copied: str


def _history(plan: Plan, own: list[_Own], *, classic: bool, now_ns: int) -> Iterator[History]:
    waiting = iter(own)
    at = own[0].at_ns if own else now_ns
    for item in plan.history:
        empty, text = True, item.created_by
        if item.vertex is not None:
            made = next(waiting)
            at, empty = made.at_ns, classic and made.layer == EMPTY_LAYER
            text = with_copied(text, made.copied, made.layer)
        created = format_ns(_clamped(plan, at))
        yield History(created, text, item.author, item.comment, empty_layer=empty)


def _clamped(plan: Plan, at: int) -> int:
    return at if plan.modified_ns is None else min(at, plan.modified_ns)
