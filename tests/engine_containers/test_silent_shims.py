"""A shim that does not answer a new daemon at once: its container is not to suffer for that."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from boxship.engine.containers import recovery
from boxship.engine.containers.record import Status
from boxship.engine.engine import Engine
from support.killed import killed, scene
from support.opened import PATIENCE, Place, executed, opened, outcome, until

pytestmark = pytest.mark.privileged


def shim_of(place: Place, container: str) -> int:
    return int(Path(f"{place.home}/exec/c/{container}/shim.pid").read_text().split()[0])


def is_alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}")


@contextlib.asynccontextmanager
async def found_silent(place: Place, *, recorded: bool) -> AsyncIterator[tuple[Engine, int]]:
    """An engine that has found container ``box`` with its shim stopped; and the shim's number."""
    container = (
        await killed(
            place,
            f"""
            print(await run(engine, "sleep", "1000", name="box"))
            if {recorded}:
                await engine._context.shelf.trim_history()  # behind it, all is committed
            """,
        )
    ).strip()
    shim = shim_of(place, container)
    os.kill(shim, signal.SIGSTOP)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("_PATIENCE", "_PATIENCE_UNDER_WAY", "_LONGEST_PAUSE"):
                patch.setattr(recovery, name, 0.2)
            async with opened(place) as engine:
                yield engine, shim
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(shim, signal.SIGCONT)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_slow_shim_is_taken_over_when_it_answers(recorded: bool) -> None:
    async def act(place: Place) -> None:
        async with found_silent(place, recorded=recorded) as (engine, shim):
            before = engine.containers.get("box").state
            assert before.status is Status.RUNNING
            waiting = await engine.containers.wait("box")
            await asyncio.sleep(1)  # several attempts
            os.kill(shim, signal.SIGCONT)
            async with asyncio.timeout(PATIENCE):
                while True:
                    with contextlib.suppress(Exception):
                        assert await executed(engine, "box", "echo", "hi") == ("hi\n", 0)
                        break
                    await asyncio.sleep(0.02)
            after = engine.containers.get("box").state
            assert after == before or not before.pid  # a start that was not recorded
            assert is_alive(after.pid)
            await engine.containers.kill("box")
            assert (await asyncio.wait_for(waiting, PATIENCE)).exit_code == 137

    scene(act)


@pytest.mark.parametrize("recorded", [True, False])
def test_a_silent_shim_that_is_killed_ends_its_container(recorded: bool) -> None:
    async def act(place: Place) -> None:
        async with found_silent(place, recorded=recorded) as (engine, shim):
            os.kill(shim, signal.SIGKILL)
            assert await outcome(engine, "box") == 137
            assert "shim was killed" in engine.containers.get("box").state.error
            await until(lambda: not place.names("exec/c"))

    scene(act)
