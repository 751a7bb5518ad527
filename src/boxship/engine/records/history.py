"""What happened to objects, oldest first: rows that stay when the object changes, or goes.

How much is kept is bounded twice: for each object, so that one that is started again and again
does not push out what happened to others, and in all.
"""

import sqlite3
from typing import NamedTuple

from boxship.engine.records.database import Change, Database

KEPT_OF_EACH = 64
KEPT = 20_000
_SPARED = 8
"""Rows of a container that exists which outlive any number of other rows."""


class Happening(NamedTuple):
    """A row. ``kind`` is ``container``, ``network`` or ``volume``."""

    at_ns: int
    kind: str
    id: str
    action: str
    detail: str
    """What more there is to say, in the words of whoever wrote it."""


def note(happening: Happening) -> Change:
    """Return the change that adds a row."""

    def change(connection: sqlite3.Connection) -> None:
        connection.execute(
            "INSERT INTO history(at_ns, kind, id, action, detail) VALUES(?, ?, ?, ?, ?)", happening
        )

    return change


async def of(database: Database, object_id: str) -> list[Happening]:
    """Return what happened to an object, oldest first."""
    return await _read(database, "WHERE id = ? ORDER BY rowid", object_id)


async def of_gone(database: Database, kind: str, reference: str) -> list[Happening]:
    """Return what happened to the latest object of that name, or beginning of an id, that is gone.

    Empty if there was none, or so long ago that it is forgotten.
    """
    found = await _read(
        database,
        "WHERE kind = ? AND action = 'destroy' AND (substr(id, 1, length(?)) = ? OR detail = ?"
        " OR (json_valid(detail) AND json_extract(detail, '$.name') = ?))"
        " ORDER BY rowid DESC LIMIT 1",
        kind, reference, reference, reference, reference,
    )  # fmt: skip
    return await of(database, found[0].id) if found else []


async def _read(database: Database, condition: str, *values: str) -> list[Happening]:
    rows = await database.read(
        f"SELECT at_ns, kind, id, action, detail FROM history {condition}",
        values,
    )
    return [Happening(*row) for row in rows]  # type: ignore[arg-type]


def trim(connection: sqlite3.Connection) -> None:
    """Forget what is beyond the bounds: a change like any other."""
    connection.execute(
        "DELETE FROM history WHERE rowid IN (SELECT rowid FROM (SELECT rowid, action, row_number()"
        " OVER (PARTITION BY id ORDER BY rowid DESC) AS place FROM history)"
        " WHERE place > ? AND action != 'create')",
        (KEPT_OF_EACH,),
    )
    connection.execute(
        "DELETE FROM history WHERE rowid IN (SELECT rowid FROM (SELECT rowid, id, row_number()"
        " OVER (PARTITION BY id ORDER BY rowid DESC) AS place FROM history)"
        " WHERE place > ? OR id NOT IN (SELECT id FROM containers)"
        " ORDER BY rowid LIMIT max(0, (SELECT count(*) FROM history) - ?))",
        (_SPARED, KEPT),
    )
