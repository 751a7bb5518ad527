"""A database with damaged pages: found out, and put together again of what can be read.

::

    boxship.db.snapshot            the last copy that was whole, made now and then (database.py)
    boxship.db.damaged[-wal,-shm]  the files as they were found, kept for a person
    boxship.db.restored            what was wrong and where it was put together from; while this
                                   file is there, nothing is removed for having no record

What can still be read of the damaged file is newer than the snapshot and counts; the snapshot fills
what cannot. A record of neither is lost: whatever belongs to it stays on the disk, until a person
has looked and removes ``boxship.db.restored``.

A page whose structure is wrong is found by ``PRAGMA quick_check``; one whose structure is right and
whose text is not, by its bodies, which are JSON.
"""

import contextlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from glob import escape, glob

import msgspec

from boxship.base.errors import UnavailableError
from boxship.base.files import fsync_directory, write_atomic
from boxship.engine.records.snapshots import opened_to_read, write_snapshot

log = logging.getLogger(__name__)

SNAPSHOT, DAMAGED, RESTORED = ".snapshot", ".damaged", ".restored"
_COMPANIONS = ("-shm", "-wal")
_CHECK, _HEADING = "PRAGMA quick_check(1)", "*** in database main *** "
_CODES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

Row = tuple[object, ...]
Prepare = Callable[[sqlite3.Connection], None]
"""Brings a database, empty or older, to the schema of today."""


@dataclass
class Restored:
    """What was done about damage: rows by where they came from, and what was wrong."""

    problems: tuple[str, ...]
    snapshot: str
    """When the snapshot was made, as ISO 8601; empty: there was none."""
    kept: str
    """Where the damaged file is now."""
    read: int = 0
    filled_in: int = 0
    tables: list[str] = field(default_factory=list)
    """Those that could not be read as a whole."""
    filled: dict[str, list[Row]] = field(default_factory=dict)
    """Keys, by table, of what came from the snapshot; it may have been removed since."""

    def __str__(self) -> str:
        source = f"a snapshot of {self.snapshot}" if self.snapshot else "nothing, for want of one"
        where = f" in {', '.join(self.tables)}" if self.tables else ""
        return (
            f"the records were damaged{where} ({'; '.join(self.problems)}): {self.read} rows were "
            f"still legible, {self.filled_in} came from {source}. The damaged file is {self.kept}"
        )


class DamagedError(Exception):
    """A page of the database isn't what SQLite wrote; ``problems`` are its own words."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def is_damage(error: BaseException) -> bool:
    """Tell whether SQLite has found that a file isn't what it wrote."""
    if isinstance(error, DamagedError):
        return True
    code = getattr(error, "sqlite_errorcode", None)
    return isinstance(code, int) and code & 0xFF in _CODES


def find_damage(connection: sqlite3.Connection) -> tuple[str, ...]:
    """Return what is wrong with a database first, in SQLite's words; empty: nothing.

    One problem is asked for: after that, SQLite goes on to read rows, fails, and tells none.
    """
    try:
        told = [" ".join(str(line).split()) for (line,) in connection.execute(_CHECK)]
        problems = tuple(_illegible(connection)) if told == ["ok"] else tuple(told)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        problems = (str(error),)
    return tuple(line.removeprefix(_HEADING) for line in problems)


def told_of(path: str) -> str:
    """Return what was done about damage that nobody has looked at yet; empty: there is none."""
    try:
        with open(path + RESTORED, "rb") as file:
            return str(json.load(file)["told"])
    except FileNotFoundError:
        return ""
    except (OSError, ValueError, KeyError) as error:
        return f"the records were damaged once, and {path}{RESTORED} is illegible: {error}"


def is_emptied(path: str) -> bool:
    """Tell whether the file has no bytes, though there were records once."""
    try:
        is_empty = os.stat(path).st_size == 0
    except FileNotFoundError:
        return False
    return is_empty and os.path.exists(path + SNAPSHOT) and not os.path.exists(f"{path}-wal")


