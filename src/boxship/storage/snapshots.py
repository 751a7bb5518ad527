"""Snapshots: a writable file system on top of layers, one per container.

Vocabulary. A *layer* is read-only and shared. A *snapshot* has a key (a container's id), a stack of
layers below it (and at the very bottom the mount points that every container needs, ``stubs.py``),
and a place of its own for what is written. *Preparing* makes that place; nothing
is mounted. *Mounting* is the business of whoever runs the container, inside the container's own
mount namespace; a driver only says how (``Mount``). A *view* is a stack without a writable part. A
*difference* is what was written, in the form of overlayfs' upper directory.

Layers look the same to all drivers, so a data root can have snapshots of several; each goes on with
the one that made it (``drivers.py``).

Every driver passes the contract suite in ``tests/storage/test_snapshots.py``: what is written to
one snapshot is seen in no other; the layers stay as they are; whiteouts and opaque directories
hide; a removed snapshot leaves nothing behind; preparing twice is a ConflictError; all of it
survives a new driver object on the same root.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
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
    options: tuple[str, ...] = ()
    """Further mount options."""

    @property
    def data(self) -> str:
        """The option string of mount(2), to be used with ``cwd`` as the working directory."""
        options = [f"lowerdir={':'.join(self.lower)}"]
        if self.upper:
            options += [f"upperdir={self.upper}", f"workdir={self.work}"]
        return ",".join([*options, *self.options])


class DirectoryMount(msgspec.Struct, frozen=True):
    """A bind mount of one directory, which has everything in it."""

    path: str


Mount = OverlayMount | DirectoryMount


class SnapshotDriver(Protocol):
    """A way to stack layers. All calls block, shortly where not said otherwise; safe from any
    thread."""

    @property
    def name(self) -> str: ...

    @property
    def opaque(self) -> str:
        """The attribute of a directory that hides those below it, in what was written and below."""
        ...

    def prepare(self, key: str, layers: Sequence[Digest]) -> None:
        """Make the writable place over ``layers`` (lowest first).

        Raise ConflictError for a key in use, NotFoundError for an unknown layer.
        """
        ...

    def takes_long(self, layers: Sequence[Digest]) -> bool:
        """Tell whether ``prepare`` copies files for these layers."""
        ...

    @property
    def limits_size(self) -> bool:
        """Tell whether new snapshots can be kept from growing."""
        ...

    def limit(self, key: str, size: int) -> None:
        """Let a snapshot that is as it was prepared hold ``size`` bytes. Raise UnavailableError."""
        ...

    def mount(self, key: str) -> Mount:
        """Say how the snapshot is mounted. Raise NotFoundError."""
        ...

    def view(self, layers: Sequence[Digest]) -> OverlayMount:
        """Say how layers alone (lowest first) are mounted, for reading. Raise NotFoundError."""
        ...

    def remove(self, key: str) -> None:
        """Delete the snapshot; one that is not there is fine. It must not be mounted."""
        ...

    def usage(self, key: str) -> int:
        """Return the bytes that were written to the snapshot."""
        ...

    def difference(self, key: str) -> AbstractContextManager[str]:
        """Own a directory that has what was written, and hides what was removed, as an upper
        directory of overlayfs does. It is not for writing; making it may take long. Raise
        NotFoundError."""
        ...

    def hand_over(self, key: str, target: str) -> bool:
        """Move what was written to the path ``target``, in the form of ``difference``.

        The snapshot is fit for nothing but its removal then. False: that would mean to copy.
        """
        ...

    def take_over(self, key: str, written: str) -> None:
        """Give a snapshot that nobody has used yet what was written elsewhere.

        ``written`` is a directory of the data root in the form of ``difference``, which has the
        root's own looks; it is gone afterwards. May take long.
        """
        ...

    def below(self, key: str) -> tuple[str, ...]:
        """Return the directories that the snapshot was made of, topmost first. Raise NotFoundError.

        They look like unpacked layers; merged, with the difference on top, they are what the
        container sees.
        """
        ...

    def place(self, key: str) -> str:
        """Return the directory on the host where what is written goes."""
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
