"""How images come in: from an archive, from a root file system's tar, from our own code.

Why nothing is ever half there::

    lease ─► layers unpacked ─► all on the disk ─► config blob ─► record and names ─► lease ends
                                                                  ^ from here on the image exists
"""

import asyncio
import errno
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import msgspec

from boxship.base.clock import format_ns
from boxship.base.errors import (
    InvalidArgumentError,
    NotFoundError,
    NotImplementedYetError,
    UnavailableError,
)
from boxship.engine.images import hello
from boxship.engine.images.bridge import consume, in_thread
from boxship.engine.images.catalog import ImageRecord, KnownImage, understand
from boxship.engine.images.changes import apply_changes
from boxship.engine.images.layout import ArchiveImage
from boxship.engine.images.loading import LoadedArchive
from boxship.engine.images.scope import ImageScope, parsed
from boxship.engine.images.variants import Variant
from boxship.model.image import LoadedImage, LoadEvent, LoadingLayer
from boxship.oci import platform
from boxship.oci.digest import Digest
from boxship.oci.image import History, Image, ImageConfig, RootFS, decode, encode
from boxship.oci.platform import Platform
from boxship.oci.reference import Reference
from boxship.storage.layers import Layer, Lease

_PROGRESS_STEP = 4 << 20


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a root file system becomes an image. ``reference`` (``repo[:tag]``) may be empty."""

    reference: str = ""
    changes: Sequence[str] = ()
    """Dockerfile lines: ``CMD …``, ``ENV …``."""
    message: str = ""
    platform: Platform | None = None


async def load(
    scope: ImageScope, archive: AsyncIterator[bytes], platforms: Collection[Platform] = ()
) -> AsyncIterator[LoadEvent]:
    """Take in all images of an archive; yield progress, then one event per name or image.

    Of an index the platforms are kept beside each other; ``platforms``, if any, restrict them.
    """
    async with taking_in(scope) as lease:
        events: asyncio.Queue[LoadEvent | None] = asyncio.Queue()
        progress = _Progress(events)
        keep = scope.storage.blobs if scope.keep_blobs else None
        content = LoadedArchive(scope.storage.layers, lease, progress, keep)
        reading = asyncio.ensure_future(consume(archive, content.read))
        reading.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await reading
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait({reading})
        await scope.remember_kept(*content.kept)
        found = content.images(platforms)
        await in_thread(scope.storage.writeback.finish)
        told: set[Reference] = set()
        for image, layers in found:
            known = await _add_loaded(scope, image, layers)
            scope.announce("load", known)
            for event in _loaded(known, image, told):
                yield event


async def import_(
    scope: ImageScope, archive: AsyncIterator[bytes], options: ImportOptions
) -> Digest:
    """Make a one-layer image of a tar, plain or compressed."""

    async def unpack(lease: Lease) -> Layer:
        return await consume(archive, partial(scope.storage.layers.unpack, lease=lease))

    return await import_layer(scope, options, unpack, source="-")


async def import_layer(
    scope: ImageScope,
    options: ImportOptions,
    unpack: Callable[[Lease], Awaitable[Layer]],
    *,
    source: str,
) -> Digest:
    """Make an image of the layer that ``unpack`` makes; the options are checked before it does."""
    if options.platform is not None and options.platform.os != platform.host().os:
        raise InvalidArgumentError("operating system is not supported")
    names = name_for(options.reference, "cannot import digest reference")
    config = apply_changes(ImageConfig(), options.changes)
    async with taking_in(scope) as lease:
        layer = await unpack(lease)
        await in_thread(scope.storage.writeback.finish)
        document = _imported(config, layer, options, source, scope.clock.now_ns())
        known = await add(scope, encode(document), [layer], names, origin="import")
    for name in names:
        scope.announce("tag", known, name=name.familiar)
    scope.announce("import", known)
    return known.id


async def ensure_builtin(scope: ImageScope, text: str) -> Digest:
    """Return the image of this name; make it if it is the built-in one.

    Raise NotFoundError for all others.
    """
    name = parsed(text).with_default_tag()
    if (known := scope.catalog.named(name)) is not None and str(name) == hello.NAME:
        return known.id
    if str(name) != hello.NAME:
        raise NotFoundError(f"no image {name.familiar} is built in")
    host = platform.host()
    try:
        built = hello.make(host.architecture)
    except KeyError as error:
        raise NotImplementedYetError(f"{text}: no built-in image for {host} yet") from error
    async with taking_in(scope) as lease:
        unpack = partial(scope.storage.layers.unpack, [built.layer], lease, expected=built.diff_id)
        layer = await in_thread(unpack)
        await in_thread(scope.storage.writeback.finish)
        known = await add(scope, built.config, [layer], (name,), origin="built-in")
    scope.announce("pull", known, name=name.familiar_name, actor=name.familiar)
    return known.id


@asynccontextmanager
async def taking_in(scope: ImageScope) -> AsyncIterator[Lease]:
    """Lease layers, and at the end delete those that no image came to need.

    A full disk becomes an UnavailableError: it says nothing about the archive.
    """
    held: set[Digest] = set()
    try:
        with scope.storage.layers.lease() as lease:
            try:
                yield lease
            finally:
                held = lease.held()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UnavailableError(str(error.strerror)) from error
        raise
    finally:
        scope.sweep(held)


async def add(
    scope: ImageScope,
    config: bytes,
    layers: Sequence[Layer],
    names: Iterable[Reference],
    *,
    origin: str,
    parent: str = "",
    documents: Iterable[bytes] = (),
    kept: Sequence[Variant] = (),
) -> KnownImage:
    """Store the config and the record; names move here from whichever image had them.

    ``documents`` are the manifests and indexes that the ``kept`` variants speak of.
    """
    names = tuple(names)
    now = scope.clock.now_ns()
    record = ImageRecord(
        id=str(Digest.of(config)),
        size=sum(layer.size for layer in layers),
        layer_sizes=tuple(layer.size for layer in layers),
        added_ns=now,
        last_tagged_ns=now if names else 0,
        origin=origin,
        parent=parent,
    )
    known = understand(record, config)
    async with scope.changing:
        if (before := scope.catalog.find(known.id)) is not None:
            tagged = record.last_tagged_ns or before.record.last_tagged_ns
            known = understand(
                msgspec.structs.replace(before.record, last_tagged_ns=tagged), config
            )
        for document in (config, *documents):
            await asyncio.to_thread(scope.storage.blobs.add, document)
        await scope.catalog.put(known, names, kept)
    return known


async def _add_loaded(
    scope: ImageScope, image: ArchiveImage, layers: Sequence[Layer]
) -> KnownImage:
    if image.manifest is None:
        return await add(scope, image.config, layers, image.names, origin="load")
    image_id = Digest.of(image.config)
    variant = Variant(
        platform=image.platform or decode(image.config, Image).platform,
        image_id=image_id,
        manifest=Digest.of(image.manifest),
        index=Digest.of(image.index) if image.index is not None else None,
        at_ns=scope.clock.now_ns(),
    )
    documents = [image.manifest, *([image.index] if image.index is not None else [])]
    return await add(
        scope,
        image.config,
        layers,
        image.names,
        origin="load",
        documents=documents if image.names else (),
        kept=(variant,) if image.names else (),
    )


def _loaded(known: KnownImage, image: ArchiveImage, told: set[Reference]) -> Iterator[LoadEvent]:
    """Tell of an image, and of each name once, however many platforms it has."""
    for name in image.names:
        if name not in told:
            told.add(name)
            yield LoadedImage(str(known.id), name.familiar)
    if not image.names:
        yield LoadedImage(str(known.id), "")


class _Progress:
    """Called by the loading thread for every chunk; tells the loop every few mebibytes."""

    def __init__(self, events: "asyncio.Queue[LoadEvent | None]") -> None:
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._told: tuple[str, int] = ("", 0)

    def __call__(self, layer: str, current: int, total: int) -> None:
        name, before = self._told
        if total < _PROGRESS_STEP:
            return
        if name == layer and current - before < _PROGRESS_STEP and current < total:
            return
        self._told = (layer, current)
        event = LoadingLayer(layer, current, total)
        self._loop.call_soon_threadsafe(self._events.put_nowait, event)


def name_for(text: str, refusal: str) -> tuple[Reference, ...]:
    """Read the name a new image gets, if any; a digest cannot be given away: ``refusal``."""
    if not text:
        return ()
    name = parsed(text)
    if name.digest:
        raise InvalidArgumentError(refusal)
    return (name.with_default_tag(),)


def _imported(
    config: ImageConfig, layer: Layer, options: ImportOptions, source: str, now_ns: int
) -> Image:
    created = format_ns(now_ns)
    comment = options.message or f"Imported from {source}"
    target = options.platform or platform.host()
    return Image(
        architecture=target.architecture,
        os=target.os,
        variant=target.variant,
        created=created,
        comment=comment,
        config=config,
        rootfs=RootFS(diff_ids=(layer.diff_id,)),
        history=(History(created, comment=comment),),
    )
