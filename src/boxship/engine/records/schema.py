"""The tables of the records, as numbered migrations. One that has been released never changes.

::

    containers(id, name, body)        body: ContainerRecord as JSON; name is unique
    images(id, body)                  body: ImageRecord as JSON
    tags(name, image_id)              familiar-form free: docker.io/library/busybox:latest
    history(at_ns, kind, id, action, detail)   what happened to an object, oldest first

A body is JSON so that a field added later needs no migration: readers fill in its default.
"""

from boxship.engine.records.database import Migration

MIGRATIONS = (
    Migration(
        1,
        (
            "CREATE TABLE containers(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " body BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE images(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE tags(name TEXT PRIMARY KEY, image_id TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE history(at_ns INTEGER NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL,"
            " action TEXT NOT NULL, detail TEXT NOT NULL DEFAULT '')",
            "CREATE INDEX history_of ON history(id, at_ns)",
        ),
    ),
)
