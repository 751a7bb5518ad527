"""Layers on their way in: each once, however many pulls want it, and a few at a time.

::

    pull A ──fetch──┐
                    ├──► download of a layer: waits for a slot ─► blob ─► hash ─► decompress ─►
    pull B ──fetch──┘      in threads                              hash of the tar ─► unpack

A download belongs to all that wait for it. Whoever comes later sees how far it is; when the last
one goes away, it is cancelled. If it fails, by a repository or credentials that weren't his, each
tries his own. What it finished is kept by the leases of those who waited.
"""

import asyncio
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from boxship.distribution.attempts import Retry
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RegistryError,
    RegistryUnavailableError,
    TransferCancelledError,
)
from boxship.distribution.repository import Repository
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.fetching import RemoteLayer
from boxship.engine.images.layersources import KEPT_HERE
from boxship.engine.images.scope import ImageScope
from boxship.model.image import LayerTransfer, TransferPhase
from boxship.oci.digest import Digest
from boxship.storage.chunks import Buffer
from boxship.storage.layers import Layer, Lease, MalformedLayerError

_BETWEEN_TELLS = 0.1

Tell = Callable[[LayerTransfer], None]


@dataclass(eq=False)
class _Download:
    layer: RemoteLayer
    repository: Repository
    cancel: Cancel = field(default_factory=Cancel)
    task: "asyncio.Task[Layer] | None" = None
    waiting: list[tuple[Digest, Tell]] = field(default_factory=list)
    last: LayerTransfer | None = None
    began: bool = False
    seen: bool = False
    """All of the blob has come, and was what its digest says; so the layer is what came of it."""

    def tell(self, event: LayerTransfer) -> None:
        """Pass an event on, to each under the digest by which he knows the layer."""
        self.last = event
        for digest, tell in self.waiting:
            tell(replace(event, layer=str(digest)))

    def give_up(self) -> None:
        self.cancel.cancel()
        if not self.began and self.task is not None:
            self.task.cancel()


