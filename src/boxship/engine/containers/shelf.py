"""All containers there are, in memory, and their records in the database.

The record is the commit point: a container is found from the moment its record is committed until
the moment its record's deletion is. Names are reserved before (``reserve``), because two creates
may be under way at once. Nothing here decides what may happen to a container.
"""

import asyncio
import logging
import sqlite3
from asyncio import Future
from collections.abc import Iterator
from functools import partial

from boxship.base.clock import Clock
from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError, UnavailableError
from boxship.engine.containers.facts import NOTHING, Fact, written
from boxship.engine.containers.live import Container
from boxship.engine.containers.record import ContainerRecord, decode_record, encode_record
from boxship.engine.records import history
from boxship.engine.records.database import Change, Database, Filled, rewritten
from boxship.engine.records.history import Happening
from boxship.engine.records.trash import Wrap

_log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_TRIM_EVERY = 1000


class Shelf:
    """One collection of containers. Not thread-safe: call it from the event loop.

    There is one of those that people make. Others have a ``table`` of their own, and a word for
    what is in it (``kind``).
    """

    def __init__(
        self, database: Database, clock: Clock, table: str = "containers", kind: str = "container"
    ) -> None:
        self._database = database
        self._table = table
        self._kind = kind
        self._clock = clock
        self._containers: dict[str, Container] = {}
        self._names: dict[str, str] = {}
        self._being_replaced: set[str] = set()
        """Containers whose next record is being committed, and not theirs yet."""
        self._until_trimmed = _TRIM_EVERY
        database.remember(self._everything)

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def __iter__(self) -> Iterator[Container]:
        return iter(tuple(self._containers.values()))

    def __len__(self) -> int:
        return len(self._containers)

    def __contains__(self, container_id: str) -> bool:
        return container_id in self._containers

    def find(self, reference: str) -> Container:
        """Return a container by id, name, or beginning of its id, tried in this order."""
        exact = self._containers.get(reference)
        if exact is not None:
            return exact
        named = self._names.get(reference.removeprefix("/"))
        if named in self._containers:
            return self._containers[named]
        if not reference:
            raise InvalidArgumentError('invalid name or ID supplied: ""')
        matches = [c for full_id, c in self._containers.items() if full_id.startswith(reference)]
        if len(matches) > 1:
            raise InvalidArgumentError(f"Multiple IDs found with provided prefix: {reference}")
        if not matches:
            raise NotFoundError(f"No such container: {reference}")
        return matches[0]

    # ── names ────────────────────────────────────────────────────────────────────────────────

    def name_taken(self, name: str) -> bool:
        return name in self._names

    def reserve(self, name: str, container_id: str) -> None:
        """Claim a name. ConflictError: it is somebody's."""
        owner = self._names.setdefault(name, container_id)
        if owner != container_id:
            raise ConflictError(
                f'Conflict. The container name "/{name}" is already in use by container "{owner}". '
                "You have to remove (or rename) that container to be able to reuse that name."
            )

    def release(self, name: str, container_id: str) -> None:
        """Give a name back, unless it is another's by now."""
        if self._names.get(name) == container_id:
            del self._names[name]

    # ── changing ─────────────────────────────────────────────────────────────────────────────

    def load(self) -> list[Container]:
        """Read every record; at start-up, once."""
        for (body,) in self._database.load(f"SELECT body FROM {self._table}"):
            assert isinstance(body, bytes)
            record = decode_record(body)
            self._containers[record.id] = Container(record)
            self._names[record.name] = record.id
        return list(self._containers.values())

    async def add(
        self,
        container: Container,
        *,
        durable: bool,
        fact: Fact = NOTHING,
        also: Wrap = lambda change: change,
    ) -> None:
        """Commit a new container, whose name is reserved already, and what ``also`` adds to that.

        Cancelling the caller cancels nothing here: the commit may come all the same, and with it
        the container. Its directories must stay then; without a record start-up removes them.
        """
        record = container.record

        def put(done: Future[None]) -> None:
            if done.exception() is None:
                self._containers[record.id] = container

        change = also(_insert(self._table, record, self._happening(record, "create", fact)))
        done = self._database.submit(change, durable=durable)
        done.add_done_callback(put)
        await asyncio.shield(done)

    def save(
        self, container: Container, record: ContainerRecord, action: str, fact: Fact = NOTHING
    ) -> Future[None]:
        """Make ``record`` what the container is, now, and queue its commit.

        The commit survives the daemon's death, perhaps not power loss; await it only where the
        caller must not go on before. While the disk refuses, it is tried again, with what the
        container is by then. ``action`` and ``fact`` go into the history; empty for none.
        """
        container.record = record
        saved: Future[None] = asyncio.get_running_loop().create_future()
        happening = self._happening(record, action, fact)
        self._try_to_save(container, happening, saved, _FIRST_PAUSE)
        return saved

    async def save_now(self, container: Container, record: ContainerRecord) -> None:
        """Make ``record`` what the container is, and commit it, which power loss may undo.

        UnavailableError: the disk refuses it; what the container is then is for the caller.
        """
        container.record = record
        change = _update(self._table, record, self._happening(record, "", NOTHING))
        await self._database.write(change, durable=False)

    def note(self, container: Container, action: str, fact: Fact) -> None:
        """Queue a row of history that goes with no change of the record."""
        change = history.note(self._happening(container.record, action, fact))
        self._database.submit(change, durable=False).add_done_callback(_report)

    async def happenings(self, container: Container) -> list[Happening]:
        """Return what happened to it, oldest first. UnavailableError: the disk refuses."""
        return await history.of(self._database, container.id)

    def _happening(self, record: ContainerRecord, action: str, fact: Fact) -> Happening:
        return Happening(self._clock.now_ns(), self._kind, record.id, action, written(fact))

    def _try_to_save(
        self, container: Container, happening: Happening, saved: Future[None], pause: float
    ) -> None:
        loop = saved.get_loop()
        longer = min(2 * pause, _LONGEST_PAUSE)
        again = partial(self._try_to_save, container, happening, saved, longer)

        def settle(done: Future[None]) -> None:
            error = done.exception()
            if isinstance(error, UnavailableError):
                _log.error("a container's state is not recorded yet: %s", error)
                loop.call_later(pause, again)
            elif error is not None:
                # What is true is in memory; start-up finds it out again from the shims if need be.
                _log.error("a container's state could not be recorded", exc_info=error)
                if not saved.done():
                    saved.set_exception(error)
                    saved.exception()  # told already
            elif not saved.done():
                saved.set_result(None)

        if container.id in self._being_replaced:  # what it is now must not get behind that
            loop.call_later(pause, again)
            return
        change = _update(self._table, container.record, happening)
        self._database.submit(change, durable=False).add_done_callback(settle)
        self._trim_now_and_then()

    async def save_durable(
        self, container: Container, record: ContainerRecord, action: str
    ) -> None:
        """Commit ``record`` for good, and then make it what the container is."""
        change = _update(self._table, record, self._happening(record, action, NOTHING))
        self._being_replaced.add(record.id)
        try:
            await self._database.write(change, durable=True)
            container.record = record
        finally:
            self._being_replaced.discard(record.id)

    async def delete(
        self,
        container: Container,
        *,
        durable: bool,
        fact: Fact = NOTHING,
        also: Wrap = lambda change: change,
    ) -> None:
        """Commit that the container is gone, and what ``also`` adds to that."""
        record = container.record
        change = also(_delete(self._table, record, self._happening(record, "destroy", fact)))
        await self._database.write(change, durable=durable)
        self._containers.pop(record.id, None)
        self.release(record.name, record.id)

    def _trim_now_and_then(self) -> None:
        self._until_trimmed -= 1
        if self._until_trimmed == 0:
            self._until_trimmed = _TRIM_EVERY
            self._database.submit(history.trim, durable=False).add_done_callback(_report)

    def _everything(self, filled: Filled) -> Change:
        records = (container.record for container in self)
        rows = [(record.id, record.name, encode_record(record)) for record in records]
        gone = [key for key in filled.get("containers", ()) if key[0] not in self._containers]
        return rewritten("containers", rows, gone)

    async def trim_history(self) -> None:
        """Forget the oldest rows of history beyond what is kept."""
        await self._database.write(history.trim, durable=False)


def _report(done: Future[None]) -> None:
    if (error := done.exception()) is not None:
        _log.error("the history of containers could not be written: %s", error)


def _insert(table: str, record: ContainerRecord, happening: Happening) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            f"INSERT INTO {table}(id, name, body) VALUES(?, ?, ?)", (record.id, record.name, body)
        )
        history.note(happening)(connection)

    return change


def _update(table: str, record: ContainerRecord, happening: Happening) -> Change:
    body = encode_record(record)

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            f"UPDATE {table} SET name = ?, body = ? WHERE id = ?", (record.name, body, record.id)
        )
        if happening.action:
            history.note(happening)(connection)

    return change


def _delete(table: str, record: ContainerRecord, happening: Happening) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute(f"DELETE FROM {table} WHERE id = ?", (record.id,))
        history.note(happening)(connection)

    return change
