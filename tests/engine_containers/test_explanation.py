"""How a container differs from one that was asked for nothing, and what is looked at for it."""

import asyncio
import threading

import pytest

from boxship.engine.containers import defaults
from boxship.engine.containers.explain import differences
from boxship.engine.settings import EngineSettings
from boxship.model.container import HostConfig, LogConfig, RestartPolicy
from boxship.model.explanation import LayerStep
from support.opened import engine_of_its_own, make

SETTINGS = EngineSettings(log_config=LogConfig("json-file", {"max-size": "1m"}))


def fields(host: HostConfig, *, unified: bool = False) -> dict[str, object]:
    filled = defaults.fill(host, SETTINGS, unified_cgroups=unified, runtime="boxship")
    found = differences(filled, SETTINGS, unified=unified, runtime="boxship")
    return {each.field: each.value for each in found}


def test_nothing_asked_nothing_different() -> None:
    assert fields(HostConfig()) == {}
    assert fields(HostConfig(), unified=True) == {}
    # What Docker's client sends without being told.
    assert fields(HostConfig(memory_swappiness=-1, dns=(), console_size=(24, 80))) == {}


def test_what_is_asked_is_different() -> None:
    asked = HostConfig(
        memory=1 << 30,
        restart_policy=RestartPolicy("always"),
        cap_add=("sys_admin",),
        privileged=True,
    )
    assert fields(asked) == {
        "Memory": 1 << 30,
        "MemorySwap": 2 << 30,
        "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        "CapAdd": ("CAP_SYS_ADMIN",),
        "Privileged": True,
        "SecurityOpt": ("label=disable",),
        "MaskedPaths": None,
        "ReadonlyPaths": None,
    }


@pytest.mark.privileged
def test_images_are_looked_at_where_they_change() -> None:
    async def scene() -> None:
        threads = []
        async with engine_of_its_own() as (engine, _), asyncio.timeout(60):
            look = engine.images.layers

            def layers(reference: str) -> list[LayerStep]:
                threads.append(threading.current_thread())
                return look(reference)

            engine.images.layers = layers  # type: ignore[method-assign]
            container = await make(engine, "true")
            sizes = await engine.containers.sizes((container, "gone"))
            written, whole = sizes.pop(container)
            assert not sizes
            explained = await engine.containers.explain(container)
            assert whole - written == sum(layer.size for layer in explained.layers) > 0
        assert threads == [threading.main_thread()] * 2

    asyncio.run(scene())
