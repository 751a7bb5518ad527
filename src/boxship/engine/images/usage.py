"""What images take on the disk, from the sizes in their records: nothing is walked.

A layer is on the disk once, however many images stand on it and however often one image repeats
it. An image's *unique* bytes are those that its removal would free; the rest of its size is
*shared*. An untagged image that others were built from counts with them: it goes when they go.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from boxship.engine.images.catalog import Catalog, KnownImage
from boxship.model.image import ImageDiskUsage
from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class LayerUse:
    """How many images stand on each layer, and each layer's size."""

    images: Counter[Digest]
    sizes: dict[Digest, int]

    @classmethod
    def of(cls, catalog: Catalog) -> "LayerUse":
        """Count over the images that are seen in lists."""
        return cls.over(seen_in(catalog))

    @classmethod
    def over(cls, images: Iterable[KnownImage]) -> "LayerUse":
        """Count over these."""
        counts: Counter[Digest] = Counter()
        sizes: dict[Digest, int] = {}
        for known in images:
            own = dict(zip(known.layers, known.record.layer_sizes, strict=True))
            counts.update(own.keys())
            sizes.update(own)
        return cls(counts, sizes)

    @property
    def total(self) -> int:
        """All layers, each once."""
        return sum(self.sizes.values())

    def unique(self, known: KnownImage) -> int:
        """Return the bytes that no other image has."""
        return sum(self.sizes[layer] for layer in set(known.layers) if self.images[layer] == 1)

    def shared_with_others(self, known: KnownImage) -> int:
        """Return what of an image's size its removal would not free."""
        if not self.images.keys() >= set(known.layers):
            return known.record.size  # its descendants have been counted instead
        return known.record.size - self.unique(known)


def measure(catalog: Catalog, used: Collection[str]) -> ImageDiskUsage:
    """Add it all up; ``used`` are the ids of images that have containers."""
    seen = seen_in(catalog)
    active = [known for known in seen if str(known.id) in used]
    everything = LayerUse.over(catalog).total
    return ImageDiskUsage(
        active=len(active),
        count=len(seen),
        size=everything,
        reclaimable=everything - LayerUse.over(active).total,
    )


def seen_in(catalog: Catalog) -> list[KnownImage]:
    """Return the images that are not merely steps on the way to others."""
    named = catalog.names().keys()
    parents = {known.record.parent for known in catalog}
    return [known for known in catalog if known.id in named or str(known.id) not in parents]