def _illegible(connection: sqlite3.Connection) -> Iterator[str]:
    for table in _tables(connection):
        if "body" not in table.columns:
            continue
        bodies = connection.execute(f"SELECT body FROM {table.name}")
        if count := sum(not _is_json(body) for (body,) in bodies):
            yield f"{table.name}: {count} of its rows are illegible"


def restore(path: str, problems: tuple[str, ...], prepare: Prepare) -> Restored:
    """Put the database at ``path``, which nobody has open, together again.

    UnavailableError: there is neither a snapshot nor anything legible, and nothing was changed; or
    the disk refuses.
    """
    snapshot, kept, made = path + SNAPSHOT, path + DAMAGED, f"{path}.tmp"
    found = Restored(problems, _date(snapshot), kept)
    try:
        _copy_of_snapshot(snapshot, made)
        with contextlib.closing(sqlite3.connect(made, isolation_level=None)) as new:
            new.execute("PRAGMA journal_mode=OFF")
            prepare(new)
            _set_aside(path)
            with contextlib.closing(opened_to_read(kept)) as old:
                _salvage(old, new, found)
            if not (found.snapshot or found.read):
                raise UnavailableError(
                    f"the records in {path} are damaged ({'; '.join(problems)}), nothing of them "
                    "is legible, and there is no snapshot: restore them from a backup, or move "
                    "the file away to begin without any"
                )
            write_snapshot(new, f"{made}.whole")
        _exchange(path, f"{made}.whole")
        text = json.dumps({"problems": problems, "told": str(found)}, indent=1)
        write_atomic(path + RESTORED, f"{text}\n".encode(), mode=0o600)
    except (OSError, sqlite3.Error) as error:
        raise UnavailableError(f"cannot restore the damaged records in {path}: {error}") from error
    finally:
        # Where the snapshot's schema was older, bringing it up to date has kept a copy of that.
        for left in (made, f"{made}.whole", f"{kept}-shm", *glob(f"{escape(made)}.schema-*")):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(left)
        _forget_if_empty(f"{kept}-wal")
    log.error("%s", found)
    return found


def _forget_if_empty(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        if os.stat(path).st_size == 0:
            os.unlink(path)


def _date(snapshot: str) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(os.stat(snapshot).st_mtime))
    except FileNotFoundError:
        return ""


def _copy_of_snapshot(snapshot: str, target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(target)
    if os.path.exists(snapshot):
        with contextlib.closing(opened_to_read(snapshot, "&immutable=1")) as source:
            write_snapshot(source, target)


def _set_aside(path: str) -> None:
    """Give the damaged file and its log second names, unless a restoring that was killed has."""
    kept = path + DAMAGED
    if os.path.exists(kept) and os.path.samefile(path, kept):
        return
    for companion in ("", *_COMPANIONS):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(kept + companion)
    with contextlib.suppress(FileNotFoundError):
        os.link(f"{path}-wal", f"{kept}-wal")
    os.link(path, kept)  # the last: the sign that both are there


def _exchange(path: str, whole: str) -> None:
    """Put the whole file in place. The damaged one's log goes before: applied to it, it would
    destroy it.
    """
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + companion)
    os.rename(whole, path)
    fsync_directory(os.path.dirname(path) or ".")


# ── what is legible ──────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    """Of its primary key; ``rowid`` where it has none."""


def _tables(connection: sqlite3.Connection) -> list[_Table]:
    names = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    tables = []
    for (name,) in names:
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        keys = tuple(column[1] for column in sorted(columns, key=lambda c: c[5]) if column[5])
        tables.append(_Table(name, tuple(column[1] for column in columns), keys or ("rowid",)))
    return tables


