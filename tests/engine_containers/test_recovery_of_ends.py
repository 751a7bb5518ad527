"""The daemon is killed while a container ends: what is known of the end stays known."""

import contextlib
import json
import os
import signal
import sqlite3
import time

import pytest

from boxship.engine.containers.record import Status
from boxship.engine.engine import Engine
from support.killed import killed, scene
from support.opened import Place, opened, until

pytestmark = pytest.mark.privileged

KEEPS_THE_SHIM = """
    import socket, subprocess
    from boxship.engine.containers import ending
    host = HostConfig(restart_policy=RestartPolicy("{policy}"))
    box = await run(engine, "sleep", "1000", name="box", host=host, stop_signal="SIGKILL")
    if {held}:
        held = socket.socket(socket.AF_UNIX)
        held.connect(f"{{place.home}}/exec/c/{{box}}/shim.sock")
        holder = subprocess.Popen(["sleep", "1000"], pass_fds=[held.fileno()], stdout=2)
        print(holder.pid)
"""


def holding_no_shim(printed: str) -> None:
    """End the process that kept the shim from leaving."""
    for pid in printed.split():
        os.kill(int(pid), signal.SIGKILL)


async def stays_ended(engine: Engine, place: Place) -> None:
    """Wait until the shim has been let go: whoever would start it again has been told by then."""
    await until(lambda: not place.names("exec/c"))
    assert engine.containers.get("box").status is Status.EXITED
    assert engine.containers.get("box").state.stopped_by_user


@pytest.mark.parametrize("held", [True, False])
def test_a_recorded_stop_is_remembered_though_the_shim_was_not_let_go(held: bool) -> None:
    async def act(place: Place) -> None:
        printed = await killed(
            place,
            KEEPS_THE_SHIM.format(held=held, policy="unless-stopped")
            + """
    reached = asyncio.Event()
    async def let_go(*_):
        reached.set()
        await asyncio.Event().wait()
    ending.let_go = let_go
    stopping = asyncio.create_task(engine.containers.stop("box"))
    await reached.wait()
""",
        )
        if not held:
            await until(lambda: not list((place.home / "exec/c").glob("*/shim.sock")))
        async with opened(place) as engine:
            await stays_ended(engine, place)
            assert engine.containers.get("box").state.exit_code == 137
        holding_no_shim(printed)

    scene(act)


@pytest.mark.parametrize("held", [True, False])
def test_a_stop_is_remembered_though_the_end_was_not_recorded(held: bool) -> None:
    async def act(place: Place) -> None:
        printed = await killed(
            place,
            KEEPS_THE_SHIM.format(held=held, policy="unless-stopped")
            + """
    reached = asyncio.Event()
    async def exited(*_):
        reached.set()
    ending.exited = exited
    stopping = asyncio.create_task(engine.containers.stop("box"))
    await reached.wait()
    await engine._context.shelf.trim_history()  # behind it, all is committed
""",
        )
        if not held:
            await until(lambda: not list((place.home / "exec/c").glob("*/shim.sock")))
        async with opened(place) as engine:
            await until(lambda: not engine.containers.get("box").state.alive)
            await stays_ended(engine, place)
        holding_no_shim(printed)

    scene(act)


async def as_if_booted(place: Place, *, end_is_known: bool) -> None:
    """Leave what is left of ``box``, which runs for ever or ends with 5, when the machine boots."""
    command = '"sh", "-c", "exit 5"' if end_is_known else '"sleep", "1000"'
    await killed(
        place,
        f"""
from boxship.engine.containers import ending
async def exited(*_):
    pass
ending.exited = exited
await run(engine, {command}, name="box")
await engine._context.shelf.trim_history()
""",
    )
    if end_is_known:
        await until(lambda: not list((place.home / "exec/c").glob("*/shim.sock")))
    else:
        (directory,) = (place.home / "exec/c").iterdir()
        shim = int((directory / "shim.pid").read_text().split()[0])
        os.kill(shim, signal.SIGKILL)
        await until(lambda: not os.path.exists(f"/proc/{shim}"))
    with contextlib.closing(sqlite3.connect(place.home / "data/boxship.db")) as records, records:
        ((body,),) = records.execute("SELECT body FROM containers").fetchall()
        record = json.loads(body)
        record["state"]["boot_id"] = "another"
        records.execute("UPDATE containers SET body = ?", (json.dumps(record).encode(),))


def test_a_machine_that_went_down_is_told_by_its_boot_and_not_by_the_clock() -> None:
    async def act(place: Place) -> None:
        await as_if_booted(place, end_is_known=False)
        async with opened(place) as engine:
            state = engine.containers.get("box").state
            assert (state.status, state.exit_code) == (Status.EXITED, 255)
            assert state.finished_ns >= state.started_ns
            assert "machine went down" in state.error

    scene(act)


def test_an_exit_code_that_was_written_down_counts_after_a_boot_too() -> None:
    async def act(place: Place) -> None:
        await as_if_booted(place, end_is_known=True)
        async with opened(place) as engine:
            state = engine.containers.get("box").state
            assert (state.status, state.exit_code, state.error) == (Status.EXITED, 5, "")

    scene(act)


def test_a_clock_that_is_set_does_not_hide_an_exit_code() -> None:
    class Ahead:
        def now_ns(self) -> int:
            return time.time_ns() + 10**18  # so that everything seems to be before this boot

    async def act(place: Place) -> None:
        await killed(place, 'await run(engine, "sh", "-c", "sleep 0.1; exit 5", name="box")')
        await until(lambda: not list((place.home / "exec/c").glob("*/shim.sock")))
        engine = await Engine.open(place.settings, Ahead())
        try:
            assert engine.containers.get("box").state.exit_code == 5
        finally:
            await engine.close()

    scene(act)
