"""All volumes there are, in memory, and their records in the database."""

import sqlite3
from collections.abc import Iterator

from boxship.base.clock import Clock
from boxship.base.errors import NotFoundError
from boxship.engine.records.database import Change, Database, Filled, rewritten
from boxship.engine.records.trash import Wrap
from boxship.engine.volumes.record import VolumeRecord, decode_record, encode_record


class VolumeShelf:
    """The one collection of volumes. Not thread-safe: call it from the event loop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._records: dict[str, VolumeRecord] = {}
        self._names: dict[str, str] = {}
        database.remember(self._everything)

    def _everything(self, filled: Filled) -> Change:
        rows = [
            (record.id, record.name, encode_record(record)) for record in self._records.values()
        ]
        gone = [key for key in filled.get("volumes", ()) if key[0] not in self._records]
        return rewritten("volumes", rows, gone)

    def __iter__(self) -> Iterator[VolumeRecord]:
        return iter(tuple(self._records.values()))

    def __contains__(self, volume_id: str) -> bool:
        return volume_id in self._records

    def get(self, volume_id: str) -> VolumeRecord | None:
        return self._records.get(volume_id)

    def named(self, name: str) -> VolumeRecord | None:
        return self._records.get(self._names.get(name, ""))

    def find(self, name: str) -> VolumeRecord:
        """Return the volume with this whole name. NotFoundError."""
        record = self.named(name)
        if record is None:
            raise NotFoundError(f"get {name}: no such volume")
        return record

    def load(self) -> None:
        """Read every record; at start-up, once."""
        for (body,) in self._database.load("SELECT body FROM volumes"):
            assert isinstance(body, bytes)
            self._put(decode_record(body))

    async def add(self, record: VolumeRecord, also: Wrap = lambda change: change) -> None:
        """Commit a new volume, and what ``also`` adds to that; then it is found."""
        await self._database.write(also(_insert(record, self._clock.now_ns())))
        self._put(record)

    def touch(self, record: VolumeRecord) -> None:
        """Queue another record of the same volume; power loss may take the change back."""
        if record.id in self._records:
            self._put(record)
            self._database.submit(_update(record), durable=False)

    async def rename(self, record: VolumeRecord, renamed: VolumeRecord) -> None:
        """Commit that a volume is called otherwise."""
        await self._database.write(_rename(record, renamed, self._clock.now_ns()))
        if self._names.get(record.name) == record.id:
            del self._names[record.name]
        self._put(renamed)

    async def delete(self, record: VolumeRecord, also: Wrap = lambda change: change) -> None:
        """Commit that a volume is gone, and what ``also`` adds to that."""
        await self._database.write(also(_delete(record, self._clock.now_ns())))
        self._records.pop(record.id, None)
        if self._names.get(record.name) == record.id:
            del self._names[record.name]

    def _put(self, record: VolumeRecord) -> None:
        self._records[record.id] = record
        self._names[record.name] = record.id


_HISTORY = "INSERT INTO history(at_ns, kind, id, action, detail) VALUES(?, 'volume', ?, ?, ?)"


def _insert(record: VolumeRecord, now_ns: int) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO volumes(id, name, body) VALUES(?, ?, ?)", (record.id, record.name, body)
        )
        connection.execute(_HISTORY, (now_ns, record.id, "create", record.name))

    return change


def _update(record: VolumeRecord) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "UPDATE volumes SET name = ?, body = ? WHERE id = ?", (record.name, body, record.id)
        )

    return change


def _rename(record: VolumeRecord, renamed: VolumeRecord, now_ns: int) -> Change:
    update = _update(renamed)

    def change(connection: sqlite3.Connection) -> None:
        update(connection)
        told = f"{record.name} -> {renamed.name}"
        connection.execute(_HISTORY, (now_ns, record.id, "rename", told))

    return change


def _delete(record: VolumeRecord, now_ns: int) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM volumes WHERE id = ?", (record.id,))
        connection.execute(_HISTORY, (now_ns, record.id, "destroy", record.name))

    return change
