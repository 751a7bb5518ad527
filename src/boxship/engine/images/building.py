"""What builds ask of images, beyond what everybody does (``service.py``)."""

from collections.abc import Iterable

from boxship.engine.images.kept import KeptLayers
from boxship.engine.images.scope import ImageScope
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference


class ImagesOfBuilds:
    """The images as the builder's cache sees them. Belongs to the event loop."""

    def __init__(self, scope: ImageScope) -> None:
        self._scope = scope

    @property
    def kept(self) -> KeptLayers:
        """The layers that stay though no image has them."""
        return self._scope.kept

    def names(self, image_id: Digest) -> tuple[Reference, ...]:
        """Return what an image is called."""
        return tuple(self._scope.catalog.names_of(image_id))

    def layers(self) -> frozenset[Digest]:
        """Return the layers that any image has."""
        return frozenset(layer for known in self._scope.catalog for layer in known.layers)

    def sweep(self, layers: Iterable[Digest]) -> int:
        """Delete those layers that nobody needs or works with; return the bytes that came free."""
        return self._scope.sweep(layers)
