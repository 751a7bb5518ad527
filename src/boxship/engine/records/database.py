"""One SQLite file, one writer thread, group commit.

The event loop never waits for the disk: a change is a function over the connection, handed to the
writer thread, and what has queued up meanwhile is committed together. ::

    loop ──change──►  queue ──►  writer: BEGIN · change · change · … · COMMIT ──► every waiter

Each change runs inside a savepoint, so that one that fails takes nothing of its neighbours along.
Durability is per change. A *durable* one is on the disk (``synchronous=FULL``: the write-ahead log
is fsynced) before its caller goes on. Any other survives ``kill -9`` of the daemon, but perhaps not
power loss; it is meant for facts that power loss makes untrue anyway, such as "running".

Reads hardly come here: every owner of records loads them at start-up and keeps them in memory.
What is asked for seldom, as what happened to an object, is read behind the changes in the queue.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from boxship.base.errors import UnavailableError
from boxship.engine.records.snapshots import keep_before_migration, newest_kept

Change = Callable[[sqlite3.Connection], None]

_MOST_IN_ONE_COMMIT = 256


@dataclass(frozen=True)
class Migration:
    """Statements that lead from schema version ``number - 1`` to ``number``."""

    number: int
    statements: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Request:
    change: Change
    durable: bool
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]

    def answer(self, error: BaseException | None) -> None:
        # The loop may be gone when the daemon stops hard; then nobody waits for the answer.
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._settle, error)

    def _settle(self, error: BaseException | None) -> None:
        if self.done.cancelled():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)


class Database:
    """The engine's records on disk. Open it once; ``close`` waits for what is queued."""

    def __init__(self, path: str, migrations: Sequence[Migration]) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute("PRAGMA cache_size=-256")
        self._durable = True
        self._closed = False
        migrate(self._connection, migrations)
        self._queue: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._write_forever, name="records", daemon=True)
        self._writer.start()

    async def write(self, change: Change, *, durable: bool = True) -> None:
        """Apply ``change`` and return once it is committed. It must not commit by itself.

        Raises what the change raised, or UnavailableError when the disk refuses (full, failing).
        """
        await self.submit(change, durable=durable)

    def submit(self, change: Change, *, durable: bool = True) -> asyncio.Future[None]:
        """Queue ``change`` behind all earlier ones, and return what :meth:`write` waits for."""
        loop = asyncio.get_running_loop()
        request = _Request(change, durable, loop, loop.create_future())
        if self._closed:  # nobody would answer, and who waits for it would wait for ever
            request.done.set_exception(UnavailableError("the daemon has stopped"))
            return request.done
        self._queue.put(request)
        return request.done

    async def read(self, query: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        """Return rows as they are after all changes so far. UnavailableError: the disk refuses."""
        rows: list[tuple[object, ...]] = []

        def look(connection: sqlite3.Connection) -> None:
            rows.extend(connection.execute(query, values).fetchall())

        await self.submit(look, durable=False)
        return rows

    def load(self, query: str) -> list[tuple[object, ...]]:
        """Read rows at start-up, before anything is written."""
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        """Commit what is queued, stop the writer, close the file. Later changes are refused."""
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._connection.close()

    def _write_forever(self) -> None:
        while (first := self._queue.get()) is not None:
            batch, last = self._collect(first)
            self._commit(batch)
            if last:
                return

    def _collect(self, first: _Request) -> tuple[list[_Request], bool]:
        batch = [first]
        while len(batch) < _MOST_IN_ONE_COMMIT:
            try:
                request = self._queue.get_nowait()
            except queue.Empty:
                break
            if request is None:
                return batch, True
            batch.append(request)
        return batch, False

    def _commit(self, batch: list[_Request]) -> None:
        outcomes: list[BaseException | None] = []
        try:
            self._set_durable(any(request.durable for request in batch))
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(request) for request in batch]
            self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            refused = UnavailableError(f"cannot write the records: {error}")
            outcomes = [refused for _ in batch]
        for request, outcome in zip(batch, outcomes, strict=True):
            request.answer(outcome)

    def _apply(self, request: _Request) -> BaseException | None:
        self._connection.execute("SAVEPOINT change")
        try:
            request.change(self._connection)
        except sqlite3.OperationalError:
            raise  # the disk, not this change: the whole batch fails
        except Exception as error:  # noqa: BLE001 - carried to the caller, whatever it is
            self._connection.execute("ROLLBACK TO change")
            self._connection.execute("RELEASE change")
            return error
        self._connection.execute("RELEASE change")
        return None

    def _set_durable(self, durable: bool) -> None:
        if durable != self._durable:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the schema up to the newest version, keeping a copy of what it was.

    All steps are one transaction: whoever is killed in between leaves the old schema, which the old
    Boxship knows. UnavailableError: the records are a newer Boxship's; the text says the ways out.
    """
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    newest = max((m.number for m in migrations), default=0)
    path = str(connection.execute("PRAGMA database_list").fetchone()[2])
    check_schema(path, found, newest)
    pending = sorted((m for m in migrations if m.number > found), key=lambda m: m.number)
    if not pending:
        return
    if found:
        keep_before_migration(connection, found)
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in (each for migration in pending for each in migration.statements):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version={newest}")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.execute("ROLLBACK")
        raise


def check_schema(path: str, found: int, newest: int) -> None:
    """Raise UnavailableError for records of a later version than this Boxship knows."""
    if found <= newest:
        return
    message = (
        f"the records in {path} are of schema version {found}, and this boxshipd knows {newest} at "
        "most: start the newer boxshipd that wrote them"
    )
    kept = newest_kept(path, newest)
    if kept:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(os.stat(kept).st_mtime))
        message += (
            f", or give up what has changed since {when} and go back to the records of before by "
            f"boxshipd --restore-records {kept}"
        )
    raise UnavailableError(message)
