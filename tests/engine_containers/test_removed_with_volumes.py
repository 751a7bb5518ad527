"""``rm -v`` that is broken off, refused, or met by others who want the volumes."""

import asyncio
import errno
from collections.abc import Coroutine
from typing import Any

import pytest

from boxship.base.errors import ConflictError, InvalidArgumentError, UnavailableError
from boxship.engine.containers.record import Status
from boxship.engine.containers.requests import ContainerQuery
from boxship.engine.engine import Engine
from boxship.model.container import HostConfig
from boxship.storage.volumes import VolumeStore
from support.killed import killed, scene
from support.opened import Place, engine_of_its_own, make, opened

pytestmark = pytest.mark.privileged

DECLARED: dict[str, dict[str, Any]] = {"/data": {}}


def names(engine: Engine) -> list[str]:
    return [record.name for record in engine.containers.list(ContainerQuery(all=True))]


def test_who_finishes_removals_that_were_broken_off_knows_about_the_volumes() -> None:
    async def act(place: Place) -> None:
        await killed(
            place,
            """
            await make(engine, "true", name="with", volumes={"/data": {}})
            await make(engine, "true", name="shares", host=HostConfig(volumes_from=("with",)))
            await make(engine, "true", name="without", volumes={"/data": {}})
            thrown_away = []
            def throw_away(path):
                thrown_away.append(path)
                if len(thrown_away) == 3:
                    os.kill(os.getpid(), signal.SIGKILL)
            object.__setattr__(engine._context, "throw_away", throw_away)
            remove = engine.containers.remove
            with_theirs = [remove(name, volumes=True) for name in ("with", "shares")]
            await asyncio.gather(remove("without"), *with_theirs)
            """,
        )
        async with opened(place) as engine:
            assert names(engine) == []
            (left,) = engine.volumes.list()
            await engine.volumes.remove(left.record.name)

    scene(act)


def test_a_volume_that_stays_is_no_success() -> None:
    def refuse(self: VolumeStore, volume_id: str) -> None:
        raise OSError(errno.EPERM, "no")

    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            await make(engine, "true", name="box", volumes=DECLARED)
            (volume,) = engine.volumes.list()
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(VolumeStore, "remove", refuse)
                with pytest.raises(UnavailableError, match=f"remove {volume.record.name}: its fi"):
                    await engine.containers.remove("box", volumes=True)
            assert engine.containers.get("box").status is Status.DEAD
            await engine.containers.remove("box", volumes=True)
            assert names(engine) == []
            assert engine.volumes.list() == []

    asyncio.run(whole())


async def begun(engine: Engine, removal: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Go on until the removal of a volume is being committed."""
    task = asyncio.create_task(removal)
    while not engine.volumes._changing.locked():
        assert not task.done()
        await asyncio.sleep(0)
    return task


def test_who_wants_the_volumes_of_one_that_goes_is_refused() -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            await make(engine, "true", name="box", volumes=DECLARED)
            removing = await begun(engine, engine.containers.remove("box", volumes=True))
            with pytest.raises(InvalidArgumentError, match=r"volumes-from: .* is being removed"):
                await make(engine, "true", host=HostConfig(volumes_from=("box",)))
            await removing
            assert names(engine) == []
            assert engine.volumes.list() == []

    asyncio.run(whole())


def test_what_comes_back_has_its_volumes_or_stays_in_the_trash() -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            engine.trash.set_retention(10**12)
            await make(engine, "true", name="box", host=HostConfig(binds=("data:/d",)))
            await engine.containers.remove("box")
            engine.trash.set_retention(0)
            removing = await begun(engine, engine.volumes.remove("data"))
            with pytest.raises(ConflictError, match="box cannot be restored: its volume data is"):
                await engine.trash.restore("box")
            await removing
            assert names(engine) == []
            assert [entry.name for entry in await engine.trash.list()] == ["box"]
            await engine.trash.empty()

    asyncio.run(whole())
