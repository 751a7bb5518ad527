"""``boxshipd`` before records that are not of its version."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from boxship.daemon.main import run
from boxship.engine.records.database import Database, Migration
from boxship.engine.records.schema import MIGRATIONS

NEXT = MIGRATIONS[-1].number + 1


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root that the next version has used, and before it this one."""
    path = str(tmp_path / "boxship.db")
    Database(path, MIGRATIONS).close()
    Database(path, (*MIGRATIONS, Migration(NEXT, ("DROP TABLE containers",)))).close()
    return tmp_path


def flags(root: Path, *more: str) -> list[str]:
    (root / "daemon.json").write_text(json.dumps({"data-root": str(root)}))
    return [f"--config-file={root / 'daemon.json'}", *more]


def test_validate_says_that_this_version_is_too_old(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(flags(root, "--validate")) == 1
    assert f"are of schema version {NEXT}" in capsys.readouterr().err


def test_validate_looks_only(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "boxship.db").unlink()
    before = sorted(root.iterdir())
    assert run(flags(root, "--validate")) == 0, capsys.readouterr().err
    assert sorted(root.iterdir()) == sorted({*before, root / "daemon.json"})


def test_going_back_as_it_was_told(root: Path) -> None:
    kept = f"{root}/boxship.db.schema-{NEXT - 1}"
    program = [sys.executable, "-c", "from boxship.daemon.main import main; main()"]
    arguments = flags(root, f"--restore-records={kept}")
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(root / "boxship.db")) as connection:
        assert connection.execute("SELECT * FROM containers").fetchall() == []
