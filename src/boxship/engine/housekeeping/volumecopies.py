"""Copies of volumes: clones, snapshots, archives, and files in and out.

A copy is gathered in a place of its own (``VolumeStore.staging``) and becomes a volume at once,
when all of it is on the disk; its record is the commit point, as of any volume. ::

    name reserved → source kept → writers paused → files copied → writers go on → volume → record

Whatever breaks off in between, be it the client, the disk or the daemon's life, leaves nothing. Two
that want one name: the second is refused at once. A *snapshot* is a clone that nobody can write to.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

from boxship.base.errors import (
    BoxshipError,
    ForbiddenError,
    InvalidArgumentError,
    UnavailableError,
)
from boxship.engine.containers.copying import archive_of, stat_in, unpack_in
from boxship.engine.containers.requests import PathStat
from boxship.engine.containers.viewed import made
from boxship.engine.images.bridge import consume, outbound, stoppable, telling, to_the_end
from boxship.engine.volumes.requests import CreateVolume, VolumeView
from boxship.engine.volumes.service import Volumes
from boxship.runtime.viewing import View
from boxship.storage.archiving import subtree_tar
from boxship.storage.chunks import Buffer, coalesced
from boxship.storage.extracting import Extraction, extract
from boxship.storage.volumes import DATA, VolumeStore

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_TOLD_EVERY = 4 << 20

Still = Callable[[str], AbstractAsyncContextManager[None]]
"""Pauses those who write to the volume of an id."""


@dataclass(frozen=True)
class CopyVolume:
    """A wish for a copy. ``pause``: who writes to the volume is paused while it is read."""

    name: str
    labels: dict[str, str] | None = None
    read_only: bool = False
    pause: bool = True


@dataclass(frozen=True)
class Copied:
    """How far a copy is, in bytes."""

    current: int
    total: int


CopyEvent = Copied | VolumeView
"""The last one is the new volume."""


class VolumeCopies:
    """Copies volumes of one engine. Belongs to the event loop."""

    def __init__(self, volumes: Volumes, store: VolumeStore, still: Still) -> None:
        self._volumes = volumes
        self._store = store
        self._still = still

    def copy(self, name: str, wish: CopyVolume) -> AsyncGenerator[CopyEvent, None]:
        """Make another volume with the same files, telling how it goes.

        The new one is the local driver's without options, whatever the old one is. NotFoundError;
        InvalidArgumentError: a bad name; ConflictError: it is taken; UnavailableError: the disk.
        """
        return telling(partial(self._copy, name, wish))

    async def _copy(self, name: str, wish: CopyVolume, tell: Callable[[CopyEvent], None]) -> None:
        if not wish.name:
            raise InvalidArgumentError("the copy needs a name")
        with self._volumes.reserved(wish.name):
            async with self._volumes.opened(name) as view, staged(self._store) as place:
                request = CreateVolume(
                    wish.name,
                    labels=wish.labels,
                    read_only=wish.read_only,
                    origin=view.record.id,
                )
                async with AsyncExitStack() as held:
                    if wish.pause:
                        await held.enter_async_context(self._still(view.record.id))
                    await self._gather(view, place, tell)
                tell(await to_the_end(self._volumes.admit(request, place)))

    async def _gather(
        self, view: VolumeView, place: str, tell: Callable[[CopyEvent], None]
    ) -> None:
        progress = Progress(tell)

        def work() -> None:
            progress.total = self._store.size(view.record.id)
            self._store.copy(view.record.id, place, progress.add)

        try:
            await stoppable(work, progress.stop)
        except OSError as error:
            raise UnavailableError(f"cannot copy volume {view.record.name}: {error}") from error

    # ── archives of a whole volume ───────────────────────────────────────────────────────────

    async def export(self, name: str) -> AsyncIterator[Buffer]:
        """Write all files as a tar. Nobody is paused: a slow reader would keep them so for long.

        NotFoundError; UnavailableError: the disk fails.
        """
        async with self._viewed(name) as (_, view):
            top = view.root
            tar = subtree_tar(top, b"", b".", _as_they_are)
            async for chunk in outbound(coalesced(tar)):
                yield chunk

    async def import_(self, request: CreateVolume, archive: AsyncIterator[bytes]) -> VolumeView:
        """Make a volume of a tar, plain or compressed.

        InvalidArgumentError: a bad name or archive; ConflictError: the name is taken;
        UnavailableError: the disk refuses.
        """
        with self._volumes.reserved(request.name):
            async with staged(self._store) as place:

                def unpack(chunks: Iterator[Buffer]) -> None:
                    root = os.open(os.path.join(place, DATA), _DIRECTORY)
                    try:
                        extract(root, (), chunks, Extraction(_as_they_are, whole=True))
                    finally:
                        os.close(root)

                try:
                    await consume(archive, unpack)
                except OSError as error:
                    raise UnavailableError(f"import {request.name}: {error}") from error
                return await to_the_end(self._volumes.admit(request, place))

    # ── files ────────────────────────────────────────────────────────────────────────────────

    async def look(self, name: str, path: str) -> PathStat:
        """Return what is at a path of a volume. NotFoundError: nothing, or no such volume."""
        _check_path(path)
        async with self._viewed(name) as (owner, view):
            return await to_the_end(asyncio.to_thread(stat_in, view, owner, path))

    async def read_files(self, name: str, path: str) -> AsyncIterator[Buffer]:
        """Write what is at a path as a tar, under the last part of the path. NotFoundError."""
        async with self._viewed(name) as (owner, view):
            archive = archive_of(view, owner, path, _as_they_are)
            async for chunk in outbound(coalesced(archive)):
                yield chunk

    async def write_files(
        self, name: str, path: str, archive: AsyncIterator[bytes], *, keep_kinds: bool
    ) -> None:
        """Unpack an archive in a directory of a volume.

        NotFoundError; ForbiddenError: it is a snapshot; InvalidArgumentError: a bad archive.
        """
        _check_path(path)
        if self._volumes.inspect(name).record.read_only:
            raise ForbiddenError(f"volume {name} is a snapshot: clone it to change its files")
        async with self._viewed(name) as (owner, view):
            how = Extraction(_as_they_are, keep_kinds)
            await consume(
                archive, lambda chunks: unpack_in(view, (owner, "volume"), path, chunks, how)
            )

    # ── what all of them stand on ────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def _viewed(self, name: str) -> AsyncIterator[tuple[str, View]]:
        async with self._volumes.opened(name) as opened:
            place = opened.mountpoint
            with await made(lambda: View(os.open(place, _DIRECTORY))) as view:
                yield f"volume {name}", view


@asynccontextmanager
async def staged(store: VolumeStore) -> AsyncIterator[str]:
    """Own a place that becomes a volume when it is admitted. UnavailableError: the disk."""
    staging = store.staging()
    try:
        place = await asyncio.to_thread(staging.__enter__)
    except OSError as error:
        raise UnavailableError(f"no room for another volume: {error}") from error
    try:
        yield place
    finally:  # what was not used may be much to delete
        await to_the_end(asyncio.to_thread(staging.__exit__, None, None, None))


class _StoppedError(BoxshipError):
    """Nobody wants the copy any more."""


@dataclass
class Progress:
    """Told by the copying thread, file by file; tells every few megabytes."""

    tell: Callable[[Copied], None]
    total: int = 0
    current: int = 0
    told: int = field(default=-_TOLD_EVERY)
    stopped: bool = False

    def add(self, size: int) -> None:
        if self.stopped:
            raise _StoppedError("the copy was given up")
        self.current += size
        if self.current - self.told >= _TOLD_EVERY:
            self.told = self.current
            self.tell(Copied(self.current, max(self.total, self.current)))

    def stop(self) -> None:
        self.stopped = True


def _as_they_are(uid: int, gid: int) -> tuple[int, int]:
    return uid, gid


def _check_path(path: str) -> None:
    if not path:
        raise InvalidArgumentError("bad parameter: path cannot be empty")
