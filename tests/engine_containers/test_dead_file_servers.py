"""What a container has mounted may be on a file server that has died: nobody else's loss."""

import asyncio
import os
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.engine import Engine
from boxship.engine.volumes.requests import CreateVolume
from boxship.model.container import HostConfig, Mount, VolumeOptions
from support.deadserver import DeadServer
from support.opened import engine_of_its_own, make, said, until

pytestmark = pytest.mark.privileged


def test_a_start_that_waits_for_a_part_of_a_volume_holds_nobody_up() -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            volume = await engine.volumes.create(CreateVolume("parts"))
            remote = f"{volume.mountpoint}/remote"
            os.mkdir(remote)
            options = VolumeOptions(subpath="remote/dir")
            part = Mount(type="volume", source="parts", target="/p", volume_options=options)
            await make(engine, "true", name="box", host=HostConfig(mounts=(part,)))
            with DeadServer(remote) as server:
                starting = asyncio.create_task(engine.containers.start("box"))
                await until(server.asked.is_set)
                assert not starting.done()
                assert await said(engine, "echo", "hi") == "hi\n"
                server.end()
                with pytest.raises(InvalidArgumentError, match="subpath 'remote/dir' of parts: "):
                    await starting

    asyncio.run(whole())


async def _create(engine: Engine, source: str) -> None:
    bind = Mount(type="bind", source=source, target="/p")
    await make(engine, "true", host=HostConfig(mounts=(bind,)))


def test_a_create_that_waits_for_a_bind_holds_nobody_up(tmp_path: Path) -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            with DeadServer(str(tmp_path)) as server:
                creating = asyncio.create_task(_create(engine, f"{tmp_path}/dir"))
                await until(server.asked.is_set)
                assert not creating.done()
                assert await said(engine, "echo", "hi") == "hi\n"
                server.end()
                with pytest.raises(InvalidArgumentError, match="bind source path does not exist"):
                    await creating

    asyncio.run(whole())
