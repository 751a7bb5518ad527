"""Copies of the records: made before a later version changes them, and gone back to."""

import signal
import sqlite3
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.engine.records import snapshots
from boxship.engine.records.database import Database, Migration, migrate

FIRST = Migration(1, ("CREATE TABLE t(key TEXT)", "INSERT INTO t VALUES ('kept')"))
SECOND = Migration(2, ("ALTER TABLE t ADD COLUMN more TEXT",))
THIRD = Migration(3, ("DELETE FROM t",))
WRONG = Migration(4, ("CREATE TABLE u(key TEXT)", "INSERT INTO nowhere VALUES (1)"))


@pytest.fixture
def path(tmp_path: Path) -> str:
    place = str(tmp_path / "x.db")
    Database(place, (FIRST,)).close()
    return place


def keys(path: str) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [key for (key,) in connection.execute("SELECT key FROM t")]


def test_a_new_schema_keeps_the_records_of_before(path: str) -> None:
    Database(path, (FIRST, SECOND, THIRD)).close()
    assert keys(path) == []
    assert snapshots.schema_of(path) == 3
    assert snapshots.newest_kept(path, 2) == f"{path}.schema-1"
    assert keys(f"{path}.schema-1") == ["kept"]


def test_the_first_schema_has_nothing_to_keep(path: str) -> None:
    assert snapshots.newest_kept(path, 9) == ""
    assert snapshots.schema_of(f"{path}-other") == 0


def test_two_copies_are_enough(path: str) -> None:
    steps = [FIRST]
    for number in range(2, 6):
        steps.append(Migration(number, ()))
        Database(path, steps).close()
    kept = sorted(name.name for name in Path(path).parent.glob("*schema*"))
    assert kept == ["x.db.schema-3", "x.db.schema-4"]


def test_steps_that_fail_half_way_change_nothing(path: str) -> None:
    with pytest.raises(sqlite3.Error, match="nowhere"):
        Database(path, (FIRST, SECOND, THIRD, WRONG))
    assert snapshots.schema_of(path) == 1
    assert keys(path) == ["kept"]


def test_killed_between_two_steps_the_old_and_the_new_work(path: str) -> None:
    script = textwrap.dedent(
        """
        import os, signal, sys
        from boxship.engine.records.database import Database, Migration
        def steps():
            yield "DELETE FROM t"
            os.kill(os.getpid(), signal.SIGKILL)
        Database(sys.argv[1], (Migration(1, ()), Migration(2, steps())))
        """
    )
    done = subprocess.run([sys.executable, "-c", script, path], check=False)
    assert done.returncode == -signal.SIGKILL
    Database(path, (FIRST,)).close()
    assert keys(path) == ["kept"]
    Database(path, (FIRST, SECOND)).close()
    assert keys(path) == ["kept"]
    assert snapshots.schema_of(path) == 2


def test_an_older_boxship_is_told_both_ways_out(path: str) -> None:
    Database(path, (FIRST, SECOND)).close()
    with closing(sqlite3.connect(path)) as connection, pytest.raises(UnavailableError) as refused:
        migrate(connection, (FIRST,))
    told = str(refused.value)
    assert "schema version 2, and this boxshipd knows 1 at most" in told
    assert "start the newer boxshipd" in told
    assert told.endswith(f"boxshipd --restore-records {path}.schema-1")


def test_going_back(path: str) -> None:
    Database(path, (FIRST, THIRD)).close()
    snapshots.restore_snapshot(path, f"{path}.schema-1")
    assert keys(path) == ["kept"]
    Database(path, (FIRST,)).close()


def test_and_forth_again(path: str) -> None:
    Database(path, (FIRST, THIRD)).close()
    snapshots.restore_snapshot(path, f"{path}.schema-1")
    snapshots.restore_snapshot(path, f"{path}.schema-3")
    assert keys(path) == []
    assert snapshots.schema_of(path) == 3


def test_the_log_of_the_records_is_not_applied_to_the_older_ones(path: str) -> None:
    writer = sqlite3.connect(path, isolation_level=None)
    try:
        snapshots.write_snapshot(writer, f"{path}.schema-1")
        writer.execute("INSERT INTO t VALUES ('later')")  # in the log, until somebody closes
        log = Path(f"{path}-wal").read_bytes()
    finally:
        writer.close()
    Path(f"{path}-wal").write_bytes(log)  # as after kill -9
    snapshots.restore_snapshot(path, f"{path}.schema-1")
    assert keys(path) == ["kept"]


def test_what_is_no_copy_is_refused_and_nothing_touched(path: str, tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("dear reader, " * 200)
    for wrong in (tmp_path / "letter", tmp_path / "missing"):
        with pytest.raises(InvalidArgumentError, match=str(wrong)):
            snapshots.restore_snapshot(path, str(wrong))
    assert keys(path) == ["kept"]
