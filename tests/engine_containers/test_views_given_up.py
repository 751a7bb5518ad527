"""A client that hangs up while a container's files are opened or read leaves nothing open."""

import asyncio
import os
import threading
from collections.abc import Generator
from pathlib import Path

import pytest

from boxship.engine.containers.viewed import made
from boxship.engine.images.bridge import outbound
from boxship.runtime.viewing import View


def test_a_view_made_for_nobody_is_closed(tmp_path: Path) -> None:
    began, go_on = threading.Event(), threading.Event()
    views: list[View] = []

    def make() -> View:
        began.set()
        assert go_on.wait(10)
        views.append(View(os.open(tmp_path, os.O_PATH)))
        return views[0]

    async def hang_up() -> None:
        task = asyncio.ensure_future(made(make))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        await task

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(hang_up())
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(views[0].root)


def test_no_step_of_reading_outlives_the_stream() -> None:
    began, go_on = threading.Event(), threading.Event()
    told: list[str] = []

    def chunks() -> Generator[bytes, None, None]:
        try:
            began.set()
            assert go_on.wait(10)
            told.append("read")
            yield b"chunk"
        finally:
            told.append("closed")

    async def hang_up() -> None:
        stream = outbound(chunks())
        task = asyncio.ensure_future(anext(stream))
        await asyncio.to_thread(began.wait, 10)
        task.cancel()
        asyncio.get_running_loop().call_later(0.01, go_on.set)
        await asyncio.wait({task})
        told.append("ended")

    asyncio.run(hang_up())
    assert told == ["read", "closed", "ended"]
