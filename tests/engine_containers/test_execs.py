"""What is known of execs, and for how long; with and without a shim that runs them."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable

import pytest

from boxship.engine.containers.requests import DetachedStream, ExecConfig
from boxship.engine.engine import Engine
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


def test_a_container_can_be_looked_at_without_its_files() -> None:
    async def scene(engine: Engine) -> None:
        container = await make(engine, "true")
        storage = engine.containers.storage(container)
        assert "UpperDir" in storage
        shutil.rmtree(storage["UpperDir"].removesuffix("/upper"))
        assert engine.containers.storage(container) == {}

    play(scene)
