import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import ConflictError, UnavailableError
from boxship.engine.records.database import Change, Database, Migration, migrate
from boxship.engine.records.schema import MIGRATIONS

TABLE = (Migration(1, ("CREATE TABLE t(key TEXT PRIMARY KEY)",)),)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(str(tmp_path / "records.db"), TABLE)
    yield opened
    opened.close()


def insert(key: str) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?)", (key,))

    return change


def modes(path: Path) -> dict[str, int]:
    return {p.name: p.stat().st_mode & 0o777 for p in path.parent.iterdir() if "records" in p.name}


def rows(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT key FROM t ORDER BY key")]
    connection.close()
    return found


def test_a_change_is_there_for_the_next_reader(database: Database, tmp_path: Path) -> None:
    asyncio.run(database.write(insert("a")))
    asyncio.run(database.write(insert("b"), durable=False))
    assert rows(tmp_path / "records.db") == ["a", "b"]


def test_one_failing_change_takes_no_neighbour_along(database: Database, tmp_path: Path) -> None:
    def refuse(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO t VALUES ('half')")
        raise ConflictError("no")

    async def scenario() -> list[object]:
        changes = (insert("a"), refuse, insert("b"), insert("a"))
        return await asyncio.gather(
            *(database.write(change) for change in changes), return_exceptions=True
        )

    outcomes = asyncio.run(scenario())
    assert outcomes[0] is None
    assert outcomes[2] is None
    assert isinstance(outcomes[1], ConflictError)
    assert isinstance(outcomes[3], sqlite3.IntegrityError)
    assert rows(tmp_path / "records.db") == ["a", "b"]


def test_many_writers_at_once(database: Database, tmp_path: Path) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(database.write(insert(f"{i:04}")) for i in range(1000)))

    asyncio.run(scenario())
    assert rows(tmp_path / "records.db") == [f"{i:04}" for i in range(1000)]


def test_closing_commits_what_is_queued(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    database = Database(str(path), TABLE)

    async def scenario() -> None:
        pending = [asyncio.ensure_future(database.write(insert(f"{i}"))) for i in range(9)]
        await asyncio.sleep(0)
        database.close()
        await asyncio.gather(*pending)

    asyncio.run(scenario())
    assert len(rows(path)) == 9


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    script = textwrap.dedent(
        """
        import asyncio, sys
        from boxship.engine.records.database import Database, Migration
        database = Database(sys.argv[1], (Migration(1, ("CREATE TABLE t(key TEXT)",)),))
        async def main():
            for number in range(10**9):
                key = f"{number:09}"
                await database.write(
                    lambda c: c.execute("INSERT INTO t VALUES (?)", (key,)) and None,
                    durable=number % 2 == 0,
                )
                print(key, flush=True)
        asyncio.run(main())
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline().strip() for _ in range(200)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged += [line.strip() for line in writer.stdout if line.endswith("\n")]
    assert set(acknowledged) <= set(rows(path))


def test_a_disk_that_refuses_is_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    database = Database(str(path), TABLE)
    try:
        asyncio.run(database.write(lambda c: c.execute("PRAGMA query_only=1") and None))
        with pytest.raises(UnavailableError, match="cannot write the records"):
            asyncio.run(database.write(insert("a")))
        database._connection.execute("PRAGMA query_only=0")
        asyncio.run(database.write(insert("b")))
    finally:
        database.close()
    assert rows(path) == ["b"]


def test_a_newer_database_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("PRAGMA user_version=99")
        with pytest.raises(UnavailableError, match="start the newer boxshipd"):
            migrate(connection, TABLE)
    connection.close()


def test_migrations_run_once_in_order(tmp_path: Path) -> None:
    path = str(tmp_path / "records.db")
    Database(path, MIGRATIONS).close()
    more = (
        *MIGRATIONS,
        Migration(len(MIGRATIONS) + 1, ("ALTER TABLE images ADD COLUMN extra TEXT",)),
    )
    Database(path, more).close()
    Database(path, more).close()
    with sqlite3.connect(path) as connection:
        names = [row[1] for row in connection.execute("PRAGMA table_info(images)")]
    connection.close()
    assert names == ["id", "body", "extra"]


def test_nobody_else_reads_the_records(tmp_path: Path) -> None:
    path = tmp_path / "records.db"
    private = {f"records.db{end}": 0o600 for end in ("", "-wal", "-shm")}
    before = os.umask(0)
    try:
        opened = Database(str(path), TABLE)
        assert modes(path) == private
        for name in private:  # as of a Boxship that did not take care
            (tmp_path / name).chmod(0o644)
        kept = Database(str(path), TABLE)
        assert modes(path) == private
    finally:
        os.umask(before)
    kept.close()
    opened.close()
