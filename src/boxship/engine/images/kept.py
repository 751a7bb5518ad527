"""Layers that belong to no image and stay all the same: results of builds, for the next build.

What they are good for is the builder's business (``engine/build/cachestore.py``), which owns the
table and is not loaded before the first build. Here is only what every sweep has to know, from the
engine's start on.
"""

from collections import Counter
from collections.abc import Iterable

from boxship.engine.records.database import Database
from boxship.oci.digest import Digest


class KeptLayers:
    """Which layers the builder's results stand on. Belongs to the event loop."""

    def __init__(self, database: Database) -> None:
        self._count: Counter[Digest] = Counter()
        for (layers,) in database.load("SELECT layers FROM build_results"):
            self.keep(map(Digest.parse, str(layers).split()))

    def keep(self, layers: Iterable[Digest]) -> None:
        """Let layers stay; each as often as it is said, until it is let go as often."""
        self._count.update(layers)

    def let_go(self, layers: Iterable[Digest]) -> None:
        """Take back what was said once. They go with the next sweep that has them in sight."""
        for layer in layers:
            self._count[layer] -= 1
            if self._count[layer] <= 0:
                del self._count[layer]

    def layers(self) -> set[Digest]:
        return set(self._count)
