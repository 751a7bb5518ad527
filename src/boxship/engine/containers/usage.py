"""What containers stand on: their side of the images' view of them, and of the check's."""

from collections.abc import Iterable

from boxship.engine.containers.shelf import Shelf
from boxship.engine.images.users import ImageUse
from boxship.oci.digest import Digest


class Usage:
    """An :class:`boxship.engine.images.users.ImageUsers`. Called from the event loop."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def image_uses(self) -> Iterable[ImageUse]:
        """Return every container's image."""
        return tuple(
            ImageUse(record.id, record.image_id, record.state.running, record.image_ref)
            for record in (container.record for container in self._shelf)
        )

    def ids(self) -> Iterable[str]:
        """Return the ids of all containers."""
        return tuple(container.id for container in self._shelf)

    def standing_on(self, layer: Digest) -> Iterable[str]:
        """Return the names of the containers that have this layer under them."""
        records = (container.record for container in self._shelf)
        return tuple(record.name for record in records if str(layer) in record.layers)

    def layers_in_use(self) -> Iterable[Digest]:
        """Return the layers under the containers."""
        texts = {layer for container in self._shelf for layer in container.record.layers}
        return tuple(Digest.parse(text) for text in texts)
