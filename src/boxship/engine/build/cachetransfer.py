"""Bring caches from registries, images and clients, and give them away (``--cache-from``, ``-to``).

A cache is an image with its document in the config (``cachedocument.py``), so pulling and pushing,
loading and saving are those of images. It has no name here: once its results are records, which
keep the layers, the image goes again. What can't be brought is a warning and no error: a build
without a cache is slow, and right.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256

from boxship.base.clock import format_ns
from boxship.base.errors import BoxshipError, InvalidArgumentError, NotFoundError
from boxship.engine.build.cachedocument import CacheDocument, cache_in, pack, unpack, with_cache
from boxship.engine.build.caches import Caches
from boxship.engine.build.cachestore import CacheRecord
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.contexts import Contexts
from boxship.engine.build.layouts import Layouts
from boxship.engine.build.progress import VertexWarning
from boxship.engine.build.reporting import Reporter
from boxship.engine.build.requests import (
    BuildRequest,
    BuiltImage,
    CacheExport,
    CacheImport,
    CacheKind,
)
from boxship.engine.build.results import EMPTY_LAYER, EMPTY_TAR, Ground
from boxship.engine.build.trees import LayersTree
from boxship.engine.build.uploads import Uploads
from boxship.engine.images.bridge import in_thread
from boxship.engine.images.pulling import PullRequest
from boxship.engine.images.pushing import PushRequest
from boxship.engine.images.scope import parsed
from boxship.engine.images.service import ImageService
from boxship.model.image import Pulled
from boxship.oci import platform as platforms
from boxship.oci.digest import Digest
from boxship.oci.image import Image, ImageConfig, RootFS, decode, encode
from boxship.oci.reference import Reference
from boxship.solver.operations import CacheMount
from boxship.storage.layers import Lease
from boxship.storage.squashing import squashed_tar


@dataclass(frozen=True, slots=True)
class CacheTransfer:
    """One build's caches."""

    ground: Ground
    images: ImageService
    contexts: Contexts
    caches: Caches
    client: ClientSide
    lease: Lease
    report: Reporter
    request: BuildRequest

    async def bring(self) -> tuple[Image, ...]:
        """Take in all caches that the request names. Return images that have none in them: their
        own layers may do (in the classic door)."""
        images: list[Image] = []
        for each in self.request.cache.imports:
            where = each.attributes.get("ref") or each.attributes.get("src") or each.kind
            vertex = self._vertex(f"importing cache manifest from {where}")
            self.report.start(vertex)
            try:
                async with contextlib.AsyncExitStack() as stack:
                    images += await self._take(await self._brought(each, stack))
            except (BoxshipError, OSError, ValueError) as error:
                self.report.finish(vertex, error=str(error))
                text = f"failed to import cache from {where}: {error}"
                self.report.event(VertexWarning(vertex, text))
            else:
                self.report.finish(vertex)
        return tuple(images)

    def _vertex(self, title: str) -> Digest:
        vertex = Digest("sha256", sha256(f"{self.request.reference} {title}".encode()).hexdigest())
        self.report.announce(vertex, title)
        return vertex

    async def _brought(self, wanted: CacheImport, stack: contextlib.AsyncExitStack) -> Digest:
        """Return the id of an image with a cache; one that came for this alone goes with the
        stack."""
        if wanted.kind is CacheKind.LOCAL:
            image_id = await self._loaded(wanted.attributes.get("src", ""), stack)
        else:
            name = parsed(wanted.attributes.get("ref", "")).with_default_tag()
            if self.request.classic:  # takes what is here, and pulls nothing
                return self.images.resolve(name.familiar).id
            image_id = await self._pulled(name)
        stack.push_async_callback(self._dropped, image_id)
        return image_id

    async def _pulled(self, name: Reference) -> Digest:
        credentials = await self.client.credentials(name.domain)
        events = self.images.pull(PullRequest(name, credentials=credentials, named=False))
        found = ""
        async with contextlib.aclosing(events):
            async for event in events:
                if isinstance(event, Pulled):
                    found = event.id
        return Digest.parse(found)

    async def _loaded(self, source: str, stack: contextlib.AsyncExitStack) -> Digest:
        """Take an OCI layout of the client's in."""
        if not source:
            raise InvalidArgumentError("a local cache needs src=<directory>")
        found = await Layouts(self.images, self.contexts, self.client).load(
            f"cache-from:{source}", stack
        )
        return Digest.parse(found)

    async def _dropped(self, image_id: Digest) -> None:
        """Let an image go that came for its cache, unless somebody has named it meanwhile."""
        if not self.images.of_builds.names(image_id):
            with contextlib.suppress(BoxshipError):
                await self.images.remove(str(image_id))

    async def _take(self, image_id: Digest) -> list[Image]:
        """Make records of the results in a cache; return an image without one."""
        config = self.ground.storage.blobs.read(image_id)
        document = cache_in(config)
        if document is None and self.request.classic:
            return [decode(config, Image)]
        if document is None:
            raise NotFoundError("there is no cache in it")
        store = self.ground.storage.layers
        if str(EMPTY_LAYER) in document.layers:
            await in_thread(lambda: store.unpack([EMPTY_TAR], self.lease, expected=EMPTY_LAYER))
        for record in unpack(document):
            layers = list(map(Digest.parse, record.layers))
            known = any(self.ground.cache.find(Digest.parse(key)) for key in record.keys)
            if not known and all(store.find(layer) for layer in layers):
                for layer in layers:
                    self.lease.hold(layer)
                await self.ground.cache.add(record)
        await self._take_mounts(document)
        return []

    async def _take_mounts(self, document: CacheDocument) -> None:
        here = {each.id for each in self.caches.all()}
        for mount in document.mounts:
            layer = Digest.parse(document.layers[mount.layer])
            if mount.id not in here and self.ground.storage.layers.find(layer):
                seed = LayersTree((layer,)), "/"
                async with self.caches.held([(CacheMount("/", mount.id), seed)]):
                    pass

    async def give(
        self, built: Sequence[BuiltImage], records: Sequence[CacheRecord], mounts: Iterable[str]
    ) -> list[BuiltImage]:
        """Write all caches that the request wants; return the images, perhaps with one inside."""
        images = list(built)
        for each in self._exports():
            chosen = records
            if each.attributes.get("mode", "min") != "max" or each.kind is CacheKind.INLINE:
                within = [set(image.layers) | {str(EMPTY_LAYER)} for image in built]
                chosen = [r for r in records if any(set(r.layers) <= them for them in within)]
            if each.kind is CacheKind.INLINE:
                document = pack(chosen, {})
                images = [_with_document(image, document) for image in images]
                continue
            packed = await self._mounts(each, mounts)
            await self._sent(each, pack(chosen, packed))
        return images

    @property
    def wanted(self) -> bool:
        """Tell whether any cache is to be given away."""
        return bool(self._exports())

    def _exports(self) -> Sequence[CacheExport]:
        exports = self.request.cache.exports
        if self.request.build_args.get("BUILDKIT_INLINE_CACHE") in ("1", "true"):
            exports = (*exports, CacheExport(CacheKind.INLINE))
        return exports

    async def _mounts(self, wanted: CacheExport, used: Iterable[str]) -> Mapping[str, Digest]:
        """Make layers of the directories of cache mounts, if they are wanted."""
        if wanted.attributes.get("mounts", "").lower() not in ("1", "true"):
            return {}
        names = {each.id: each.name for each in self.caches.all() if each.id in set(used)}
        store, found = self.ground.storage.layers, {}
        for identifier, name in names.items():
            files = squashed_tar([self.caches.path(name)], "")
            layer = await in_thread(partial(store.unpack, files, self.lease))
            found[identifier] = layer.digest
        return found

    async def _sent(self, wanted: CacheExport, document: CacheDocument) -> None:
        host = platforms.host()
        image = Image(
            architecture=host.architecture,
            os=host.os,
            created=format_ns(self.ground.clock.now_ns()),
            config=ImageConfig(),
            rootfs=RootFS(diff_ids=document.layers),
        )
        vertex = self._vertex("exporting cache")
        self.report.start(vertex)
        try:
            layers = [Digest.parse(layer) for layer in document.layers]
            image_id = await self.images.add_built(with_cache(encode(image), document), layers, ())
            try:
                await self._delivered(wanted, image_id)
            finally:
                await self._dropped(image_id)
        except BoxshipError as error:
            self.report.finish(vertex, error=str(error))
            if wanted.attributes.get("ignore-error", "").lower() not in ("1", "true"):
                raise
        else:
            self.report.finish(vertex)

    async def _delivered(self, wanted: CacheExport, image_id: Digest) -> None:
        if wanted.kind is CacheKind.LOCAL:
            destination = wanted.attributes.get("dest", "")
            if not destination:
                raise InvalidArgumentError("a local cache needs dest=<directory>")
            uploads = Uploads(self.ground.storage)
            async with uploads.unpacked(_bytes(self.images.save([str(image_id)]))) as directory:
                await self.client.send_directory(directory, {"cache-to": destination})
            return
        name = parsed(wanted.attributes.get("ref", "")).with_default_tag()
        credentials = await self.client.credentials(name.domain)
        events = self.images.push(PushRequest(name, credentials=credentials, image=image_id))
        async with contextlib.aclosing(events):
            async for _ in events:
                pass


def _with_document(image: BuiltImage, document: CacheDocument) -> BuiltImage:
    config = with_cache(image.config, document)
    return BuiltImage(image.platform, config, image.layers)


async def _bytes(chunks: AsyncIterator[object]) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        yield bytes(chunk)  # type: ignore[call-overload]
