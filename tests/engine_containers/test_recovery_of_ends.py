"""The daemon is killed while a container ends: what is known of the end stays known."""

import os
import signal

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
