"""Bring a layer that was damaged on the disk from where it can be had: kept blobs, registries."""

from collections.abc import Iterable
from functools import partial

from boxship.base.errors import BoxshipError
from boxship.distribution.cancel import Cancel
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.layersources import KEPT_HERE, LayerSource
from boxship.engine.images.scope import ImageScope
from boxship.oci import reference
from boxship.oci.digest import Digest
from boxship.oci.image import Descriptor
from boxship.storage.chunks import Buffer


async def fetch_again(scope: ImageScope, diff_id: Digest) -> str:
    """Try the known sources, one after the other; return the one that gave it, or nothing.

    The store must have been told that the layer is damaged.
    """
    sources = sorted(scope.sources.of(diff_id), key=lambda source: source.repository != KEPT_HERE)
    for source in sources:
        try:
            await in_thread(partial(_unpack, scope, source))
        except (BoxshipError, OSError):
            continue  # another may have it, and the layer stays named as damaged
        return source.repository or "the compressed layer that is kept here"
    return ""


def _unpack(scope: ImageScope, source: LayerSource) -> None:
    layers = scope.storage.layers
    with layers.lease() as lease:
        layers.unpack(_chunks(scope, source), lease, expected=source.diff_id)


def _chunks(scope: ImageScope, source: LayerSource) -> Iterable[Buffer]:
    if source.repository == KEPT_HERE:
        return scope.storage.blobs.chunks(source.digest)
    repository = scope.registries.repository(reference.parse(source.repository))
    blob = Descriptor(source.media_type, str(source.digest), source.size)
    return repository.blob(blob, Cancel())
