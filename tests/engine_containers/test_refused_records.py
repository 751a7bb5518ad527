"""The disk refuses the records for a while; what a container came to is not lost by that."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Iterator

import pytest

from boxship.base.errors import UnavailableError
from boxship.engine.containers import ending
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import CommitRequest
from boxship.engine.engine import Engine
from boxship.model.container import HostConfig
from support.killed import scene
from support.opened import PATIENCE, Place, make, opened, outcome, run, until

pytestmark = pytest.mark.privileged


class FullDisk:
    """A connection that begins no transaction, and makes no copy."""

    def __init__(self, real: sqlite3.Connection) -> None:
        self.real = real

    def execute(self, statement: str) -> sqlite3.Cursor:
        if statement.startswith("BEGIN"):
            raise sqlite3.OperationalError("database or disk is full")
        return self.real.execute(statement)

    def backup(self, target: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    def close(self) -> None:
        self.real.close()


@contextlib.contextmanager
def full_disk(engine: Engine) -> Iterator[None]:
    database = engine._database
    real = database._connection
    database._connection = FullDisk(real)  # type: ignore[assignment]
    try:
        yield
    finally:
        database._connection = real


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_RECORD_PATIENCE", 0.3)


def recorded_code(place: Place) -> int:
    with contextlib.closing(sqlite3.connect(place.home / "data/boxship.db")) as records:
        ((body,),) = records.execute("SELECT body FROM containers").fetchall()
    state = json.loads(body)["state"]
    return int(state["exit_code"]) if state["status"] == "exited" else -1


@pytest.mark.parametrize("long", [True, False])
def test_an_end_is_recorded_when_the_disk_takes_it(long: bool) -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sh", "-c", "sleep 0.2; exit 7", name="box")
            await engine._context.shelf.trim_history()  # behind it, the start is committed
            with full_disk(engine):
                assert await outcome(engine, container) == 7
                note = place.home / "exec/c" / container / "exit.json"
                await asyncio.sleep(0.6 if long else 0)
                assert note.exists()
                assert recorded_code(place) == -1
            await until(lambda: recorded_code(place) == 7)
            await until(lambda: not place.names("exec/c"))

    scene(act)


def test_a_reader_s_pause_is_refused_where_it_cannot_be_recorded() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sleep", "1000", name="box", stop_signal="SIGKILL")
            await engine._context.shelf.trim_history()
            with full_disk(engine):
                with pytest.raises(UnavailableError, match="disk is full"):
                    await asyncio.wait_for(
                        engine.container_files.commit("box", CommitRequest()), PATIENCE
                    )
                state = engine.containers.get("box").state
                assert (state.status, state.held) == (Status.RUNNING, False)
                await engine.containers.stop("box")  # nobody has its lock
                assert await outcome(engine, container) == 137

    scene(act)


def test_containers_learn_of_a_volume_s_name_though_the_disk_refuses() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            await make(engine, "true", name="box", host=HostConfig(binds=("old:/v",)))
            (volume,) = engine.volumes.list()
            with full_disk(engine):
                users = engine.volumes._users
                renaming = users.volume_renamed(volume.record.id, "old", "new")
                await asyncio.wait_for(renaming, PATIENCE)
                assert engine.containers.get("box").mounts[0].name == "new"
                await asyncio.wait_for(engine._context.shelf.find("box").lock.acquire(), PATIENCE)
                engine._context.shelf.find("box").lock.release()

    scene(act)


def test_an_end_that_is_never_recorded_is_found_by_the_next_daemon() -> None:
    async def act(place: Place) -> None:
        async with contextlib.AsyncExitStack() as stack:
            engine = await stack.enter_async_context(opened(place))
            container = await run(engine, "sh", "-c", "sleep 0.2; exit 7", name="box")
            await engine._context.shelf.trim_history()
            stack.enter_context(full_disk(engine))
            assert await outcome(engine, container) == 7
            await engine._context.background.close()
            engine._database._queue.put(None)  # nothing is written any more
            engine._database._writer.join()
        async with opened(place) as engine:
            assert engine.containers.get("box").state.exit_code == 7
            await until(lambda: not place.names("exec/c"))

    scene(act)


def test_a_container_starts_again_though_its_end_is_not_recorded() -> None:
    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sh", "-c", "sleep 0.2; exit 7", name="box")
            with full_disk(engine):
                assert await outcome(engine, container) == 7
                await engine.containers.start(container)
                assert engine.containers.get("box").state.running
                assert await outcome(engine, container) == 7
            await until(lambda: recorded_code(place) == 7)
            await until(lambda: not place.names("exec/c"))

    scene(act)
