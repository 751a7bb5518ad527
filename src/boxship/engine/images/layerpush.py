"""Bring one layer into a repository, at the least cost. Blocking; runs in a thread.

In this order: a form of it that is known and there already is left alone; one that another
repository of the same registry has is mounted (neither on hearsay: see ``layersources.py``); a
compressed blob that was kept is sent as it is; otherwise its tar is made again, verified and
compressed while it is being sent::

    rebuild ─► sha256 of the tar ─► gzip on all cores ─► sha256 of the blob ─► registry
                    │                                                            ▲
                    └─ not the diff id: DamagedLayerError, and the upload is taken back

Neither the tar nor the compressed bytes touch the disk, nor is more of them in memory than a few
mebibytes. What can't be repeated by the registry client (it can't wind a stream back) is repeated
here from the start.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    RateLimitedError,
    RegistryDeniedError,
    RegistryNotFoundError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
)
from boxship.distribution.settings import Retries
from boxship.engine.images.layersources import KEPT_HERE, LayerSource
from boxship.engine.images.manifests import PushedLayer
from boxship.model.image import LayerTransfer, TransferPhase
from boxship.oci.digest import Digest
from boxship.oci.reference import Reference
from boxship.storage.blobs import Incoming
from boxship.storage.chunks import Buffer
from boxship.storage.compressing import gzipped
from boxship.storage.storage import Storage

_MOST_ASKED = 8
_STEP = 512 << 10
_UNTOLD = 0
_REFUSALS = (
    RegistryUnauthorizedError,
    RegistryDeniedError,
    RegistryNotFoundError,
    BadRegistryAnswerError,
)

Tell = Callable[[LayerTransfer], None]


class Target(Protocol):
    """What a push needs of ``distribution.Repository``."""

    @property
    def name(self) -> Reference: ...
    def has_blob(self, digest: Digest, cancel: Cancel | None = None) -> int | None: ...
    def mount(self, digest: Digest, source: str, cancel: Cancel | None = None) -> bool: ...
    def upload(
        self,
        chunks: Iterable[Buffer],
        cancel: Cancel,
        *,
        digest: Digest | None = None,
        size: int | None = None,
    ) -> Digest: ...
    def put_manifest(
        self, target: str | Digest, media_type: str, data: bytes, cancel: Cancel | None = None
    ) -> Digest: ...


@dataclass(frozen=True, slots=True)
class LayerPush:
    """A layer to be pushed. ``size`` is unpacked, for people; ``media_type`` is of a new blob."""

    diff_id: Digest
    size: int
    media_type: str
    forms: tuple[LayerSource, ...]
    """Where it is known to be compressed, in a form that may be used; best first."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A layer that is in the target, how it came there, and where it is known to be now."""

    layer: PushedLayer
    event: LayerTransfer
    sources: tuple[LayerSource, ...]


