"""Save: find what is asked for, and write it as one archive (``saving.py`` has its layout).

A name that was pulled for several platforms is saved with all of them, unless some are asked for.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from boxship.base.errors import NotFoundError
from boxship.engine.images import saving
from boxship.engine.images.bridge import outbound
from boxship.engine.images.catalog import KnownImage
from boxship.engine.images.layersources import KEPT_HERE
from boxship.engine.images.saving import SavedImage, SavedLayer, SavedNames
from boxship.engine.images.scope import ImageScope, parsed, whole_id
from boxship.engine.images.variants import Variant
from boxship.oci.digest import Digest
from boxship.oci.image import Manifest, decode
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer


@dataclass(frozen=True, slots=True)
class Chosen:
    """Images to be saved under some names, the preferred one first."""

    names: tuple[Reference, ...]
    images: tuple[tuple[KnownImage, Variant | None], ...]


def choose(
    scope: ImageScope, references: Iterable[str], platforms: Collection[Platform] = ()
) -> list[Chosen]:
    """Find what to save, each image once, with the names it was asked for by.

    Raise NotFoundError for a missing image or one that isn't there for any of ``platforms``.
    """
    wanted: dict[tuple[Digest, ...], Chosen] = {}
    for text in references:
        for name, known in _matches(scope, text):
            images = _images(scope, name, known, platforms)
            key = tuple(image.id for image, _ in images)
            chosen = wanted.setdefault(key, Chosen((), images))
            if name is not None and name.tag and name not in chosen.names:
                wanted[key] = replace(chosen, names=(*chosen.names, name))
    return list(wanted.values())


async def save(scope: ImageScope, chosen: Sequence[Chosen]) -> AsyncIterator[Buffer]:
    """Write the archive."""
    known = [image for family in chosen for image, _ in family.images]
    with scope.storage.layers.lease() as lease:
        for image in known:
            for layer in image.layers:
                lease.hold(layer)
        kept = _Kept(scope, known)
        families = await asyncio.to_thread(lambda: [_family(scope, f, kept) for f in chosen])
        arrangement = saving.arrange(families)
        async for chunk in outbound(saving.stream(arrangement, scope.storage)):
            yield chunk
    for image in known:
        scope.announce("save", image)


def _matches(scope: ImageScope, text: str) -> Iterator[tuple[Reference | None, KnownImage]]:
    """A bare repository means all of its tags."""
    if whole_id(text) is None:
        name = parsed(text)
        bare = not name.tag and not name.digest
        tagged = scope.catalog.in_repository(name) if bare else []
        if tagged:
            yield from tagged
            return
        if (named := scope.catalog.named(name)) is not None:
            yield name, named
            return
    try:
        yield None, scope.find(text)
    except NotFoundError as error:  # a bare repository was not asked for its tag latest
        raise NotFoundError(f"No such image: {text}") from error


def _images(
    scope: ImageScope,
    name: Reference | None,
    known: KnownImage,
    platforms: Collection[Platform],
) -> tuple[tuple[KnownImage, Variant | None], ...]:
    variants = scope.catalog.variants_of(name) if name is not None else ()
    found = [(scope.catalog.find(variant.image_id), variant) for variant in variants]
    images: list[tuple[KnownImage, Variant | None]] = [
        (image, variant) for image, variant in found if image is not None
    ]
    images.sort(key=lambda pair: pair[0].id != known.id)
    images = images or [(known, None)]
    if not platforms:
        return tuple(images)
    asked = tuple(pair for pair in images if any(p.asks_for(_platform(*pair)) for p in platforms))
    if not asked:
        text = ", ".join(map(str, platforms))
        raise NotFoundError(
            f"image with reference {name.familiar if name else known.id} was found but does not "
            f"provide the specified platform ({text})"
        )
    return asked


def _platform(known: KnownImage, variant: Variant | None) -> Platform:
    return variant.platform if variant else known.image.platform


class _Kept:
    """The compressed layers of some images that are in the blob store, as they are known now."""

    def __init__(self, scope: ImageScope, images: Iterable[KnownImage]) -> None:
        layers = dict.fromkeys(layer for image in images for layer in image.layers)
        forms = (form for layer in layers for form in scope.sources.of(layer))
        self.sizes = {form.digest: form.size for form in forms if form.repository == KEPT_HERE}


def _family(scope: ImageScope, chosen: Chosen, kept: _Kept) -> SavedNames:
    images = tuple(_image(scope, *pair, kept) for pair in chosen.images)
    variant, index = chosen.images[0][1], None
    if len(images) > 1 and variant is not None and variant.index is not None:
        with contextlib.suppress(NotFoundError):
            index = scope.storage.blobs.read(variant.index)
    return SavedNames(chosen.names, images, index)


def _image(
    scope: ImageScope, known: KnownImage, variant: Variant | None, kept: _Kept
) -> SavedImage:
    layers = scope.storage.layers
    saved = SavedImage(
        known,
        scope.storage.blobs.read(known.id),
        tuple(SavedLayer(diff_id, layers.get(diff_id).tar_size) for diff_id in known.layers),
        _platform(known, variant),
        source=variant.manifest if variant else None,
    )
    return _as_pulled(scope, saved, kept.sizes) or saved


def _as_pulled(
    scope: ImageScope, image: SavedImage, kept: Mapping[Digest, int]
) -> SavedImage | None:
    """Have it with its own manifest and compressed layers, if all of these were kept."""
    if image.source is None:
        return None
    try:
        manifest = scope.storage.blobs.read(image.source)
    except NotFoundError:
        return None
    listed = [Digest.parse(layer.digest) for layer in decode(manifest, Manifest).layers or ()]
    if not all(digest in kept and scope.storage.blobs.verify(digest) for digest in listed):
        return None
    layers = tuple(SavedLayer(digest, kept[digest], is_kept=True) for digest in listed)
    return replace(image, layers=layers, manifest=manifest)
