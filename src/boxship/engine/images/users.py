"""The images' only view of containers: who uses which image, and which layers must stay."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from boxship.oci.digest import Digest


@dataclass(frozen=True, slots=True)
class ImageUse:
    """A container made from an image."""

    container_id: str
    image_id: str
    """``sha256:…``."""
    running: bool
    reference: str = ""
    """The image as it was asked for when the container was created."""


class ImageUsers(Protocol):
    """Implemented by whoever owns containers. Called from the event loop; must not block."""

    def image_uses(self) -> Iterable[ImageUse]:
        """Return every container there is, whatever its state."""
        ...

    def layers_in_use(self, without: Collection[str] = ()) -> Iterable[Digest]:
        """Return the diff ids of the layers under the snapshots of all but some containers."""
        ...


class NoUsers:
    """An engine without containers."""

    def image_uses(self) -> Iterable[ImageUse]:
        return ()

    def layers_in_use(self, without: Collection[str] = ()) -> Iterable[Digest]:
        return ()