def _salvage(old: sqlite3.Connection, new: sqlite3.Connection, found: Restored) -> None:
    new.execute("BEGIN")
    for table in _tables(new):
        legible = _Legible(table)
        legible.read_all(old, _keys(new, table))
        if not legible.is_whole:
            found.tables.append(table.name)
        found.read += len(legible.rows)
        for key in _keys(new, table):
            if legible.misses(key):
                found.filled_in += 1
                found.filled.setdefault(table.name, []).append(key)
            else:  # replaced by what is newer, or removed since
                _delete(new, table, key)
        _insert(new, table, legible.rows.values())
    new.execute("COMMIT")


def _rowid(table: _Table) -> tuple[str, ...]:
    return ("rowid",) if table.keys == ("rowid",) else ()


def _keys(connection: sqlite3.Connection, table: _Table) -> list[Row]:
    return connection.execute(f"SELECT {', '.join(table.keys)} FROM {table.name}").fetchall()


def _where(table: _Table) -> str:
    return f"({', '.join(table.keys)}) = ({', '.join('?' * len(table.keys))})"


def _delete(connection: sqlite3.Connection, table: _Table, key: Row) -> None:
    connection.execute(f"DELETE FROM {table.name} WHERE {_where(table)}", key)


def _insert(connection: sqlite3.Connection, table: _Table, rows: Iterable[Row]) -> None:
    columns = (*_rowid(table), *table.columns)
    named, marks = ", ".join(columns), ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT OR REPLACE INTO {table.name}({named}) VALUES({marks})",
        rows,
    )


class _Legible:
    """What can be read of a table: from its beginning, from its end, and one by one in between."""

    def __init__(self, table: _Table) -> None:
        self._table = table
        self.rows: dict[Row, Row] = {}
        self.is_whole = True
        self._broken: set[Row] = set()
        """Keys of rows that are there and illegible."""
        self._gap: tuple[Row | None, Row | None] | None = None
        """The keys between which rows may be missing; None: there is no end that was reached."""

    def misses(self, key: Row) -> bool:
        """Tell whether a row of this key may have been in the damaged part."""
        if key in self.rows:
            return False
        if key in self._broken:
            return True
        if self._gap is None:
            return False
        before, behind = self._gap
        return (before is None or key > before) and (behind is None or key < behind)

    def read_all(self, old: sqlite3.Connection, known: list[Row]) -> None:
        """Read everything; ``known`` are keys to ask for one by one."""
        columns = (*self._table.keys, *_rowid(self._table), *self._table.columns)
        query = f"SELECT {', '.join(columns)} FROM {self._table.name}"
        ends: list[Row | None] = []
        for order in ("ASC", "DESC"):
            ordered = ", ".join(f"{key} {order}" for key in self._table.keys)
            came_through, last = self._read(old, f"{query} ORDER BY {ordered}", ())
            if came_through:
                self.is_whole = not self._broken
                return
            ends.append(last)
        self.is_whole, self._gap = False, (ends[0], ends[1])
        for key in known:
            if key not in self._broken and self.misses(key):
                self._read(old, f"{query} WHERE {_where(self._table)}", key)

    def _read(self, old: sqlite3.Connection, query: str, values: Row) -> tuple[bool, Row | None]:
        """Take what a query yields until it fails; return whether it didn't, and the last key."""
        count, last = len(self._table.keys), None
        try:
            for row in old.execute(query, values):
                last = row[:count]
                if self._is_legible(row[count:]):
                    self.rows[last] = row[count:]
                else:
                    self._broken.add(last)
        except (sqlite3.DatabaseError, UnicodeDecodeError):
            return False, last
        return True, last

    def _is_legible(self, row: Row) -> bool:
        if "body" not in self._table.columns:
            return True
        return _is_json(row[len(_rowid(self._table)) + self._table.columns.index("body")])


def _is_json(body: object) -> bool:
    try:
        msgspec.json.decode(body if isinstance(body, bytes | str) else b"")
    except (msgspec.DecodeError, ValueError):
        return False
    return True