@dataclass(frozen=True, slots=True)
class Sender:
    """What all layers of a push share."""

    target: Target
    storage: Storage
    executor: Executor
    cancel: Cancel
    retries: Retries
    tell: Tell
    keep_blobs: bool = False

    def send(self, layer: LayerPush) -> Arrival:
        """See to it that the layer is there. What it has come to is for the caller to tell.

        Raise the errors of the registry client, or DamagedLayerError.
        """
        return (
            self._present(layer)
            or self._mounted(layer)
            or self._present_elsewhere(layer)
            or self._uploaded(layer)
        )

    def _present(self, layer: LayerPush) -> Arrival | None:
        name = self.target.name.name
        return self._found(layer, [form for form in layer.forms if form.repository == name])

    def _present_elsewhere(self, layer: LayerPush) -> Arrival | None:
        """Ask for forms that are known from anywhere: the same bytes may have come here too."""
        name = self.target.name.name
        here = {form.digest for form in layer.forms if form.repository == name}
        elsewhere = [form for form in layer.forms if not form.claimed]
        forms = {form.digest: form for form in elsewhere if form.digest not in here}
        return self._found(layer, list(forms.values()))

    def _found(self, layer: LayerPush, forms: list[LayerSource]) -> Arrival | None:
        for form in forms[:_MOST_ASKED]:
            size = self.target.has_blob(form.digest, self.cancel)
            # What it is told to be goes into the manifest, for all who pull it: what we know does.
            if size in (form.size, _UNTOLD):
                found = PushedLayer(form.digest, form.size, form.media_type)
                how = TransferPhase.PRESENT_THERE
                return self._arrival(layer, found, how, claimed=form.claimed)
        return None

    def _mounted(self, layer: LayerPush) -> Arrival | None:
        domain, name = self.target.name.domain, self.target.name.name
        for form in layer.forms[:_MOST_ASKED]:
            path = form.repository.removeprefix(f"{domain}/")
            if form.claimed or form.repository in (path, name):
                continue
            # Who may push here need not be allowed to read there: that is no reason to give up.
            with contextlib.suppress(*_REFUSALS):
                if self.target.mount(form.digest, path, self.cancel):
                    mounted = PushedLayer(form.digest, form.size, form.media_type)
                    return self._arrival(layer, mounted, TransferPhase.MOUNTED, path)
        return None

    def _uploaded(self, layer: LayerPush) -> Arrival:
        attempt = 0
        while True:
            self._tell(layer, TransferPhase.PUSHING, total=layer.size)
            try:
                pushed = self._kept(layer) or self._compressed(layer)
                return self._arrival(layer, pushed, TransferPhase.PUSHED)
            except (RegistryUnavailableError, RateLimitedError) as error:
                attempt += 1
                if attempt >= self.retries.attempts:
                    raise
                self._pause(layer, attempt, error.retry_after)

    def _pause(self, layer: LayerPush, attempt: int, wanted: float | None) -> None:
        """Wait longer each time, counting the seconds down."""
        delay = wanted if wanted is not None else self.retries.first * 2 ** (attempt - 1)
        left = min(delay, self.retries.longest)
        while left > 0:
            self._tell(layer, TransferPhase.RETRYING, current=max(1, round(left)))
            self.cancel.wait(min(1.0, left))
            left -= 1.0

    def _kept(self, layer: LayerPush) -> PushedLayer | None:
        """Send a blob that was kept; None if there is none, or it is no longer what it was."""
        blobs = self.storage.blobs
        for form in layer.forms:
            if form.repository == KEPT_HERE and blobs.verify(form.digest):
                chunks = self._counted(layer, blobs.chunks(form.digest), form.size)
                self.target.upload(chunks, self.cancel, digest=form.digest, size=form.size)
                return PushedLayer(form.digest, form.size, form.media_type)
        return None

    def _compressed(self, layer: LayerPush) -> PushedLayer:
        with contextlib.ExitStack() as stack:
            keeping = None
            if self.keep_blobs:
                keeping = stack.enter_context(self.storage.blobs.incoming())
            # Closed here and not by the collector: threads hang on them.
            tar = stack.enter_context(contextlib.closing(self.storage.layers.tar(layer.diff_id)))
            packed = gzipped(self._counted(layer, tar, layer.size), self.executor)
            stack.enter_context(contextlib.closing(packed))
            stream = _Measured(packed, keeping)
            digest = self.target.upload(stream, self.cancel)
            stream.keep(digest)
        return PushedLayer(digest, stream.size, layer.media_type)

    def _counted(self, layer: LayerPush, chunks: Iterable[Buffer], total: int) -> Iterator[Buffer]:
        done = told = 0
        for chunk in chunks:
            self.cancel.check()
            yield chunk
            done += len(chunk)
            if done - told >= _STEP:
                told = done
                self._tell(layer, TransferPhase.PUSHING, current=done, total=total)
        self._tell(layer, TransferPhase.PUSHING, current=done, total=total)

    def _arrival(
        self,
        layer: LayerPush,
        pushed: PushedLayer,
        how: TransferPhase,
        mounted_from: str = "",
        *,
        claimed: bool = False,
    ) -> Arrival:
        places = [self.target.name.name]
        if self.keep_blobs and self.storage.blobs.has(pushed.digest):
            places.append(KEPT_HERE)
        form = (layer.diff_id, pushed.digest, pushed.size, pushed.media_type)
        sources = tuple(LayerSource(*form, place, claimed) for place in places)
        return Arrival(pushed, LayerTransfer(str(layer.diff_id), how, source=mounted_from), sources)

    def _tell(
        self,
        layer: LayerPush,
        phase: TransferPhase,
        *,
        current: int = 0,
        total: int = 0,
    ) -> None:
        self.tell(LayerTransfer(str(layer.diff_id), phase, current, total))


class _Measured:
    """The compressed stream on its way out: counted, and written to a file if one is given.

    A copy that can't be written (the disk is full) is given up: the push does without.
    """

    def __init__(self, chunks: Iterable[Buffer], copy: Incoming | None) -> None:
        self._chunks = chunks
        self._copy = copy
        self.size = 0

    def __iter__(self) -> Iterator[Buffer]:
        for chunk in self._chunks:
            self.size += len(chunk)
            self._write(chunk)
            yield chunk

    def keep(self, digest: Digest) -> None:
        """Make the copy the blob ``digest``, if there is one."""
        if self._copy is not None:
            with contextlib.suppress(OSError):
                self._copy.keep(digest)

    def _write(self, chunk: Buffer) -> None:
        try:
            if self._copy is not None:
                self._copy.write(chunk)
        except OSError:
            self._copy = None
