"""Where a layer can be had compressed: blobs of registries, and blobs kept here.

A push to the same repository need not compress, and to another of the same registry may ask for a
mount. What is known of a layer goes with the layer.

A layer that is here already is not downloaded again, so that its blob is what the manifest
*claims*. Such a claim counts for the repository it was found in and for no other: believed further,
a lie would have us push, under somebody's name, what a stranger put into his own repository.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, replace

from boxship.engine.records.database import Database
from boxship.oci.digest import Digest

KEPT_HERE = ""
"""The ``repository`` of a blob that is in this store."""


@dataclass(frozen=True, slots=True)
class LayerSource:
    """A compressed form of a layer; ``size`` in bytes, ``digest`` of the compressed bytes."""

    diff_id: Digest
    digest: Digest
    size: int
    media_type: str
    repository: str
    """Full name (``docker.io/library/busybox``), or :data:`KEPT_HERE`."""
    claimed: bool = False
    """Nobody here has seen that the blob is this layer."""


class LayerSources:
    """All known sources. Belongs to the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sources: dict[Digest, dict[tuple[Digest, str], LayerSource]] = {}
        query = "SELECT diff_id, digest, size, media_type, repository, claimed FROM layer_sources"
        for diff_id, digest, size, media_type, repository, claimed in database.load(query):
            assert isinstance(size, int)
            self._keep(
                LayerSource(
                    Digest.parse(str(diff_id)),
                    Digest.parse(str(digest)),
                    size,
                    str(media_type),
                    str(repository),
                    bool(claimed),
                )
            )

    def of(self, diff_id: Digest) -> list[LayerSource]:
        """Return the sources of a layer, in the order they became known."""
        return list(self._sources.get(diff_id, {}).values())

    def kept_here(self) -> set[Digest]:
        """Return the compressed blobs that are in the blob store."""
        return {
            source.digest
            for sources in self._sources.values()
            for source in sources.values()
            if source.repository == KEPT_HERE
        }

    def kept_sizes(self, diff_ids: Iterable[Digest]) -> dict[Digest, int]:
        """Return the compressed blobs kept here of these layers, with their sizes in bytes."""
        return {
            source.digest: source.size
            for diff_id in diff_ids
            for source in self.of(diff_id)
            if source.repository == KEPT_HERE
        }

    async def add(self, sources: Iterable[LayerSource]) -> None:
        """Remember sources; those that are known already cost nothing.

        What has been seen of a blob holds wherever it is: a claim of what is known is none.
        """
        seen = [replace(s, claimed=s.claimed and not self._has_seen(s)) for s in sources]
        new = [s for s in seen if self._is_news(s)]
        if not new:
            return
        rows = [
            (str(s.diff_id), str(s.digest), s.size, s.media_type, s.repository, s.claimed)
            for s in new
        ]

        def change(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO layer_sources VALUES(?, ?, ?, ?, ?, ?)", rows)

        # Losing them costs time later, nothing else.
        await self._database.write(change, durable=False)
        for source in new:
            self._keep(source)

    def forget(self, diff_ids: Iterable[Digest]) -> list[Digest]:
        """Layers are gone, and with them what is known of them. Does not wait for the disk.

        Returns the blobs kept here that nobody knows of now.
        """
        gone = [diff_id for diff_id in diff_ids if diff_id in self._sources]
        if not gone:
            return []
        kept = self.kept_here()
        for diff_id in gone:
            del self._sources[diff_id]

        def change(db: sqlite3.Connection) -> None:
            rows = [(str(diff_id),) for diff_id in gone]
            db.executemany("DELETE FROM layer_sources WHERE diff_id = ?", rows)

        self._database.submit(change, durable=False)
        return sorted(kept - self.kept_here())

    def forget_all_but(self, diff_ids: Iterable[Digest]) -> list[Digest]:
        """At start-up: forget layers that went while nobody could write it down."""
        return self.forget(set(self._sources) - set(diff_ids))

    def _has_seen(self, source: LayerSource) -> bool:
        known = self._sources.get(source.diff_id, {}).values()
        return any(form.digest == source.digest and not form.claimed for form in known)

    def _is_news(self, source: LayerSource) -> bool:
        known = self._sources.get(source.diff_id, {}).get((source.digest, source.repository))
        return known is None or (known.claimed and not source.claimed)

    def _keep(self, source: LayerSource) -> None:
        known = self._sources.setdefault(source.diff_id, {})
        known[source.digest, source.repository] = source
