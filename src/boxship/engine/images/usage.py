"""What images take on the disk, from the sizes in their records: nothing is walked.

A layer is on the disk once, however many images stand on it and however often one image repeats
it. An image's *unique* bytes are those that its removal would free; the rest of its size is
*shared*. An untagged image that others were built from counts with them: it goes when they go.

Where compressed layers are kept as well (``keep-blobs``), they count with the sums over all images,
and what is reclaimed with them, but not with an image's own size.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from boxship.engine.images.catalog import Catalog, KnownImage
from boxship.engine.images.layersources import LayerSources
from boxship.model.image import ImageDiskUsage
from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class LayerUse:
    """How many images stand on each layer, and each layer's size."""

    images: Counter[Digest]
    sizes: dict[Digest, int]

    @classmethod
    def of(cls, catalog: Catalog) -> "LayerUse":
        """Count over all images that go by themselves or with a name."""
        parents = {known.record.parent for known in catalog}
        named = catalog.names().keys()
        return cls.over(
            known for known in catalog if known.id in named or str(known.id) not in parents
        )

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


def measure(catalog: Catalog, sources: LayerSources, used: Collection[str]) -> ImageDiskUsage:
    """Add it all up; ``used`` are the ids of images that have containers."""
    seen = seen_in(catalog)

    def on_disk(images: Iterable[KnownImage]) -> int:
        use = LayerUse.over(images)
        return use.total + sum(sources.kept_sizes(use.sizes).values())

    everything = on_disk(catalog)
    return ImageDiskUsage(
        active=sum(1 for known in seen if str(known.id) in used),
        count=len(seen),
        size=everything,
        reclaimable=everything - on_disk(each for each in catalog if str(each.id) in used),
    )


def seen_in(catalog: Catalog) -> list[KnownImage]:
    """Return the images that lists show: neither steps to others nor a name's other platforms."""
    named = catalog.names().keys()
    apart = {Digest.parse(known.record.parent) for known in catalog if known.record.parent}
    apart |= {variant.image_id for _, variant in catalog.variants()}
    return [known for known in catalog if known.id in named or known.id not in apart]
