"""Creates that are interrupted, containers that cannot be cleaned up, history that grows."""

import asyncio
import contextlib
import os
import signal
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.engine.containers import create, ending, shelf
from boxship.engine.containers.planner import Planner
from boxship.engine.containers.record import ContainerRecord, Status
from boxship.engine.containers.requests import ContainerQuery, CreateContainer
from boxship.engine.records import history
from boxship.model.container import ContainerConfig, HostConfig
from support.killed import killed, scene
from support.opened import PATIENCE, Place, engine_of_its_own, make, opened, outcome, run, until

pytestmark = pytest.mark.privileged


def test_a_create_cancelled_while_it_commits_leaves_a_whole_container() -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, place):
            wanted = CreateContainer(ContainerConfig(image="busybox", cmd=("true",)), HostConfig())
            wanted = replace(wanted, name="box")
            creating = asyncio.create_task(create.create(engine._context, wanted))
            await until(lambda: bool(place.names("data/containers")))
            creating.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await creating
            await engine._context.shelf.trim_history()  # behind it, all is committed
            (record,) = engine.containers.list(ContainerQuery(all=True))
            assert place.names("data/containers") == [record.id]
            await engine.containers.start("box")
            assert await outcome(engine, "box") == 0

    asyncio.run(whole())


def test_one_that_removes_itself_and_never_ran_is_removed_whole() -> None:
    async def act(place: Place) -> None:
        await killed(
            place,
            """
            await make(engine, "true", name="box", host=HostConfig(auto_remove=True))
            def kill(path):
                os.kill(os.getpid(), signal.SIGKILL)
            object.__setattr__(engine._context, "throw_away", kill)
            await engine.containers.remove("box")
            """,
        )
        async with opened(place) as engine:
            assert engine.containers.list(ContainerQuery(all=True)) == []

    scene(act)


def test_an_end_comes_although_the_cgroups_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "_FIRST_PAUSE", 0.05)
    refusals = 3

    async def no_kill(self: Planner, record: ContainerRecord) -> None:
        raise UnavailableError("processes cannot be killed")

    real = Planner.remove_cgroups

    def busy(self: Planner, record: ContainerRecord) -> None:
        nonlocal refusals
        if refusals > 0:
            refusals -= 1
            raise UnavailableError("cgroup stays busy")
        real(self, record)

    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await run(engine, "sleep", "1000")
            waiting = await engine.containers.wait(container)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Planner, "kill", no_kill)
                patch.setattr(Planner, "remove_cgroups", busy)
                os.kill(shim_of(place, container), signal.SIGKILL)
                assert (await asyncio.wait_for(waiting, PATIENCE)).exit_code == 137
                assert engine.containers.get(container).status is Status.EXITED
                await until(lambda: not place.names("exec/c"))
            assert refusals == 0

    scene(act)


def shim_of(place: Place, container: str) -> int:
    return int(Path(f"{place.home}/exec/c/{container}/shim.pid").read_text().split()[0])


def test_history_is_trimmed_while_the_daemon_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "KEPT_OF_EACH", 5)
    monkeypatch.setattr(shelf, "_TRIM_EVERY", 10)

    async def act(place: Place) -> None:
        async with opened(place) as engine:
            container = await make(engine, "true")
            here = engine._context.shelf
            for _ in range(30):
                await here.save(here.find(container), engine.containers.get(container), "start")
            with contextlib.closing(sqlite3.connect(place.home / "data/boxship.db")) as records:
                ((count,),) = records.execute("SELECT count(*) FROM history").fetchall()
            assert count <= 15

    scene(act)


@pytest.mark.parametrize(
    "end",
    [
        'await engine.containers.stop("donor")',
        'os.kill(engine.containers.get("donor").state.pid, signal.SIGKILL)',
    ],
    ids=["stopped", "ended"],
)
def test_those_that_join_another_are_started_behind_it(end: str) -> None:
    """The donor is called up with them, or waits already for its next start."""

    async def act(place: Place) -> None:
        await killed(
            place,
            f"""
            from boxship.engine.containers import create
            ids = iter("cba")  # so that donors come last
            create.ids.new_id = lambda: next(ids) * 64
            always = RestartPolicy("always")
            modes = ("none", "container:donor", "container:joins")
            for name, mode in zip(("donor", "joins", "joins-both"), modes):
                host = HostConfig(
                    restart_policy=always, network_mode=mode,
                    pid_mode="container:donor" if name == "joins-both" else "",
                )
                await run(engine, "sleep", "1000", name=name, host=host, stop_signal="SIGKILL")
            for name in ("joins-both", "joins"):
                await engine.containers.stop(name)
            {end}
            """,
        )
        async with opened(place) as engine:
            for name in ("donor", "joins", "joins-both"):
                await until(lambda name=name: engine.containers.get(name).status is Status.RUNNING)

    scene(act)
