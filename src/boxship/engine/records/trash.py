"""What was removed and can be brought back: records of removed objects, until they expire.

A record goes from its own table to ``trash``, and back, in one transaction; the files of the object
stay where they are. So there is no moment in which a killed daemon loses an object or has it twice,
and what has a record here is no garbage. Off unless it is given a time to keep things.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterator

from msgspec import Struct

from boxship.base.clock import Clock
from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.engine.records.database import Change, Database
from boxship.model.event import EventType

Wrap = Callable[[Change], Change]


class TrashItem(Struct, frozen=True):
    """A removed object. ``body`` is its record, as its own package writes it.

    ``id`` is the object's own, but of an image one that is made for it. What was removed by one
    request, like an image and those it was built on, has one ``lot``.
    """

    id: str
    kind: EventType
    lot: str
    name: str
    removed_ns: int
    expires_ns: int
    body: bytes


class TrashBin:
    """Everything removed that is kept. Not thread-safe: call it from the event loop."""

    def __init__(self, database: Database, clock: Clock, retention_ns: int = 0) -> None:
        self._database = database
        self._clock = clock
        self.retention_ns = retention_ns
        """How long what is removed from now on is kept; 0: not at all."""
        self.changed: Callable[[], None] = lambda: None
        """Called when something was put in."""
        self._items: dict[str, TrashItem] = {}

    def load(self) -> None:
        """Read every record, at start-up, once."""
        columns = "id, kind, lot, name, removed_ns, expires_ns, body"
        for row in self._database.load(f"SELECT {columns} FROM trash ORDER BY removed_ns"):
            identity, kind, lot, name = map(str, row[:4])
            removed_ns, expires_ns, body = row[4:]
            assert isinstance(removed_ns, int)
            assert isinstance(expires_ns, int)
            assert isinstance(body, bytes)
            self._items[identity] = TrashItem(
                identity, EventType(kind), lot, name, removed_ns, expires_ns, body
            )

    @property
    def is_on(self) -> bool:
        return self.retention_ns > 0

    def __iter__(self) -> Iterator[TrashItem]:
        return iter(tuple(self._items.values()))

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, identity: str) -> bool:
        return identity in self._items

    def of(self, kind: EventType) -> list[TrashItem]:
        """Return the items of one kind, what was removed last at the end."""
        return [item for item in self._items.values() if item.kind is kind]

    def get(self, identity: str) -> TrashItem | None:
        return self._items.get(identity)

    def find(self, reference: str) -> TrashItem:
        """Return what has this id, name, or beginning of an id; of a name, what went last.

        NotFoundError; InvalidArgumentError: several ids begin so.
        """
        if (item := self._items.get(reference)) is not None:
            return item
        names = (reference, f"{reference}:latest")
        named = [item for item in self._items.values() if item.name in names]
        if named:
            return named[-1]
        begun = [i for i in self._items.values() if reference and i.id.startswith(reference)]
        if len(begun) > 1:
            raise InvalidArgumentError(f"{reference} is the beginning of several ids in the trash")
        if not begun:
            raise NotFoundError(f"no {reference} in the trash")
        return begun[0]

    def lot(self, item: TrashItem) -> list[TrashItem]:
        """Return all that went together with an item, itself among it."""
        return [other for other in self._items.values() if other.lot == item.lot]

    def expired(self) -> list[TrashItem]:
        """Return what is not to be kept any longer."""
        now_ns = self._clock.now_ns()
        return [item for item in self._items.values() if item.expires_ns <= now_ns]

    def next_ns(self) -> int | None:
        """Return when the next item expires."""
        return min((item.expires_ns for item in self._items.values()), default=None)

    def item(
        self, kind: EventType, identity: str, name: str, body: bytes, lot: str = ""
    ) -> TrashItem | None:
        """Return what an object becomes that is about to be removed; None: it is not kept."""
        if not self.is_on:
            return None
        now_ns = self._clock.now_ns()
        expires_ns = now_ns + self.retention_ns
        return TrashItem(identity, kind, lot or identity, name, now_ns, expires_ns, body)

    def putting(self, item: TrashItem | None) -> Wrap:
        """Return what makes one change of a removal and of putting the object in here."""
        return _same if item is None else _followed_by(_insert(item))

    def put(self, item: TrashItem | None) -> None:
        """The removal is committed: have it found."""
        if item is not None:
            self._items[item.id] = item
            self.changed()

    def taking(self, item: TrashItem) -> Wrap:
        """Return what makes one change of bringing an object back and of taking it out of here."""
        return _followed_by(_delete([item]))

    def taken(self, item: TrashItem) -> None:
        """That is committed."""
        self._items.pop(item.id, None)

    async def forget(self, items: Collection[TrashItem]) -> None:
        """Commit that these are gone for good; their files are garbage then."""
        await self._database.write(_delete(items))
        for item in items:
            self._items.pop(item.id, None)


def _same(change: Change) -> Change:
    return change


def _followed_by(second: Change) -> Wrap:
    def wrap(first: Change) -> Change:
        def both(connection: sqlite3.Connection) -> None:
            first(connection)
            second(connection)

        return both

    return wrap


def _insert(item: TrashItem) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO trash VALUES(?, ?, ?, ?, ?, ?, ?)",
            (
                *(item.id, item.kind.value, item.lot, item.name),
                *(item.removed_ns, item.expires_ns, item.body),
            ),
        )

    return change


def _delete(items: Collection[TrashItem]) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        rows = [(item.id,) for item in items]
        connection.executemany("DELETE FROM trash WHERE id = ?", rows)

    return change