class Downloads:
    """All that are running. Belongs to the event loop."""

    def __init__(self, scope: ImageScope, at_most: int) -> None:
        self._scope = scope
        self._slots = asyncio.Semaphore(at_most)
        self._running: dict[Digest, _Download] = {}

    def set_limit(self, at_most: int) -> None:
        """Let so many begin at once from now on; those that run or wait keep their slots."""
        self._slots = asyncio.Semaphore(at_most)

    async def fetch(self, layer: RemoteLayer, repository: Repository, tell: Tell) -> Layer:
        """Return the layer once it is in the store; the caller holds a lease on it.

        Raises what the registry client raises, MalformedLayerError, or OSError.
        """
        while True:
            download = self._running.get(layer.diff_id)
            if download is None:
                download = self._begin(layer, repository)
            try:
                return await self._awaited(download, layer, tell)
            except (RegistryError, MalformedLayerError) as error:
                if not _was_another_s(error, download, repository):
                    raise

    def _begin(self, layer: RemoteLayer, repository: Repository) -> _Download:
        download = _Download(layer, repository)
        self._running[layer.diff_id] = download
        download.task = asyncio.create_task(self._run(download))
        return download

    async def _awaited(self, download: _Download, layer: RemoteLayer, tell: Tell) -> Layer:
        assert download.task is not None
        place = (layer.digest, tell)
        download.waiting.append(place)
        if download.last is not None:
            tell(replace(download.last, layer=str(layer.digest)))
        try:
            return await asyncio.shield(download.task)
        finally:
            download.waiting.remove(place)
            if not download.waiting and not download.task.done():
                self._forget(download)
                download.give_up()
                await asyncio.gather(download.task, return_exceptions=True)

    async def _run(self, download: _Download) -> Layer:
        diff_id = download.layer.diff_id
        try:
            if self._slots.locked():
                download.tell(_event(download.layer, TransferPhase.WAITING))
            async with self._slots:
                download.began = True
                with self._scope.storage.layers.lease() as lease:
                    lease.hold(diff_id)
                    layer = await self._brought_in(download, lease)
                    await self._remember(download)
                    download.tell(_event(download.layer, TransferPhase.PULLED))
                    return layer
        finally:
            self._forget(download)
            self._scope.sweep([diff_id])

    async def _remember(self, download: _Download) -> None:
        if download.seen:
            layer, place = download.layer, download.repository.name.name
            await self._scope.remember_kept(layer.source(KEPT_HERE, claimed=False))
            await self._scope.sources.add([layer.source(place, claimed=False)])

    def _kept(
        self, layer: RemoteLayer, chunks: Generator[Buffer, None, None]
    ) -> Generator[Buffer, None, None]:
        """Have the blob written down as well while it passes, if blobs are to be kept."""
        blobs = self._scope.storage.blobs
        return blobs.kept(chunks, layer.digest) if self._scope.keep_blobs else chunks

    async def _brought_in(self, download: _Download, lease: Lease) -> Layer:
        """Unpack the blob; if a mirror lied about it, once more from the next endpoint."""
        try:
            return await self._attempt(download, lease)
        except BadRegistryAnswerError as lie:
            try:
                return await self._attempt(download, lease)
            except TransferCancelledError:
                raise
            except RegistryError:
                raise lie from None  # there is no other endpoint, or it is no better

    async def _attempt(self, download: _Download, lease: Lease) -> Layer:
        layer = download.layer
        chunks = self._kept(layer, _stream(download))
        return await in_thread(partial(self._unpack, chunks, lease, layer.diff_id))

    def _unpack(
        self, chunks: Generator[Buffer, None, None], lease: Lease, diff_id: Digest
    ) -> Layer:
        # Whatever ends it early, the connection under the chunks is given back at once.
        with closing(chunks):
            try:
                return self._scope.storage.layers.unpack(chunks, lease, expected=diff_id)
            except MalformedLayerError:
                # What can't be unpacked is mostly not what was asked for: the rest of the blob
                # shows by its digest that the registry, and not the image, is to blame.
                for _ in chunks:
                    pass
                raise

    def _forget(self, download: _Download) -> None:
        if self._running.get(download.layer.diff_id) is download:
            del self._running[download.layer.diff_id]


def _was_another_s(error: Exception, download: _Download, repository: Repository) -> bool:
    """Whether a download failed by what another pull asked for, or had to show; ours may do better.

    Not so if the registry is away, which is the same for all.
    """
    if download.repository is repository:
        return False
    is_away = isinstance(error, RegistryUnavailableError)
    return not is_away or download.repository.name.domain != repository.name.domain


def _stream(download: _Download) -> Generator[Buffer, None, None]:
    """Yield the blob, telling the loop from time to time how far it is."""
    loop = asyncio.get_running_loop()
    layer = download.layer

    def tell(phase: TransferPhase, current: int = 0, total: int = 0) -> None:
        loop.call_soon_threadsafe(download.tell, _event(layer, phase, current, total))

    def retrying(retry: Retry) -> None:
        tell(TransferPhase.RETRYING, max(1, round(retry.delay)))

    def chunks() -> Generator[Buffer, None, None]:
        total, current, told = layer.descriptor.size, 0, 0.0
        for piece in download.repository.blob(layer.descriptor, download.cancel, retrying):
            yield piece
            current += len(piece)
            if (now := time.monotonic()) - told >= _BETWEEN_TELLS or current == total:
                told = now
                tell(TransferPhase.DOWNLOADING, current, total)
        download.seen = True
        tell(TransferPhase.VERIFYING)
        tell(TransferPhase.DOWNLOADED)
        tell(TransferPhase.EXTRACTING, total, total)

    return chunks()


def _event(
    layer: RemoteLayer, phase: TransferPhase, current: int = 0, total: int = 0
) -> LayerTransfer:
    return LayerTransfer(str(layer.digest), phase, current, total)
