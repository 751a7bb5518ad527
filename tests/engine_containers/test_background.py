import asyncio

import pytest

from boxship.engine.containers import background
from boxship.engine.containers.background import Background


def test_closing_lets_a_request_finish_whose_client_has_gone() -> None:
    async def scene() -> None:
        here = Background()
        steps: list[str] = []
        go = asyncio.Event()

        async def work() -> None:
            steps.append("begun")
            await go.wait()
            steps.append("done")

        client = asyncio.create_task(here.finish(work()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        client.cancel()
        asyncio.get_running_loop().call_later(0.05, go.set)
        await here.close()
        assert steps == ["begun", "done"]

    asyncio.run(scene())


def test_closing_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "_PATIENCE_WITH_REQUESTS", 0.05)

    async def scene() -> None:
        here = Background()
        client = asyncio.create_task(here.finish(asyncio.Event().wait()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await asyncio.wait_for(here.close(), 5)
        with pytest.raises(asyncio.CancelledError):
            await client

    asyncio.run(scene())
