"""All managed plugins, in memory, and their records in the database."""

import asyncio
import contextlib
import os
import sqlite3
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.engine.managed.record import PluginRecord, decode_record, encode_record
from boxship.engine.records.database import Change, Database
from boxship.engine.records.snapshots import opened_to_read
from boxship.oci import reference as references
from boxship.oci.reference import InvalidReferenceError, Reference


def enabled_names(path: str) -> frozenset[str]:
    """Return the names of the enabled ones of a database, which is only read; none without it."""
    if not os.path.exists(path):
        return frozenset()
    try:
        with contextlib.closing(opened_to_read(path)) as connection:
            bodies = connection.execute("SELECT body FROM plugins").fetchall()
    except sqlite3.Error:  # of before there were any; of damage the start speaks
        return frozenset()
    records = (decode_record(body) for (body,) in bodies)
    return frozenset(record.name for record in records if record.enabled)


class PluginShelf:
    """The one collection of managed plugins. Not thread-safe: call it from the event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._records: dict[str, PluginRecord] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def load(self) -> None:
        """Read every record; at start-up, once."""
        for (body,) in self._database.load("SELECT body FROM plugins"):
            assert isinstance(body, bytes)
            record = decode_record(body)
            self._records[record.id] = record

    def __iter__(self) -> Iterator[PluginRecord]:
        return iter(sorted(self._records.values(), key=lambda record: record.name))

    def find(self, text: str) -> PluginRecord:
        """Return a plugin by id, name, or beginning of its id, tried in this order.

        NotFoundError: there is none; InvalidArgumentError: an id begins with it, and others too.
        """
        if text in self._records:
            return self._records[text]
        named = self._named(text)
        if named is not None:
            return named
        matches = [r for r in self._records.values() if text and r.id.startswith(text)]
        if len(matches) > 1:
            raise InvalidArgumentError(f"multiple plugins found for {text!r}")
        if not matches:
            raise NotFoundError(f'plugin "{text}" not found')
        return matches[0]

    def check_free(self, name: str) -> None:
        """Raise ConflictError if the name is a plugin's."""
        if any(record.name == name for record in self):
            raise ConflictError(f"plugin {name} already exists")

    def of_process(self, process_id: str) -> PluginRecord | None:
        """Return the plugin that has a process, if any has."""
        return next((record for record in self if record.process == process_id), None)

    @asynccontextmanager
    async def locked(self, plugin_id: str) -> AsyncIterator[PluginRecord]:
        """Hold a plugin's lock; NotFoundError: it has gone meanwhile."""
        async with self._locks[plugin_id]:
            yield self.find(plugin_id)

    async def save(self, record: PluginRecord) -> None:
        """Commit a plugin, new or changed, for good; then it is what is found."""
        await self._database.write(_put(record))
        self._records[record.id] = record

    async def delete(self, record: PluginRecord) -> None:
        """Commit that a plugin is gone."""
        await self._database.write(_delete(record))
        self._records.pop(record.id, None)
        self._locks.pop(record.id, None)

    def _named(self, text: str) -> PluginRecord | None:
        try:
            name = references.parse(text).with_default_tag().familiar
        except InvalidReferenceError:
            return None
        return next((record for record in self if record.name == name), None)


def parsed(text: str) -> Reference:
    """Read a plugin's name, whose tag is ``latest`` if it has none. InvalidArgumentError."""
    try:
        found = references.parse(text)
    except InvalidReferenceError as error:
        raise InvalidArgumentError(f"failed to parse reference {text}: {error}") from error
    if found.digest is not None:
        raise InvalidArgumentError(f"a plugin goes by name and tag, and {text} has a digest")
    return found.with_default_tag()


def check_disabled(record: PluginRecord, told: str = "") -> None:
    """Raise ConflictError for a plugin that is enabled."""
    if record.enabled:
        told = told or f"plugin must be disabled before upgrading: plugin {record.name} is enabled"
        raise ConflictError(told)


def _put(record: PluginRecord) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO plugins(id, name, body) VALUES(?, ?, ?)"
            " ON CONFLICT(id) DO UPDATE SET body = excluded.body",
            (record.id, record.name, body),
        )

    return change


def _delete(record: PluginRecord) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM plugins WHERE id = ?", (record.id,))

    return change
