"""Start-up: remove of the images' files what a crash left half made or half removed."""

import asyncio

from boxship.engine.images.pulls import LONGEST_NS
from boxship.engine.images.scope import ImageScope


async def recover(scope: ImageScope, live: frozenset[str], *, running: bool) -> None:
    """Leave the snapshots of ``live``, and what images need; see :meth:`ImageService.recover`."""
    scope.pulls.drop(
        older_than_ns=scope.clock.now_ns() - LONGEST_NS,
        whole={known.layers for known in scope.catalog},
    )
    storage, needed = scope.storage, scope.needed_layers()
    documents = scope.documents() | scope.sources.kept_here()

    def clean() -> None:
        storage.disposal.add(storage.root.left_over(used=not running))
        snapshots = set(storage.snapshots.keys())
        for key in snapshots - live:
            storage.snapshots.remove(key)
        storage.layers.recover(needed)
        storage.blobs.remove_partial()
        for digest in storage.blobs.all():
            if digest not in documents:
                storage.blobs.remove(digest)

    await asyncio.to_thread(clean)
    for blob in scope.sources.forget_all_but(layer.digest for layer in storage.layers.all()):
        storage.blobs.remove(blob)
