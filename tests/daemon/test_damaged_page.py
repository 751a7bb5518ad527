"""A page of the records is overwritten while the daemon is down: it starts, says so, loses nothing
that was legible, and removes nothing for having no record.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.engine import Engine

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

PAGE = 4096


def page_with(records: Path, word: str) -> int:
    """Return the number of the page where a container's row begins."""
    pages = records.read_bytes()
    found = [
        number
        for number in range(len(pages) // PAGE)
        if pages[number * PAGE] == 10 and word.encode() in pages[number * PAGE :][:PAGE]
    ]
    return found[0] + 1


def names(engine: Engine) -> set[str]:
    return {box["Names"][0] for box in engine.api.get("/containers/json", all=1).json()}


def test_a_damaged_page_is_mended_at_the_start(make_engine: Callable[..., Engine]) -> None:
    engine = make_engine("--live-restore")
    engine.start()
    engine.load("busybox")
    ids = [engine.api.create(f"c{i}", Cmd=["sleep", "100000"]) for i in range(6)]
    engine.api.start("c2")
    pid = engine.api.inspect("c2")["State"]["Pid"]
    engine.stop()  # in order: with a snapshot
    records = engine.data / "boxship.db"
    number = page_with(records, ids[2])
    with records.open("r+b") as file:
        file.seek((number - 1) * PAGE)
        file.write(b"\xa5" * PAGE)
    engine.start()
    assert f"Page {number}: " in engine.log()
    assert names(engine) == {f"/c{i}" for i in range(6)}
    assert engine.api.inspect("c2")["State"]["Pid"] == pid
    assert os.path.exists(f"/proc/{pid}")
    (warning,) = [w for w in engine.api.get("/info").json()["Warnings"] or () if "damaged" in w]
    assert f"{records}.restored is removed" in warning
    found = engine.boxship.run("system", "check")
    assert found.code == 1
    assert "lost: records boxship.db.restored: the records were damaged" in found.out
    # Until somebody has looked, what has no record stays.
    stranger = engine.data / "containers" / ("ab" * 32)
    stranger.mkdir()
    engine.stop()
    engine.start()
    assert stranger.exists()
    os.unlink(f"{records}.restored")
    engine.stop()
    engine.start()
    assert not stranger.exists()
    assert not any("damaged" in w for w in engine.api.get("/info").json()["Warnings"] or ())
    assert engine.api.inspect("c2")["State"]["Pid"] == pid
