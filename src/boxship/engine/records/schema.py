"""The tables of the records, as numbered migrations. One that has been released never changes.

::

    containers(id, name, body)        body: ContainerRecord as JSON; name is unique
    images(id, body)                  body: ImageRecord as JSON
    tags(name, image_id)              familiar-form free: docker.io/library/busybox:latest
    variants(name, platform, image_id, manifest, index_digest, at_ns)
                                      which images are kept for a name (images/variants.py)
    layer_sources(diff_id, digest, size, media_type, repository, claimed)
                                      compressed forms of a layer (images/layersources.py)
    pulls(name, platform, layers, at_ns, boot_id)
                                      pulls that have not ended (images/pulls.py)
    networks(id, name, body)          body: NetworkRecord as JSON; name is unique
    volumes(id, name, body)           body: VolumeRecord as JSON; name is unique
    trash(id, kind, lot, name, removed_ns, expires_ns, body)
                                      what was removed and can be brought back (records/trash.py)
    build_results(id, layers, body)   results of builds' steps (build/cachestore.py); the layers
                                      are beside it because sweeps need them (images/kept.py)
    builds(id, created_ns, body)      builds that have ended (build/history.py)
    scopes(name, body)                body: Scope as JSON (access/scope.py)
    plugins(id, name, body)           body: managed/record.py's PluginRecord as JSON
    plugin_processes(id, name, body)  body: ContainerRecord; what plugins are run as
    history(at_ns, kind, id, action, detail)   what happened to an object, oldest first
                                      (records/history.py; of containers: containers/facts.py)

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
    Migration(
        2,
        (
            "CREATE TABLE variants(name TEXT NOT NULL, platform TEXT NOT NULL,"
            " image_id TEXT NOT NULL, manifest TEXT NOT NULL, index_digest TEXT NOT NULL,"
            " at_ns INTEGER NOT NULL, PRIMARY KEY(name, platform)) WITHOUT ROWID",
            "CREATE TABLE layer_sources(diff_id TEXT NOT NULL, digest TEXT NOT NULL,"
            " size INTEGER NOT NULL, media_type TEXT NOT NULL, repository TEXT NOT NULL,"
            " claimed INTEGER NOT NULL, PRIMARY KEY(diff_id, digest, repository)) WITHOUT ROWID",
            "CREATE TABLE pulls(name TEXT NOT NULL, platform TEXT NOT NULL, layers BLOB NOT NULL,"
            " at_ns INTEGER NOT NULL, boot_id TEXT NOT NULL, PRIMARY KEY(name, platform))"
            " WITHOUT ROWID",
        ),
    ),
    Migration(
        3,
        (
            "CREATE TABLE networks(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " body BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        4,
        (
            "CREATE TABLE volumes(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " body BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        5,
        (
            "CREATE TABLE trash(id TEXT PRIMARY KEY, kind TEXT NOT NULL, lot TEXT NOT NULL,"
            " name TEXT NOT NULL, removed_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
            " body BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        6,
        (
            "CREATE TABLE build_results(id TEXT PRIMARY KEY, layers TEXT NOT NULL,"
            " body BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE builds(id TEXT PRIMARY KEY, created_ns INTEGER NOT NULL,"
            " body BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
    Migration(
        7,
        ("CREATE TABLE scopes(name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",),
    ),
    Migration(
        8,
        (
            "CREATE TABLE plugins(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " body BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE plugin_processes(id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " body BLOB NOT NULL) WITHOUT ROWID",
        ),
    ),
)
