"""The door to images: one method for each thing that can be done to them.

Call it from the event loop; whatever blocks (unpacking, hashing, deleting) runs in a thread.
"""
# SIGNATURES FIRST: bodies follow within the hour. The signatures are meant to stay.

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from boxship.model.image import (
    HistoryStep,
    ImageDetail,
    ImageQuery,
    ImageSummary,
    LoadEvent,
    RemovedImage,
)
from boxship.oci.digest import Digest
from boxship.oci.image import Image
from boxship.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class ResolvedImage:
    """An image that was found: what `create container` needs."""

    id: Digest
    image: Image  # parsed config document; .config is oci.image.ImageConfig | None
    layers: tuple[Digest, ...]  # diff ids, lowest first: pass them to SnapshotDriver.prepare
    reference: str  # familiar name it was found by, or the id


@dataclass(frozen=True, slots=True)
class ImportOptions:
    reference: str = ""  # "repo[:tag]", may be empty
    changes: Sequence[str] = ()  # Dockerfile lines: CMD, ENTRYPOINT, ENV, …
    message: str = ""
    platform: Platform | None = None


class ImageService:
    """Use cases of images."""

    # def __init__(self, store: ImageStore, users: ImageUsers, events: EventBus, clock: Clock)
    # users may be set later: service.users = containers

    def resolve(self, reference: str, platform: Platform | None = None) -> ResolvedImage:
        """By name[:tag][@digest], id or unique id prefix. NotFoundError 'No such image: x'."""
        raise NotImplementedError

    def hold(self, reference: str) -> AbstractContextManager[ResolvedImage]:
        """Resolve, and keep the layers from being deleted until the `with` ends.

        `containers.create` holds it until its record is committed."""
        raise NotImplementedError

    async def load(self, archive: AsyncIterator[bytes]) -> AsyncIterator[LoadEvent]:
        """Read a `docker save` archive or an OCI layout tar (also gzip/zstd). Async generator."""
        raise NotImplementedError
        yield  # type: ignore[unreachable]

    def save(self, references: Sequence[str]) -> AsyncIterator[bytes]:
        """Write the images as one archive. NotFoundError is raised by the call itself."""
        raise NotImplementedError

    async def import_(self, archive: AsyncIterator[bytes], options: ImportOptions) -> Digest:
        """Make a one-layer image of a root file system's tar; the new image's id."""
        raise NotImplementedError

    async def tag(self, source: str, repository: str, tag: str = "") -> None:
        """Name an image; an image that had the name loses it."""
        raise NotImplementedError

    async def remove(
        self, reference: str, *, force: bool = False, prune_parents: bool = True
    ) -> list[RemovedImage]:
        """Docker's rmi: untag or delete, with its conflicts (ConflictError)."""
        raise NotImplementedError

    def list(self, query: ImageQuery) -> list[ImageSummary]:
        """Newest first."""
        raise NotImplementedError

    def inspect(self, reference: str) -> ImageDetail:
        raise NotImplementedError

    def history(self, reference: str) -> list[HistoryStep]:
        """Newest first."""
        raise NotImplementedError

    def count(self) -> int:
        raise NotImplementedError

    async def ensure_builtin(self, reference: str) -> Digest:
        """Make the built-in image if it is asked for by name; NotFoundError for other names
        with Docker's 'pull access denied …' text. For POST /images/create?fromImage=."""
        raise NotImplementedError

    async def recover(self, live_containers: Iterable[str]) -> None:
        """At start-up, before anything else: remove half-made things."""
        raise NotImplementedError
