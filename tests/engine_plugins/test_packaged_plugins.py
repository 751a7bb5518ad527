"""Plugins that come as Python packages: a process of their own, found again, started again."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.engine.plugins.provider import Provider
from boxship.engine.plugins.service import Plugins
from boxship.engine.settings import PluginSettings
from boxship.plugin.capability import Capability
from boxship.plugin.errors import PluginRefusedError, PluginUnreachableError
from boxship.plugin.host import load
from boxship.plugin.volume import VolumeDriver
from support.waiting import eventually

CODE = """
from boxship.plugin.sdk.authorization import AuthorizationPlugin
from boxship.plugin.sdk.serving import RefusedError
from boxship.plugin.sdk.volumes import Volume, VolumePlugin

class Shop(VolumePlugin):
    def __init__(self):
        self.names = []
    def create(self, name, options):
        if options:
            raise RefusedError(f"no options, but {sorted(options)}")
        self.names.append(name)
    def remove(self, name):
        self.names.remove(name)
    def mount(self, name, caller):
        raise RefusedError("nothing is mounted here")
    def unmount(self, name, caller):
        raise RefusedError("nothing is mounted here")
    def get(self, name):
        if name not in self.names:
            raise RefusedError("no such volume")
        return Volume(name, status={"n": len(self.names)})
    def list(self):
        return [Volume(name) for name in self.names]

class Broken:
    def __init__(self):
        raise TypeError("not today")

def both():
    return [Shop(), AuthorizationPlugin()]
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have a package with plugins on the path of this process and of those that it starts."""
    (tmp_path / "shop_plugins.py").write_text(CODE)
    info = tmp_path / "shop_plugins-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-plugins\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[boxship.plugins]\nshop = shop_plugins:Shop\nbroken = shop_plugins:Broken\n"
        "both = shop_plugins:both\nnone = shop_plugins:missing\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("shop_plugins", None)


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[PluginSettings]:
    found = PluginSettings(hosted=str(tmp_path / "hosted"), timeout=20)
    yield found
    Plugins(found).stop_hosted()


async def shop(plugins: Plugins) -> VolumeDriver:
    return VolumeDriver((await plugins.provider(Capability.VOLUME, "shop")).client)


def pid_of(settings: PluginSettings) -> int:
    return int(Path(settings.hosted, "shop.pid").read_text())


def test_one_is_started_and_found_by_the_next_daemon(
    packages: Path, settings: PluginSettings
) -> None:
    async def first() -> None:
        driver = await shop(Plugins(settings))
        await driver.create("a", {})
        with pytest.raises(PluginRefusedError, match=r"VolumeDriver.Create: no options, but \['o'"):
            await driver.create("b", {"o": ""})

    async def second() -> None:
        found = await (await shop(Plugins(settings))).get("a")
        assert found is not None
        assert found.status == {"n": 1}
        assert await (await shop(Plugins(settings))).get("b") is None

    asyncio.run(first())
    pid = pid_of(settings)
    asyncio.run(second())
    assert pid_of(settings) == pid


def test_one_that_died_is_started_again(packages: Path, settings: PluginSettings) -> None:
    async def scenario() -> None:
        plugins = Plugins(settings)
        await (await shop(plugins)).create("a", {})
        pid = pid_of(settings)
        os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        assert await (await shop(plugins)).list() == ()
        assert pid_of(settings) != pid

    asyncio.run(scenario())


def test_all_end_with_the_containers(packages: Path, settings: PluginSettings) -> None:
    plugins = Plugins(settings)
    asyncio.run(shop(plugins))
    pid = pid_of(settings)
    plugins.stop_hosted()
    eventually(lambda: not os.path.exists(f"/proc/{pid}"), "its end")
    assert not os.path.exists(f"{settings.hosted}/shop.sock")


def test_a_package_may_have_several_kinds_in_one(packages: Path, settings: PluginSettings) -> None:
    async def ask() -> list[Provider]:
        plugins = Plugins(settings)
        kinds = (Capability.VOLUME, Capability.AUTHORIZATION)
        return [await plugins.provider(kind, "both") for kind in kinds]

    first, second = asyncio.run(ask())
    assert first is second


def test_one_that_cannot_be_made_says_so(packages: Path, settings: PluginSettings) -> None:
    with pytest.raises(PluginUnreachableError, match="plugin broken ended with exit code 1"):
        asyncio.run(Plugins(settings).provider(Capability.VOLUME, "broken"))
    with pytest.raises(TypeError, match="not today"):
        load("broken")
    with pytest.raises(LookupError, match="no installed package has a plugin mall"):
        load("mall")


def test_all_that_work_are_among_the_active(packages: Path, settings: PluginSettings) -> None:
    found = asyncio.run(Plugins(settings).activated(Capability.VOLUME))
    assert {provider.name for provider in found} == {"shop", "both"}
