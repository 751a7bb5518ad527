"""Engines that are killed in the middle of things, and the place that the next one is opened on."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from textwrap import dedent

from support.opened import Place, opened, remove_all


async def killed(place: Place, script: str) -> str:
    """Run ``script`` (the body of an async function of ``engine``) in a process that kills itself.

    Return what it printed.
    """
    program = (
        dedent("""
            import asyncio, os, signal, sys
            sys.path[:0] = sys.argv[2:]
            from pathlib import Path
            from support.opened import *
            from boxship.engine.containers.requests import *
            from boxship.model.container import *

            place = Place.__new__(Place)
            place.home = Path(sys.argv[1])
            place.settings = Place.settings_of(place.home)

            async def script(engine):
            {body}

            async def main():
                async with opened(place) as engine:
                    await script(engine)
                    sys.stdout.flush()
                    os.kill(os.getpid(), signal.SIGKILL)

            asyncio.run(main())
        """)
        .strip()
        .replace("{body}", "\n".join(f"    {line}" for line in dedent(script).strip().split("\n")))
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, str(place.home), *sys.path,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    text, _ = await process.communicate()
    assert process.returncode == -signal.SIGKILL
    return text.decode()


def scene(act: Callable[[Place], Awaitable[None]]) -> None:
    """Run a test on a place of its own, at the end of which nothing is left."""

    async def whole() -> None:
        place = Place()
        try:
            try:
                await asyncio.wait_for(act(place), 60)
            finally:
                async with opened(place) as engine:
                    await remove_all(engine)
            assert place.remains() == []
        finally:
            place.close()

    asyncio.run(whole())
