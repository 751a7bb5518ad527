"""Results of steps, for builds to come: records in the database, found by their keys.

A record is one result: the layers that it is made of (which are kept from being swept as long as
the record is there), the keys under which it is found (``solver/keys.py``), and what a person wants
to know of it. It is written right after its layer has come into the store. So a daemon that is
killed loses the steps that ran, and none that had ended.

Layers are flushed to the disk at the end of a build, not one by one. A record says in which boot it
was written until that has happened; one of an earlier boot that still says so is not believed,
because power loss may have damaged its layer.

Belongs to the event loop. Loaded when the first build comes; what must be known before that, which
layers are kept, is ``engine/images/kept.py``.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from boxship.base.clock import Clock
from boxship.base.ids import boot_id, new_id
from boxship.engine.images.kept import KeptLayers
from boxship.engine.records.database import Change, Database
from boxship.oci.digest import Digest


class CacheRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result. Digests as text; sizes in bytes, times in nanoseconds."""

    id: str
    description: str
    layers: tuple[str, ...]
    """All of them, lowest first; also those that steps without changes have made."""
    times: tuple[int, ...]
    """When each was made; 0 for those that came with an image."""
    keys: tuple[str, ...]
    created_ns: int
    copied: tuple[str, ...] = ()
    """What was copied into each layer (``file``, ``dir``, ``multi``), as classic histories say."""
    kind: str = "regular"
    own: str = ""
    """The layer that the step itself has made."""
    size: int = 0
    """Of that layer."""
    parent: str = ""
    """The record it was made upon, if there is one."""
    last_used_ns: int = 0
    uses: int = 0
    boot: str = ""
    """The boot in which it was written, as long as its layers may not be on the disk."""
    step: str = ""
    """What was asked for, inputs aside: to find what else it was asked with (``explain.py``)."""
    inputs: tuple[tuple[str, str], ...] = ()
    """What each input was called and what it had in it."""


class CacheStore:
    """All records."""

    def __init__(
        self,
        database: Database,
        kept: KeptLayers,
        clock: Clock,
        present: Callable[[Digest], bool],
    ) -> None:
        """``present`` tells whether a layer is in the store, whole."""
        self._database = database
        self._kept = kept
        self._clock = clock
        self._present = present
        self._boot = boot_id()
        self._records: dict[str, CacheRecord] = {}
        self._by_key: dict[str, str] = {}
        self._unsettled: set[str] = set()

    async def load(self) -> None:
        """Read all records; those that can't be believed are dropped."""
        doubtful = []
        rows = await self._database.read("SELECT body FROM build_results")
        bodies = (body for (body,) in rows if isinstance(body, bytes))
        records = (msgspec.json.decode(body, type=CacheRecord) for body in bodies)
        for record in sorted(records, key=lambda record: record.last_used_ns):
            self._take(record)
            whole = all(map(self._present, map(Digest.parse, record.layers)))
            if not whole or not record.keys or record.boot not in ("", self._boot):
                doubtful.append(record.id)
            elif record.boot:
                self._unsettled.add(record.id)
        await self.remove(doubtful)

    def find(self, key: Digest) -> CacheRecord | None:
        """Return the result of this key, if its layers are all here."""
        record = self._records.get(self._by_key.get(str(key), ""))
        if record is None or not all(map(self._present, map(Digest.parse, record.layers))):
            return None
        return record

    def get(self, identifier: str) -> CacheRecord | None:
        return self._records.get(identifier)

    def of_step(self, step: str) -> list[CacheRecord]:
        """Return what the same step has given before, newest first."""
        found = [record for record in self._records.values() if record.step == step]
        return sorted(found, key=lambda record: record.created_ns, reverse=True)

    def all(self) -> Sequence[CacheRecord]:
        return tuple(self._records.values())

    async def add(self, record: CacheRecord) -> CacheRecord:
        """Remember a result; others lose the keys that it has. Returns it with its id."""
        made = replace(
            record,
            id=new_id(),
            created_ns=self._clock.now_ns(),
            last_used_ns=self._clock.now_ns(),
            uses=1,
            boot=self._boot,
        )
        losing = {self._by_key[key] for key in made.keys if key in self._by_key}
        self._kept.keep(map(Digest.parse, made.layers))
        for identifier in losing:
            self._replace(_without(self._records[identifier], made.keys))
        self._take(made)
        self._unsettled.add(made.id)
        changed = [made, *(self._records[each] for each in losing)]
        await self._database.write(_insertion(changed), durable=False)
        keyless = [each for each in losing if not self._records[each].keys]
        await self.remove(keyless)
        return made

    def used(self, record: CacheRecord, *keys: Digest) -> CacheRecord:
        """Note that a result was of use, and further ``keys`` that it was found to have."""
        current = self._records.get(record.id)
        if current is None:
            return record
        more = [str(key) for key in keys if str(key) not in current.keys]
        after = replace(
            current,
            keys=(*current.keys, *more),
            last_used_ns=self._clock.now_ns(),
            uses=current.uses + 1,
        )
        losing = {self._by_key[key] for key in more if key in self._by_key} - {record.id}
        for identifier in losing:
            self._replace(_without(self._records[identifier], more))
        self._take(after)
        self._later(_insertion([after, *(self._records[each] for each in losing)]))
        return after

    def unsettled(self) -> frozenset[str]:
        """Return the results whose layers may not be on the disk yet."""
        return frozenset(self._unsettled)

    async def settle(self, identifiers: Iterable[str]) -> None:
        """Say that results, unsettled before a flush that is done by now, are on the disk."""
        done = [each for each in identifiers if each in self._unsettled]
        self._unsettled.difference_update(done)
        settled = [replace(self._records[each], boot="") for each in done if each in self._records]
        for record in settled:
            self._replace(record)
        if settled:
            await self._database.write(_insertion(settled))

    async def remove(self, identifiers: Iterable[str]) -> list[CacheRecord]:
        """Forget results. Their layers are kept no more; sweeping is the caller's."""
        gone = [self._records.pop(each) for each in set(identifiers) if each in self._records]
        for record in gone:
            self._unsettled.discard(record.id)
            for key in record.keys:
                if self._by_key.get(key) == record.id:
                    del self._by_key[key]
        if gone:
            await self._database.write(_deletion(gone), durable=False)
        for record in gone:
            self._kept.let_go(map(Digest.parse, record.layers))
        return gone

    def _take(self, record: CacheRecord) -> None:
        self._records[record.id] = record
        self._by_key.update(dict.fromkeys(record.keys, record.id))

    def _replace(self, record: CacheRecord) -> None:
        self._records[record.id] = record

    def _later(self, change: Change) -> None:
        written = self._database.submit(change, durable=False)
        written.add_done_callback(lambda done: done.cancelled() or done.exception())


def _without(record: CacheRecord, keys: Iterable[str]) -> CacheRecord:
    lost = set(keys)
    return replace(record, keys=tuple(key for key in record.keys if key not in lost))


def _insertion(records: Iterable[CacheRecord]) -> Change:
    rows = [(r.id, " ".join(r.layers), msgspec.json.encode(r)) for r in records]

    def change(db: sqlite3.Connection) -> None:
        db.executemany("INSERT OR REPLACE INTO build_results VALUES(?, ?, ?)", rows)

    return change


def _deletion(records: Iterable[CacheRecord]) -> Change:
    rows = [(record.id,) for record in records]

    def change(db: sqlite3.Connection) -> None:
        db.executemany("DELETE FROM build_results WHERE id = ?", rows)

    return change
