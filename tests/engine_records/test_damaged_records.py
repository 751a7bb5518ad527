"""Pages of the records that are overwritten: found, named, and mended from what there is."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.engine.records.database import Change, Database, Filled, Migration, rewritten
from support.waiting import eventually

TABLES = (
    Migration(
        1,
        (
            "CREATE TABLE boxes(id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID",
            "CREATE TABLE tags(name TEXT PRIMARY KEY, target TEXT NOT NULL) WITHOUT ROWID",
            "CREATE TABLE history(at INTEGER NOT NULL, what TEXT NOT NULL)",
        ),
    ),
)
ROWS = 3000
"""More than the connection's own cache of pages holds."""
PAGE = 4096


def box(number: int, text: str = "first") -> tuple[str, bytes]:
    return f"box{number:04}", json.dumps({"n": number, "text": text, "fill": "x" * 150}).encode()


def fill(connection: sqlite3.Connection) -> None:
    connection.executemany("INSERT INTO boxes VALUES(?, ?)", map(box, range(ROWS)))
    connection.executemany("INSERT INTO tags VALUES(?, ?)", [(f"t{i}", "x") for i in range(20)])
    connection.executemany("INSERT INTO history VALUES(?, ?)", [(i, "new") for i in range(ROWS)])


def replace(number: int, text: str) -> Change:
    def change(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT OR REPLACE INTO boxes VALUES(?, ?)", box(number, text))

    return change


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A database that was closed in order, with its snapshot, and has changed since."""
    place = str(tmp_path / "records.db")
    with opened(place) as database:
        asyncio.run(database.write(fill))
    assert os.path.exists(f"{place}.snapshot")
    with closing(sqlite3.connect(place)) as connection:  # without another snapshot
        replace(ROWS - 1, "second")(connection)
        replace(ROWS, "second")(connection)
        connection.execute("DELETE FROM boxes WHERE id = 'box0000'")
        connection.commit()
    return place


@contextmanager
def opened(path: str, after: float = 1e6) -> Iterator[Database]:
    database = Database(path, TABLES, snapshot_after=after)
    try:
        yield database
    finally:
        database.close()


def boxes(database: Database) -> dict[str, str]:
    rows = database.load("SELECT id, body FROM boxes")
    return {str(key): json.loads(bytes(body))["text"] for key, body in rows}  # type: ignore[arg-type]


def pages_of(path: str, table: str) -> list[int]:
    """Return the numbers of a table's leaf pages, from 1."""
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute(
            "SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,)
        ).fetchone()
    return [root, *(n for n in range(2, os.stat(path).st_size // PAGE + 1) if _holds(path, n))]


def _holds(path: str, number: int) -> bool:
    with open(path, "rb") as file:
        file.seek((number - 1) * PAGE)
        page = file.read(PAGE)
    return page[0] == 10 and page.count(b'"text"') > 5


def scribble(path: str, number: int, offset: int = 0, length: int = PAGE) -> None:
    with open(path, "r+b") as file:
        file.seek((number - 1) * PAGE + offset)
        file.write(b"\xa5" * length)


def test_a_damaged_page_is_named_and_filled_in_from_the_snapshot(path: str) -> None:
    leaf = pages_of(path, "boxes")[3]
    scribble(path, leaf)
    with opened(path) as database:
        found = database.restored
        assert found is not None
        assert f"Page {leaf}: " in str(found)
        assert (found.tables, found.kept) == (["boxes"], f"{path}.damaged")
        assert 0 < found.filled_in < 60
        held = boxes(database)
        assert set(held) == {f"box{n:04}" for n in range(1, ROWS + 1)}
        # What was legible is newer than the snapshot, and counts.
        assert (held["box3000"], held["box2999"], held["box0100"]) == ("second", "second", "first")
        assert database.load("SELECT count(*) FROM history") == [(ROWS,)]
        assert database.load("SELECT count(*) FROM tags") == [(20,)]
        told = json.loads(Path(f"{path}.restored").read_text())["told"]
        assert told == str(found)
    with opened(path) as database:
        assert database.restored is None
        assert len(boxes(database)) == ROWS


def test_a_body_that_is_no_json_any_more_is_damage(path: str) -> None:
    leaf = pages_of(path, "boxes")[2]
    scribble(path, leaf, offset=PAGE - 60, length=20)
    with opened(path) as database:
        assert database.restored is not None
        assert "boxes: 1 of its rows are illegible" in str(database.restored)
        assert database.restored.filled_in == 1
        assert len(boxes(database)) == ROWS


@pytest.mark.parametrize("size", [0, 100, PAGE, 3 * PAGE + 17])
def test_a_file_that_was_cut_off(path: str, size: int) -> None:
    os.truncate(path, size)
    with opened(path) as database:
        assert database.restored is not None
        assert len(boxes(database)) >= ROWS - 1


def test_a_first_page_that_is_gone_leaves_the_snapshot(path: str) -> None:
    scribble(path, 1)
    with opened(path) as database:
        assert database.restored is not None
        assert "not a database" in str(database.restored)
        assert boxes(database) == {f"box{n:04}": "first" for n in range(ROWS)}


def test_without_a_snapshot_what_is_legible_remains(path: str) -> None:
    os.unlink(f"{path}.snapshot")
    scribble(path, pages_of(path, "boxes")[3])
    with opened(path) as database:
        assert "nothing, for want of one" in str(database.restored)
        assert ROWS - 60 < len(boxes(database)) < ROWS


def test_with_nothing_left_it_refuses_and_changes_nothing(path: str) -> None:
    os.unlink(f"{path}.snapshot")
    scribble(path, 1)
    before = Path(path).read_bytes()
    with pytest.raises(UnavailableError, match="there is no snapshot: restore them from a backup"):
        Database(path, TABLES)
    assert Path(path).read_bytes() == before
    assert not os.path.exists(f"{path}.restored")


def test_killed_before_the_whole_file_is_in_place(path: str) -> None:
    """The damaged file has its second name already, and its log has none but that any more."""
    scribble(path, pages_of(path, "boxes")[3])
    os.link(path, f"{path}.damaged")
    Path(f"{path}.tmp.whole").write_bytes(b"half")
    with opened(path) as database:
        assert len(boxes(database)) == ROWS
    assert sorted(os.listdir(os.path.dirname(path))) == [
        f"records.db{end}" for end in ("", ".damaged", ".restored", ".snapshot")
    ]


def test_damage_is_found_in_service_and_the_change_goes_through(path: str) -> None:
    written = asyncio.Event()

    def everything(filled: Filled) -> Change:
        """What is in memory: more than the snapshot has, and not what it brings back."""
        assert ("box0000",) in filled["boxes"]
        written.set()
        return rewritten("boxes", [box(ROWS, "second")], [("box0000",)])

    async def scenario() -> None:
        await database.write(replace(7, "third"))
        await written.wait()
        await database.read("SELECT 1")

    with opened(path) as database:
        database.remember(everything)
        for leaf in pages_of(path, "boxes")[1:]:
            scribble(path, leaf)
        asyncio.run(scenario())
        assert "malformed" in str(database.restored)
        held = boxes(database)
    assert (held["box0007"], held[f"box{ROWS}"]) == ("third", "second")
    assert set(held) == {f"box{n:04}" for n in range(1, ROWS + 1)}


def test_a_copy_of_damaged_pages_never_replaces_the_last_whole_one(path: str) -> None:
    with opened(path) as database:
        scribble(path, pages_of(path, "boxes")[3])
        asyncio.run(database.write(lambda db: db.execute("DELETE FROM tags")))  # type: ignore[arg-type,return-value]
    with closing(sqlite3.connect(f"{path}.snapshot")) as snapshot:
        assert snapshot.execute("PRAGMA quick_check").fetchone() == ("ok",)
    assert os.path.exists(f"{path}.restored")


def test_a_snapshot_follows_a_change(path: str) -> None:
    before = os.stat(f"{path}.snapshot").st_ino
    with opened(path, after=0.0) as database:
        asyncio.run(database.write(replace(1, "fourth")))
        eventually(lambda: os.stat(f"{path}.snapshot").st_ino != before, "another snapshot")
        with closing(sqlite3.connect(f"{path}.snapshot")) as snapshot:
            (body,) = snapshot.execute("SELECT body FROM boxes WHERE id = 'box0001'").fetchone()
    assert json.loads(body)["text"] == "fourth"


def test_without_room_for_a_copy_the_records_go_on(path: str) -> None:
    """As on a full disk: the copy can't be made, the last one stays, and nothing half is left."""
    before = Path(f"{path}.snapshot").read_bytes()
    os.mkdir(f"{path}.snapshot.trial")  # in the way of the copy
    os.mkdir(f"{path}.snapshot.trial/x")
    with opened(path) as database:
        asyncio.run(database.write(replace(1, "fifth")))
    with opened(path) as database:
        assert boxes(database)["box0001"] == "fifth"
    assert Path(f"{path}.snapshot").read_bytes() == before
    assert not os.path.exists(f"{path}.snapshot.trial.tmp")


def test_a_snapshot_of_an_older_schema_is_brought_up_to_date(path: str) -> None:
    more = (*TABLES, Migration(2, ("ALTER TABLE boxes ADD COLUMN size INTEGER DEFAULT 5",)))
    Database(path, more).close()
    os.replace(f"{path}.schema-1", f"{path}.snapshot")
    scribble(path, pages_of(path, "boxes")[3])
    database = Database(path, more)
    try:
        assert database.restored is not None
        assert database.restored.filled_in > 0
        assert database.load("SELECT count(*), sum(size) FROM boxes") == [(ROWS, 5 * ROWS)]
    finally:
        database.close()
    assert not [name for name in os.listdir(os.path.dirname(path)) if ".tmp" in name]


def test_what_is_in_the_way_is_an_error_with_a_name(tmp_path: Path) -> None:
    (tmp_path / "records.db").mkdir()
    with pytest.raises(UnavailableError, match=r"cannot open the records .*records\.db"):
        Database(str(tmp_path / "records.db"), TABLES)


@pytest.mark.parametrize("mend", [True, False])
def test_damage_is_found_by_looking_for_it(path: str, mend: bool) -> None:
    """Also in pages that the writer still has in memory as they were."""

    async def scenario(database: Database) -> tuple[tuple[str, ...], tuple[str, ...]]:
        before = await database.examine(mend=True)
        scribble(path, leaf)
        return before, await database.examine(mend=mend)

    leaf = pages_of(path, "boxes")[3]
    with opened(path) as database:
        assert asyncio.run(scenario(database)) == ((), (_no_page(leaf),))
        assert bool(database.suspicion) is mend
    with opened(path) as database:  # mended now at the latest
        assert len(boxes(database)) == ROWS


def _no_page(number: int) -> str:
    return f"Page {number}: btreeInitPage() returns error code 11"
