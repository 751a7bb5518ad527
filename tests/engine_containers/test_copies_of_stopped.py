"""``docker cp`` of containers that do not run, with what they have mounted or without it."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from boxship.base.errors import UnavailableError
from boxship.engine.engine import Engine
from boxship.engine.volumes.requests import CreateVolume
from boxship.model.container import HostConfig, Mount, VolumeOptions
from support.opened import engine_of_its_own, make
from support.tars import Member, tar

pytestmark = pytest.mark.privileged

ARCHIVE = tar(Member("made", b"content"))


async def put(engine: Engine, path: str) -> None:
    async def archive() -> AsyncIterator[bytes]:
        yield ARCHIVE

    await engine.container_files.write("box", path, archive())


async def taken(engine: Engine, path: str) -> bytes:
    return b"".join([bytes(chunk) async for chunk in engine.container_files.read("box", path)])


async def is_missing(engine: Engine, path: str, why: str) -> None:
    """Neither looked at nor read."""
    for asked in (engine.container_files.look("box", path), taken(engine, path)):
        with pytest.raises(UnavailableError) as caught:
            await asked
        assert str(caught.value).startswith(f"cannot reach {path} in container box: ")
        assert why in str(caught.value)


async def all_else_is_there(engine: Engine) -> None:
    await put(engine, "/etc")
    assert b"content" in await taken(engine, "/etc/made")
    assert b"content" in await taken(engine, "/")
    assert (await engine.container_files.look("box", "/tmp/../etc/group")).name == "group"


def part(path: str, target: str) -> Mount:
    options = VolumeOptions(subpath=path)
    return Mount(type="volume", source="parts", target=target, volume_options=options)


def test_a_part_of_a_volume_that_has_gone() -> None:
    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            volume = (await engine.volumes.create(CreateVolume("parts"))).mountpoint
            mounts = (part("gone", "/tmp"), part("file", "/etc/passwd"), part("no", "/no/where"))
            await make(engine, "true", name="box", host=HostConfig(mounts=mounts))
            await is_missing(engine, "/tmp", "subpath 'gone' of parts: no such file")
            await is_missing(engine, "/tmp/", "subpath 'gone' of parts")
            await is_missing(engine, "/tmp/deep/down", "subpath 'gone' of parts")
            await is_missing(engine, "/etc/passwd", "subpath 'file' of parts")
            with pytest.raises(UnavailableError, match="subpath 'gone' of parts"):
                await put(engine, "/tmp")
            await all_else_is_there(engine)
            os.mkdir(f"{volume}/gone")
            await put(engine, "/tmp")
            assert os.listdir(f"{volume}/gone") == ["made"]

    asyncio.run(whole())


def test_what_a_volume_s_options_say(tmp_path: Path) -> None:
    options = {"type": "none", "o": "bind", "device": str(tmp_path)}

    async def whole() -> None:
        async with engine_of_its_own() as (engine, _):
            volume = await engine.volumes.create(CreateVolume("opts", options=options))
            host = HostConfig(binds=("opts:/tmp:nocopy",))
            await make(engine, "true", name="box", host=host)
            await put(engine, "/tmp")
            assert os.listdir(tmp_path) == ["made"]
            assert b"content" in await taken(engine, "/tmp")
            assert os.listdir(volume.mountpoint) == []  # it is unmounted again
            os.unlink(tmp_path / "made")
            os.rmdir(tmp_path)
            await is_missing(engine, "/tmp", "failed to mount local volume")
            await is_missing(engine, "/tmp/made", "failed to mount local volume")
            await all_else_is_there(engine)

    asyncio.run(whole())
