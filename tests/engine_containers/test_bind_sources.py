"""Sources of binds that are missing on the host, or that nobody can look at."""

import asyncio
import sys
from types import FrameType

import pytest

from boxship.model.container import HostConfig
from support.opened import engine_of_its_own, make

pytestmark = pytest.mark.privileged


def test_a_missing_source_is_made_beside_the_event_loop() -> None:
    """On a network file system that has died, it would otherwise stop the whole daemon."""
    makers: list[str] = []

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_name == "makedirs":
            makers.append(str(frame.f_locals["name"]))

    async def scene() -> None:
        async with engine_of_its_own() as (engine, place), asyncio.timeout(60):
            source = place.home / "to" / "be" / "made"
            host = HostConfig(binds=(f"{source}:/in",))
            container = await make(engine, "true", host=host)
            sys.setprofile(note)  # of this thread, the loop's
            try:
                await engine.containers.start(container)
            finally:
                sys.setprofile(None)
            assert source.is_dir()
            assert str(source) not in makers

    asyncio.run(scene())
