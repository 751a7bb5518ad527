"""All networks there are, in memory, and their records in the database."""

import sqlite3
from collections.abc import Iterator

from boxship.base.clock import Clock
from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError
from boxship.engine.networks.record import NetworkRecord, decode_record, encode_record
from boxship.engine.records.database import Change, Database, Filled, rewritten
from boxship.engine.records.trash import Wrap


class NetworkShelf:
    """The one collection of networks. Not thread-safe: call it from the event loop.

    A network that is being made, or removed, is not found; its name and its subnets are taken all
    the same.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._records: dict[str, NetworkRecord] = {}
        self._unsettled: dict[str, NetworkRecord] = {}
        self._names: dict[str, str] = {}
        database.remember(self._everything)

    def _everything(self, filled: Filled) -> Change:
        rows = [
            (record.id, record.name, encode_record(record)) for record in self._records.values()
        ]
        gone = [key for key in filled.get("networks", ()) if key[0] not in self._records]
        return rewritten("networks", rows, gone)

    def __iter__(self) -> Iterator[NetworkRecord]:
        return iter(tuple(self._records.values()))

    def get(self, network_id: str) -> NetworkRecord:
        """Return the network with this whole id. NotFoundError."""
        record = self._records.get(network_id)
        if record is None:
            raise NotFoundError(f"network {network_id} not found")
        return record

    def find(self, reference: str) -> NetworkRecord:
        """Return a network by its whole id, name, or beginning of its id, tried in this order."""
        record = self._records.get(reference) or self._records.get(self._names.get(reference, ""))
        if record is not None:
            return record
        matches = [r for r in self._records.values() if reference and r.id.startswith(reference)]
        if len(matches) > 1:
            raise InvalidArgumentError(
                f"network {reference} is ambiguous ({len(matches)} matches found based on ID "
                "prefix)"
            )
        if not matches:
            raise NotFoundError(f"network {reference} not found")
        return matches[0]

    def everything(self) -> tuple[NetworkRecord, ...]:
        """Return all records, those of networks that come or go among them."""
        return (*self._records.values(), *self._unsettled.values())

    def reserve(self, name: str, network_id: str) -> None:
        """Claim a name. ConflictError: it is another's."""
        if self._names.setdefault(name, network_id) != network_id:
            raise ConflictError(f"network with name {name} already exists")

    def prepare(self, record: NetworkRecord) -> None:
        """Keep the subnets of a network that is being made."""
        self._unsettled[record.id] = record

    def forget(self, network_id: str, name: str) -> None:
        """Give up what was claimed for a network that did not come about, or is gone for good."""
        self._unsettled.pop(network_id, None)
        self._records.pop(network_id, None)
        if self._names.get(name) == network_id:
            del self._names[name]

    async def add(
        self,
        record: NetworkRecord,
        action: str = "create",
        also: Wrap = lambda change: change,
    ) -> None:
        """Commit a new network, or another record of one; then it is found.

        ``action`` goes into the history; ``also`` adds to what is committed.
        """
        await self._database.write(also(_insert(record, action, self._clock.now_ns())))
        self._unsettled.pop(record.id, None)
        self._records[record.id] = record
        self._names[record.name] = record.id

    async def take_away(self, record: NetworkRecord, also: Wrap = lambda change: change) -> None:
        """Commit that a network is gone. Until it is forgotten, its subnets stay taken."""
        self._unsettled[record.id] = self._records.pop(record.id)
        try:
            await self._database.write(also(_delete(record, self._clock.now_ns())))
        except BaseException:
            self._records[record.id] = self._unsettled.pop(record.id)
            raise

    def load(self) -> dict[str, NetworkRecord]:
        """Read every record, at start-up, once; return them by name."""
        for (body,) in self._database.load("SELECT body FROM networks"):
            assert isinstance(body, bytes)
            record = decode_record(body)
            self._records[record.id] = record
            self._names[record.name] = record.id
        return {record.name: record for record in self._records.values()}


_HISTORY = "INSERT INTO history(at_ns, kind, id, action, detail) VALUES(?, 'network', ?, ?, ?)"


def _insert(record: NetworkRecord, action: str, now_ns: int) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO networks(id, name, body) VALUES(?, ?, ?)",
            (record.id, record.name, body),
        )
        connection.execute(_HISTORY, (now_ns, record.id, action, record.name))

    return change


def _delete(record: NetworkRecord, now_ns: int) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM networks WHERE id = ?", (record.id,))
        connection.execute(_HISTORY, (now_ns, record.id, "destroy", record.name))

    return change
