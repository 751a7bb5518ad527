"""What is known of execs, and for how long; with and without a shim that runs them."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable

import pytest

from boxship.engine.containers import recovery
from boxship.engine.containers.requests import DetachedStream, ExecConfig
from boxship.engine.engine import Engine
from boxship.runtime.messages import ExecState, State
from support.opened import engine_of_its_own, executed, make, run

pytestmark = pytest.mark.privileged

TRUE = ExecConfig(("true",))
KEPT_NS = 5 * 60 * 10**9


def play(scene: Callable[[Engine], Awaitable[None]]) -> None:
    async def act() -> None:
        async with engine_of_its_own() as (engine, _), asyncio.timeout(60):
            await scene(engine)

    asyncio.run(act())


class Leaver:
    """A client that leaves, or whose request is cancelled, while its connection is detached."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    async def detach(self) -> DetachedStream:
        raise self._error


def test_those_that_have_ended_are_not_listed() -> None:
    async def scene(engine: Engine) -> None:
        containers = engine.containers
        container = await run(engine, "sleep", "1000")
        assert list(containers.execs(container)) == []
        prepared = await containers.exec_create(container, TRUE)
        assert await executed(engine, container, "true") == ("", 0)
        assert list(containers.execs(container)) == [prepared]
        await containers.kill(container)
        assert list(containers.execs(container)) == []

    play(scene)


@pytest.mark.parametrize(
    "error", [ConnectionError("gone"), asyncio.CancelledError(), OSError("full")], ids=repr
)
def test_one_whose_client_leaves_has_ended(error: BaseException) -> None:
    async def scene(engine: Engine) -> None:
        container = await run(engine, "sleep", "1000")
        exec_id = await engine.containers.exec_create(container, TRUE)
        with pytest.raises(type(error)):
            await engine.containers.exec_start(exec_id, stream=Leaver(error))
        view = engine.containers.exec_inspect(exec_id)
        assert (view.running, view.exit_code) == (False, 126)

    play(scene)


def test_the_ended_are_forgotten_after_a_while_and_the_others_are_not() -> None:
    async def scene(engine: Engine) -> None:
        containers, context = engine.containers, engine.containers._context
        container = await run(engine, "sleep", "1000")
        prepared = await containers.exec_create(container, TRUE)
        left = await containers.exec_create(container, TRUE)
        with pytest.raises(ConnectionError):
            await containers.exec_start(left, stream=Leaver(ConnectionError()))
        await executed(engine, container, "true")
        assert len(context.execs) == 3
        for found in context.shelf.find(container).ended_execs:
            found.ended_ns -= KEPT_NS + 1
        latest = await containers.exec_create(container, TRUE)
        assert set(context.execs) == {prepared, latest}
        assert set(context.shelf.find(container).execs) == {prepared, latest}

    play(scene)


def test_those_that_ended_before_the_daemon_came_are_forgotten_too() -> None:
    async def scene(engine: Engine) -> None:
        container = await run(engine, "sleep", "1000")
        context = engine.containers._context
        found = context.shelf.find(container)
        told = (
            ExecState(exec_id="a" * 64, pid=5, running=True),
            ExecState(exec_id="b" * 64, pid=6, running=False, exit_code=3),
        )
        state = State(container_id=container, status="running", pid=1, started_ns=1, execs=told)
        recovery._recover_execs(context, found, state)
        ended = engine.containers.exec_inspect("b" * 64)
        assert (ended.running, ended.exit_code) == (False, 3)
        assert [known.id for known in found.ended_execs] == ["b" * 64]
        assert found.ended_execs[0].ended_ns
        assert list(engine.containers.execs(container)) == ["a" * 64]

    play(scene)


def test_a_container_can_be_looked_at_without_its_files() -> None:
    async def scene(engine: Engine) -> None:
        container = await make(engine, "true")
        storage = engine.containers.storage(container)
        assert "UpperDir" in storage
        shutil.rmtree(storage["UpperDir"].removesuffix("/upper"))
        assert engine.containers.storage(container) == {}

    play(scene)
