"""Snapshots: a writable file system on top of layers, one per container.

Vocabulary. A *layer* is read-only and shared. A *snapshot* has a key (a container's id), a stack of
layers below it, and a place of its own for what is written. *Preparing* makes that place; nothing
is mounted. *Mounting* is the business of whoever runs the container, inside the container's own
mount namespace; a driver only says how (``OverlayMount``). A *view* is a stack without a writable
part.

Every driver passes the contract suite in ``tests/storage/``: what is written to one snapshot is
seen in no other; the layers stay as they are; whiteouts and opaque directories hide; a removed
snapshot leaves nothing behind; preparing twice is a ConflictError; all of it survives a new driver
object on the same root.
"""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from boxship.oci.digest import Digest


class OverlayMount(msgspec.Struct, frozen=True):
    """An overlay mount, said with names relative to ``cwd`` so that many layers fit into a page.

    ``lower`` is topmost first, as the kernel takes it. A view has no ``upper`` and ``work``; one
    with a single lower directory cannot be an overlay: bind-mount it read-only.
    """

    cwd: str
    lower: tuple[str, ...]
    upper: str = ""
    work: str = ""

    @property
    def data(self) -> str:
        """The option string of mount(2), to be used with ``cwd`` as the working directory."""
        options = f"lowerdir={':'.join(self.lower)}"
        return f"{options},upperdir={self.upper},workdir={self.work}" if self.upper else options


class SnapshotDriver(Protocol):
    """A way to stack layers. All calls block, shortly; safe from any thread."""

    name: str

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        """Make the writable place over ``layers`` (lowest first).

        Raise ConflictError for a key in use, NotFoundError for an unknown layer,
        InvalidArgumentError for more layers than the kernel stacks.
        """
        ...

    def mount(self, key: str) -> OverlayMount:
        """Say how the snapshot is mounted. Raise NotFoundError."""
        ...

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        """Say how to look at a stack of layers without writing."""
        ...

    def remove(self, key: str) -> None:
        """Delete the snapshot; one that is not there is fine. It must not be mounted."""
        ...

    def usage(self, key: str) -> int:
        """Return the bytes that were written to the snapshot."""
        ...

    def keys(self) -> list[str]:
        """Return the keys of all snapshots."""
        ...

    def detail(self, key: str) -> dict[str, str]:
        """Return where the snapshot is, as ``inspect`` shows it under ``GraphDriver.Data``."""
        ...

    def layer_detail(self, layers: Sequence[Digest]) -> dict[str, str]:
        """The same for the layers of an image."""
        ...
