"""Where a layer can be had compressed: blobs of registries, and blobs kept here.

A pull that meets a known blob needs neither its config nor a download to know the layer; a push to
the same repository need not compress, and to another of the same registry may ask for a mount.
What is known of a layer goes with the layer.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

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


class LayerSources:
    """All known sources. Belongs to the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._sources: dict[Digest, dict[tuple[Digest, str], LayerSource]] = {}
        self._diff_ids: dict[Digest, Digest] = {}
        query = "SELECT diff_id, digest, size, media_type, repository FROM layer_sources"
        for diff_id, digest, size, media_type, repository in database.load(query):
            assert isinstance(size, int)
            self._keep(
                LayerSource(
                    Digest.parse(str(diff_id)),
                    Digest.parse(str(digest)),
                    size,
                    str(media_type),
                    str(repository),
                )
            )

    def of(self, diff_id: Digest) -> list[LayerSource]:
        """Return the sources of a layer, in the order they became known."""
        return list(self._sources.get(diff_id, {}).values())

    def diff_id_of(self, digest: Digest) -> Digest | None:
        """Return the layer that a compressed blob holds, if that is known."""
        return self._diff_ids.get(digest)

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
        """Remember sources; those that are known already cost nothing."""
        new = [s for s in sources if (s.digest, s.repository) not in self._known(s.diff_id)]
        if not new:
            return
        rows = [(str(s.diff_id), str(s.digest), s.size, s.media_type, s.repository) for s in new]

        def change(db: sqlite3.Connection) -> None:
            db.executemany("INSERT OR REPLACE INTO layer_sources VALUES(?, ?, ?, ?, ?)", rows)

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
            for digest, _ in self._sources.pop(diff_id):
                self._diff_ids.pop(digest, None)

        def change(db: sqlite3.Connection) -> None:
            rows = [(str(diff_id),) for diff_id in gone]
            db.executemany("DELETE FROM layer_sources WHERE diff_id = ?", rows)

        self._database.submit(change, durable=False)
        return sorted(kept - self.kept_here())

    def forget_all_but(self, diff_ids: Iterable[Digest]) -> list[Digest]:
        """At start-up: forget layers that went while nobody could write it down."""
        return self.forget(set(self._sources) - set(diff_ids))

    def _known(self, diff_id: Digest) -> dict[tuple[Digest, str], LayerSource]:
        return self._sources.get(diff_id, {})

    def _keep(self, source: LayerSource) -> None:
        known = self._sources.setdefault(source.diff_id, {})
        known[source.digest, source.repository] = source
        self._diff_ids[source.digest] = source.diff_id
