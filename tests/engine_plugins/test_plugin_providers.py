"""Who provides what: registered plugins first, then those that say where they listen."""

import asyncio
from pathlib import Path

import pytest

from boxship.base.errors import NotFoundError
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.plugins.provider import Provider
from boxship.engine.plugins.service import Plugins
from boxship.engine.settings import PluginSettings
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.errors import PluginRefusedError
from support.fakeplugin import serving

VOLUME, NETWORK = Capability.VOLUME, Capability.NETWORK


def plugins(directory: Path) -> Plugins:
    return Plugins(PluginSettings(directories=(str(directory),), timeout=10))


def managed(name: str) -> Provider:
    client = PluginClient(name, Endpoint(path="/nowhere"))
    return Provider(name, frozenset({VOLUME}), client, managed=True)


def test_one_is_activated_once(tmp_path: Path) -> None:
    known = plugins(tmp_path)

    async def ask() -> list[Provider]:
        return await asyncio.gather(*(known.provider(VOLUME, "shop") for _ in range(3)))

    with serving(str(tmp_path / "shop.sock"), "VolumeDriver", {}) as plugin:
        first, *others = asyncio.run(ask())
        assert all(other is first for other in others)
        assert plugin.methods() == ["Plugin.Activate"]
    assert known.names(VOLUME) == ("shop",)
    assert known.names(NETWORK) == ()


def test_those_who_wait_for_one_that_fails_fail_with_it(tmp_path: Path) -> None:
    known = plugins(tmp_path)
    wrong = {"Plugin.Activate": lambda _: {"Err": "not yet"}}

    async def ask() -> list[Provider | BaseException]:
        asking = (known.provider(VOLUME, "shop") for _ in range(3))
        return await asyncio.gather(*asking, return_exceptions=True)

    with serving(str(tmp_path / "shop.sock"), "VolumeDriver", wrong) as plugin:
        failures = asyncio.run(ask())
        assert [str(failure) for failure in failures] == ["not yet"] * 3
        assert plugin.methods() == ["Plugin.Activate"]
        plugin.answers["Plugin.Activate"] = lambda _: {"Implements": ["VolumeDriver"]}
        asyncio.run(known.provider(VOLUME, "shop"))


def test_what_is_nowhere_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match='plugin "shop" not found'):
        asyncio.run(plugins(tmp_path).provider(VOLUME, "shop"))


def test_one_of_another_kind_is_told(tmp_path: Path) -> None:
    with (
        serving(str(tmp_path / "shop.sock"), "NetworkDriver", {}),
        pytest.raises(NotFoundError, match='plugin "shop" is no VolumeDriver'),
    ):
        asyncio.run(plugins(tmp_path).provider(VOLUME, "shop"))


def test_one_that_goes_is_not_found_any_more(tmp_path: Path) -> None:
    known = plugins(tmp_path)
    path = tmp_path / "shop.sock"
    with serving(str(path), "VolumeDriver", {}):
        asyncio.run(known.provider(VOLUME, "shop"))
    path.unlink()
    with pytest.raises(NotFoundError):
        asyncio.run(known.provider(VOLUME, "shop"))
    assert known.names(VOLUME) == ()


def test_a_registered_one_comes_first_and_needs_no_tag(tmp_path: Path) -> None:
    known = plugins(tmp_path)
    one = managed("shop/fs:latest")
    known.register(one)
    assert asyncio.run(known.provider(VOLUME, "shop/fs")) is one
    assert asyncio.run(known.provider(VOLUME, "shop/fs:latest")) is one
    known.unregister("shop/fs:latest")
    with pytest.raises(NotFoundError):
        asyncio.run(known.provider(VOLUME, "shop/fs"))


def test_all_that_can_be_activated_are(tmp_path: Path) -> None:
    known = plugins(tmp_path)
    (tmp_path / "broken.spec").write_text("nonsense")
    with serving(str(tmp_path / "shop.sock"), "VolumeDriver", {}):
        found = asyncio.run(known.activated(VOLUME))
    assert [provider.name for provider in found] == ["shop"]


def test_one_that_cannot_be_activated_is_left_alone_for_a_while(tmp_path: Path) -> None:
    known = plugins(tmp_path)
    wrong = {"Plugin.Activate": lambda _: {"Err": "not yet"}}

    async def ask() -> None:
        assert await known.activated(VOLUME) == []
        assert await known.activated(VOLUME) == []
        with pytest.raises(PluginRefusedError, match="not yet"):
            await known.provider(VOLUME, "shop")  # who names it is told

    with serving(str(tmp_path / "shop.sock"), "VolumeDriver", wrong) as plugin:
        asyncio.run(ask())
        assert plugin.methods() == ["Plugin.Activate"] * 2


def test_users_are_asked_of_all_who_have_some() -> None:
    entry = PluginEntry(PluginSettings())
    entry.add_users(lambda name: [f"volume of {name}"])
    assert entry.loaded is None
    known = entry()
    entry.add_users(lambda name: [f"network of {name}"])
    assert known.users("shop") == ("volume of shop", "network of shop")
    assert entry() is known
