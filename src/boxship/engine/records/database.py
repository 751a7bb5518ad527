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

Now and then, and at the end, the file is copied beside itself (``snapshotting``). If pages
turn out damaged, at the start or in between, it is put together again (``restoring``).
"""

import asyncio
import contextlib
import logging
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from boxship.base.errors import UnavailableError
from boxship.engine.records.restoring import (
    DamagedError,
    Restored,
    find_damage,
    is_damage,
    is_emptied,
    restore,
    told_of,
)
from boxship.engine.records.snapshots import (
    keep_before_migration,
    keep_private,
    newest_kept,
    opened_to_read,
)
from boxship.engine.records.snapshotting import SNAPSHOT_AFTER, Snapshots

log = logging.getLogger(__name__)

Change = Callable[[sqlite3.Connection], None]
Filled = Mapping[str, Sequence[tuple[object, ...]]]
"""Keys of rows, by table, that a snapshot had and the damaged file perhaps not any more."""

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

    def __init__(
        self, path: str, migrations: Sequence[Migration], *, snapshot_after: float = SNAPSHOT_AFTER
    ) -> None:
        """Open it. If pages of it are damaged, it is put together again first (``restoring``);
        UnavailableError: that can't be done. ``snapshot_after``: seconds, see :class:`Snapshots`.
        """
        self._path, self._migrations = path, migrations
        self.restored: Restored | None = None
        """What was done about damage, if there was any."""
        self._owners: list[Callable[[Filled], Change]] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection = self._open()
        self._durable = True
        self._closed = False
        self._snapshots = Snapshots(path, snapshot_after)
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
        loop = self._loop = asyncio.get_running_loop()
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

    def remember(self, everything: Callable[[Filled], Change]) -> None:
        """Name somebody who has records in memory, and can make the change that writes them all.

        It is asked for after damage was mended in service: what is in memory is newer.
        """
        self._owners.append(everything)

    async def examine(self, *, mend: bool) -> tuple[str, ...]:
        """Look at every page, and return what is wrong; with ``mend``, it is put right.

        UnavailableError: that can't be done.
        """
        problems = await asyncio.to_thread(_look_at, self._path)
        if problems and mend:
            await self.write(_found(problems))
        return problems

    @property
    def suspicion(self) -> str:
        """What was done about damage, until somebody has looked at it; empty: nothing was.

        Meanwhile what has no record may be somebody's; see ``restoring``.
        """
        return told_of(self._path)

    def load(self, query: str) -> list[tuple[object, ...]]:
        """Read rows at start-up, before anything is written."""
        return self._connection.execute(query).fetchall()

    def close(self) -> None:
        """Commit what is queued, stop the writer, close the file. Later changes are refused."""
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._connection.close()

    def _open(self) -> sqlite3.Connection:
        problems: tuple[str, ...] = ("it is empty",) if is_emptied(self._path) else ()
        try:
            connection = _connected(self._path)
            problems = problems or find_damage(connection)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise UnavailableError(f"cannot open the records {self._path}: {error}") from error
            problems = (str(error),)
        else:
            if not problems:
                if told := self.suspicion:
                    log.warning("%s", told)
                migrate(connection, self._migrations)
                return connection
            connection.close()
        return self._put_together(problems)

    def _put_together(self, problems: tuple[str, ...]) -> sqlite3.Connection:
        self.restored = restore(self._path, problems, lambda new: migrate(new, self._migrations))
        return _connected(self._path)

    def _write_forever(self) -> None:
        while True:
            try:
                first = self._queue.get(timeout=self._snapshots.patience)
            except queue.Empty:
                self._snapshot()
                continue
            if first is None:
                break
            batch, last = self._collect(first)
            self._commit(batch)
            if last:
                break
        if self._snapshots.is_quick:
            self._snapshot()

    def _snapshot(self) -> None:
        try:
            self._snapshots.make(self._connection)
        except DamagedError as error:
            # It has been told, and the next write tries again.
            with contextlib.suppress(UnavailableError, sqlite3.Error):
                self._mend(error.problems)
        except (UnavailableError, sqlite3.Error) as error:
            log.warning("the records have no new snapshot: %s", error)

    def _mend(self, problems: tuple[str, ...]) -> None:
        """Put the database together again, in service. UnavailableError: it can't be."""
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()
        try:
            self._connection = self._put_together(problems)
        except UnavailableError:
            log.exception(
                "the records are damaged and nothing can be written until they are mended"
            )
            self._connection = sqlite3.connect(
                self._path, isolation_level=None, check_same_thread=False
            )
            raise
        self._durable = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it is gone when the daemon stops hard
                self._loop.call_soon_threadsafe(self._put_back)

    def _put_back(self) -> None:
        filled = {} if self.restored is None else self.restored.filled
        for everything in self._owners:
            self.submit(everything(filled)).add_done_callback(_tell_failure)

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
        try:
            try:
                outcomes = self._transaction(batch)
            except (sqlite3.DatabaseError, DamagedError) as error:
                if not is_damage(error):
                    raise
                self._mend(getattr(error, "problems", (str(error),)))
                outcomes = self._transaction(batch)
        except (sqlite3.Error, UnavailableError) as error:
            refused = UnavailableError(f"cannot write the records: {error}")
            outcomes = [refused for _ in batch]
        self._snapshots.changed()
        for request, outcome in zip(batch, outcomes, strict=True):
            request.answer(outcome)

    def _transaction(self, batch: list[_Request]) -> list[BaseException | None]:
        try:
            self._set_durable(any(request.durable for request in batch))
            self._connection.execute("BEGIN IMMEDIATE")
            outcomes = [self._apply(request) for request in batch]
            self._connection.execute("COMMIT")
        except (sqlite3.Error, DamagedError):
            with contextlib.suppress(sqlite3.Error):
                self._connection.execute("ROLLBACK")
            raise
        return outcomes

    def _apply(self, request: _Request) -> BaseException | None:
        self._connection.execute("SAVEPOINT change")
        try:
            request.change(self._connection)
        except sqlite3.OperationalError:
            raise  # the disk, not this change: the whole batch fails
        except Exception as error:
            if is_damage(error):
                raise  # nor is that this change's
            self._connection.execute("ROLLBACK TO change")
            self._connection.execute("RELEASE change")
            return error
        self._connection.execute("RELEASE change")
        return None

    def _set_durable(self, durable: bool) -> None:
        if durable != self._durable:
            self._connection.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
            self._durable = durable


