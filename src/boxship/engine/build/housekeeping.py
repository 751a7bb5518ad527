"""What the cache has, what of it goes, and the bounds that it keeps by itself."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from boxship.engine.build import gc
from boxship.engine.build.caches import Caches
from boxship.engine.build.cachestore import CacheRecord, CacheStore
from boxship.engine.build.contexts import Contexts
from boxship.engine.build.downloads import Downloads
from boxship.engine.build.requests import CacheEntry, Pruned, PruneRequest
from boxship.engine.build.results import EMPTY_LAYER, Ground
from boxship.engine.images.service import ImageService
from boxship.engine.settings import BuildCacheSettings, CachePolicy
from boxship.oci.digest import Digest
from boxship.storage.stack import tree_size

REGULAR, LOCAL, MOUNT = "regular", "source.local", "exec.cachemount"
HTTP = "source.http"
_SHARE_OF_DISK = 10


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """Belongs to the event loop."""

    ground: Ground
    images: ImageService
    contexts: Contexts
    caches: Caches
    downloads: Downloads
    settings: BuildCacheSettings

    @property
    def _cache(self) -> CacheStore:
        return self.ground.cache

    async def usage(self) -> list[CacheEntry]:
        """List everything, most recently used first."""
        of_images = self.images.of_builds.layers()
        entries = [self._of_record(record, of_images) for record in self._cache.all()]
        entries += [
            CacheEntry(
                id=each.name,
                kind=MOUNT,
                description=f"cached mount {each.id}",
                size=await self.caches.size(each.name),
                created_ns=each.created_ns,
                last_used_ns=each.used_ns,
                usage_count=each.uses,
                in_use=self.caches.in_use(each.name),
                mutable=True,
            )
            for each in self.caches.all()
        ]
        for path, found, busy in self.contexts.all():
            entries.append(
                CacheEntry(
                    id=os.path.basename(path),
                    kind=LOCAL,
                    description="local source",
                    size=await asyncio.to_thread(tree_size, path),
                    created_ns=found.st_ctime_ns,
                    last_used_ns=found.st_mtime_ns,
                    usage_count=1,
                    in_use=busy,
                    mutable=True,
                )
            )
        entries += await asyncio.to_thread(self._downloaded)
        return sorted(entries, key=lambda entry: -(entry.last_used_ns or entry.created_ns))

    def _downloaded(self) -> list[CacheEntry]:
        return [
            CacheEntry(
                id=key,
                kind=HTTP,
                description="downloaded file",
                size=size,
                created_ns=used.st_ctime_ns,
                last_used_ns=used.st_mtime_ns,
                usage_count=1,
                mutable=True,
            )
            for key, used, size in self.downloads.all()
        ]

    def _of_record(self, record: CacheRecord, of_images: frozenset[Digest]) -> CacheEntry:
        own = Digest.parse(record.own)
        parents = (record.parent,) if self._cache.get(record.parent) else ()
        return CacheEntry(
            id=record.id[:25],
            kind=record.kind,
            description=record.description,
            size=record.size,
            created_ns=record.created_ns,
            last_used_ns=record.last_used_ns,
            usage_count=record.uses,
            in_use=own != EMPTY_LAYER and self.ground.storage.layers.is_leased(own),
            shared=own != EMPTY_LAYER and own in of_images,
            parents=tuple(parent[:25] for parent in parents),
        )

    async def prune(self, request: PruneRequest) -> Pruned:
        """Let entries go; layers that nobody else has are deleted."""
        free = await asyncio.to_thread(gc.free_bytes, self.ground.storage.root.path)
        now = self.ground.clock.now_ns()
        found = gc.doomed(await self.usage(), request, now_ns=now, free_bytes=free)
        gone = [entry for entry in found if entry.kind != REGULAR and self._forget(entry)]
        wanted = {entry.id: entry for entry in found if entry.kind == REGULAR}
        records = [each for each in self._cache.all() if each.id[:25] in wanted]
        removed = await self._cache.remove([each.id for each in records])
        freed = self._swept(removed)
        for record in removed:
            # Of several records of one layer the last one frees it.
            size = record.size if record.own in freed else 0
            freed.discard(record.own)
            gone.append(replace(wanted[record.id[:25]], size=size))
        return Pruned(tuple(gone))

    def _forget(self, entry: CacheEntry) -> bool:
        if entry.kind == MOUNT:
            return self.caches.remove(entry.id)
        if entry.kind == HTTP:
            return self.downloads.remove(entry.id)
        return self.contexts.remove_named(entry.id)

    def _swept(self, records: Sequence[CacheRecord]) -> set[str]:
        """Delete layers that nobody needs any more; return which."""
        own = {Digest.parse(layer) for record in records for layer in record.layers}
        self.images.of_builds.sweep(own)
        find = self.ground.storage.layers.look
        return {str(layer) for layer in own if find(layer) is None}

    async def keep_bounds(self) -> None:
        """Do what nobody asks for, by the settings' policies or our own."""
        if not self.settings.collects:
            return
        for policy in self.settings.policies or await self._usual():
            await self.prune(_request(policy))

    async def _usual(self) -> tuple[CachePolicy, ...]:
        """Directories that nobody has used for days go first, then what is too much."""
        found = await asyncio.to_thread(os.statvfs, self.ground.storage.root.path)
        bound = self.settings.keep_bytes or found.f_frsize * found.f_blocks // _SHARE_OF_DISK
        kinds = tuple(f"type={kind}" for kind in (LOCAL, MOUNT, HTTP))
        return (
            CachePolicy(keep_bytes=512 << 20, filters=(*kinds, "unused-for=48h")),
            CachePolicy(keep_bytes=bound, filters=("unused-for=1440h",)),
            CachePolicy(keep_bytes=bound),
        )


def _request(policy: CachePolicy) -> PruneRequest:
    filters: dict[str, tuple[str, ...]] = {}
    for each in policy.filters:
        name, _, value = each.partition("=")
        filters[name] = (*filters.get(name, ()), value)
    return PruneRequest(
        all=policy.all,
        keep_bytes=policy.keep_bytes,
        max_used_bytes=policy.max_used_bytes,
        min_free_bytes=policy.min_free_bytes,
        filters=filters,
    )
