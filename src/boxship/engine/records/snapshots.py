"""Whole copies of the database, beside it, and the way back to one.

::

    boxship.db              the records
    boxship.db-wal, -shm    what SQLite keeps beside them while they are open
    boxship.db.schema-<n>   as they were before a later Boxship changed them from schema n

A copy is one file, made whole before it gets its name, and never written to again.
"""

import contextlib
import glob
import os
import sqlite3

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.base.files import fsync_directory

_KEPT = 2
_COMPANIONS = ("-wal", "-shm")
_GOING_BACK = ".going-back"


def keep_private(path: str) -> None:
    """Let root alone read records: containers' environments and log drivers' tokens are in them.

    SQLite gives the files beside it the mode that the database has. A database that is there is
    not opened for this: closing it would take away the locks of whoever else in here has it open.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    for companion in ("", *_COMPANIONS):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(path + companion, 0o600)


def write_snapshot(connection: sqlite3.Connection, target: str) -> None:
    """Copy the database of ``connection`` to ``target``, durably. UnavailableError: it can't be."""
    temporary = f"{target}.tmp"
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        descriptor = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with contextlib.closing(sqlite3.connect(temporary)) as copy:
                copy.execute("PRAGMA journal_mode=OFF")  # a file that was never whole needs none
                connection.backup(copy)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.rename(temporary, target)
        fsync_directory(os.path.dirname(target) or ".")
    except (OSError, sqlite3.Error) as error:
        with contextlib.suppress(OSError):  # half of it on a full disk helps nobody
            os.unlink(temporary)
        raise UnavailableError(f"cannot copy the records to {target}: {error}") from error


def keep_before_migration(connection: sqlite3.Connection, schema: int) -> None:
    """Copy the records as they are, of schema version ``schema``; forget copies of long before."""
    path = str(connection.execute("PRAGMA database_list").fetchone()[2])
    if not path:  # in memory
        return
    write_snapshot(connection, f"{path}.schema-{schema}")
    for old in sorted(_kept(path))[:-_KEPT]:
        os.unlink(f"{path}.schema-{old}")


def newest_kept(path: str, schema: int) -> str:
    """Return the newest copy of ``path`` that a Boxship of ``schema`` can read, "" for none."""
    fitting = [kept for kept in _kept(path) if kept <= schema]
    return f"{path}.schema-{max(fitting)}" if fitting else ""


def _kept(path: str) -> list[int]:
    ends = [name.rpartition("-")[2] for name in glob.glob(f"{glob.escape(path)}.schema-*")]
    return [int(end) for end in ends if end.isdecimal()]


def restore_snapshot(path: str, snapshot: str) -> None:
    """Put a copy of ``snapshot`` in the place of the database; nobody may have it open.

    What was there is kept as a copy of its own schema, for the way forth again. Its log is removed
    before the exchange: applied to another file it would destroy that. Who is killed in between may
    do it again. InvalidArgumentError: the snapshot isn't one, and nothing has been touched.
    """
    try:
        with contextlib.closing(opened_to_read(snapshot, "&immutable=1")) as source:
            if source.execute("PRAGMA quick_check").fetchone()[0] != "ok":
                raise InvalidArgumentError(f"{snapshot} is damaged")
            write_snapshot(source, f"{path}{_GOING_BACK}")
    except sqlite3.Error as error:
        raise InvalidArgumentError(f"{snapshot} holds no records: {error}") from error
    _keep_given_up(path, snapshot)
    for companion in _COMPANIONS:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path + companion)
    os.rename(f"{path}{_GOING_BACK}", path)
    fsync_directory(os.path.dirname(path) or ".")


def _keep_given_up(path: str, snapshot: str) -> None:
    # Damaged records may be what somebody goes back from: then there is nothing to keep.
    with contextlib.suppress(UnavailableError, sqlite3.Error):
        target = f"{path}.schema-{schema_of(path)}"
        if os.path.exists(path) and os.path.abspath(target) != os.path.abspath(snapshot):
            with contextlib.closing(opened_to_read(path)) as source:
                write_snapshot(source, target)


def schema_of(path: str) -> int:
    """Return the schema version of a database, 0 if there is none."""
    if not os.path.exists(path):
        return 0
    try:
        with contextlib.closing(opened_to_read(path)) as connection:
            return int(connection.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise UnavailableError(f"cannot read the records of {path}: {error}") from error


def opened_to_read(path: str, how: str = "") -> sqlite3.Connection:
    quoted = os.path.abspath(path).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return sqlite3.connect(f"file:{quoted}?mode=ro{how}", uri=True)