def _connected(path: str) -> sqlite3.Connection:
    keep_private(path)
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA cache_size=-256")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _look_at(path: str) -> tuple[str, ...]:
    # By a connection of its own: the writer's may still have pages as they were.
    with contextlib.closing(opened_to_read(path)) as connection:
        return find_damage(connection)


def _found(problems: tuple[str, ...]) -> Change:
    """Return a change that finds damage when it is tried first, and nothing once that is mended."""
    told = [problems]

    def change(_: sqlite3.Connection) -> None:
        if told:
            raise DamagedError(told.pop())

    return change


def _tell_failure(done: asyncio.Future[None]) -> None:
    if (error := done.exception()) is not None:
        log.error("records that were damaged could not be written again: %s", error)


def rewritten(
    table: str, rows: Sequence[tuple[object, ...]], gone: Sequence[tuple[object, ...]]
) -> Change:
    """Return the change that makes ``rows`` be there and those of the keys ``gone`` not."""

    def change(connection: sqlite3.Connection) -> None:
        key = connection.execute(f"PRAGMA table_info({table})").fetchone()[1]
        connection.executemany(f"DELETE FROM {table} WHERE {key} = ?", gone)
        if rows:
            marks = ", ".join("?" * len(rows[0]))
            connection.executemany(f"INSERT OR REPLACE INTO {table} VALUES({marks})", rows)

    return change


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
