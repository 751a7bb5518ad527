"""Volumes that plugins keep: made, found, mounted, given back; plugins that hang, lie and die."""

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from boxship.base.clock import SystemClock
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InternalError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.events.bus import EventBus
from boxship.engine.plugins.entry import PluginEntry
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.settings import PluginSettings
from boxship.engine.volumes.requests import CreateVolume, VolumePrune, VolumeQuery
from boxship.engine.volumes.service import Volumes
from boxship.kernel.mounts import MNT_DETACH, umount2
from boxship.storage.disposal import Disposal
from boxship.storage.root import StorageRoot
from boxship.storage.volumes import VolumeStore
from support.fakeplugin import FakePlugin, Json, serving
from support.volumeplugin import Directories

pytestmark = pytest.mark.privileged

DATA = CreateVolume("data", driver="shop")


class Users:
    """Containers by volume, and which volumes those have that live."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[str, ...]] = {}
        self.live: frozenset[str] = frozenset()

    def volume_users(self) -> Mapping[str, tuple[str, ...]]:
        return self.of

    def live_volumes(self) -> frozenset[str]:
        return self.live

    async def volume_renamed(self, volume_id: str, old: str, new: str) -> None:
        pass


class Place:
    """A data root that can be opened again and again, and a directory of plugins."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.sockets = home / "plugins"
        self.sockets.mkdir()
        (home / "shop").mkdir()
        self.shop = Directories(home / "shop")
        self.users = Users()
        self.timeout = 20.0

    async def __aenter__(self) -> Volumes:
        clock = SystemClock()
        self._database = Database(f"{self.home}/db", MIGRATIONS)
        store = VolumeStore(StorageRoot(str(self.home)), Disposal())
        self.plugins = PluginEntry(PluginSettings((str(self.sockets),), timeout=self.timeout))
        self.volumes = Volumes(self._database, store, EventBus(clock), clock, plugins=self.plugins)
        self.volumes.set_users(self.users)
        await self.volumes.open()
        return self.volumes

    async def __aexit__(self, *_: object) -> None:
        await self.volumes.mounts.close()
        self._database.close()

    @contextmanager
    def serving(self, **wrong: Any) -> Iterator[FakePlugin]:
        """Have the plugin serve; ``wrong`` are answers in place of its own, by short name."""
        path = self.sockets / "shop.sock"
        path.unlink(missing_ok=True)
        answers = {f"VolumeDriver.{name}": answer for name, answer in wrong.items()}
        with serving(str(path), "VolumeDriver", {**self.shop.answers(), **answers}) as plugin:
            yield plugin

    def mounts(self) -> list[str]:
        """Return what is mounted in the data root."""
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            points = [line.split(" ", 5)[4] for line in file]
        return [point for point in points if point.startswith(f"{self.home}/volumes/")]


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(
        prefix="bx-", dir="/tmp"
    ) as home:  # paths of sockets are short
        found = Place(Path(home))
        yield found
        for point in found.mounts():
            umount2(point, MNT_DETACH)


def hang(_: Json) -> None:
    """Never answer."""


def test_one_is_made_shown_and_removed(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            wish = CreateVolume("data", "shop", {"a": "b"}, {"k": "v"})
            made = await volumes.create(wish)
            assert place.shop.volumes == {"data": {"k": "v"}}
            assert (made.record.driver, made.record.labels) == ("shop", {"a": "b"})
            seen = await volumes.look("data")
            assert (seen.scope, seen.mountpoint) == ("global", "")
            assert seen.status == {"opts": {"k": "v"}}
            assert place.plugins().users("shop") == ("volume data",)
            assert (await volumes.create(wish)).record == made.record
            await volumes.remove("data")
            assert place.shop.volumes == {}
            assert os.listdir(place.home / "volumes") == []
            with pytest.raises(NotFoundError, match="get data: no such volume"):
                await volumes.look("data")

    with place.serving():
        asyncio.run(scenario())


def test_errors_are_in_dockers_words(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            with pytest.raises(BoxshipError) as caught:
                await volumes.create(CreateVolume("data", "shop", options={"bad": ""}))
            assert str(caught.value) == "create data: no such option: bad"
            assert volumes.list() == []
            with pytest.raises(NotFoundError) as missing:
                await volumes.create(CreateVolume("data", "mall"))
            assert str(missing.value) == (
                'create data: error looking up volume plugin mall: plugin "mall" not found'
            )
            await volumes.create(DATA)
            with pytest.raises(ConflictError) as taken:
                await volumes.create(CreateVolume("data"))
            assert str(taken.value) == (
                "create data: driver 'shop' already has volume 'data': volume name must be unique"
            )
            with pytest.raises(InvalidArgumentError, match="its plugin shop knows it by this name"):
                await volumes.rename("data", "other")

    with place.serving():
        asyncio.run(scenario())


def test_it_is_mounted_while_somebody_has_it(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            view = await volumes.create(DATA)
            ids = (view.record.id,)
            async with volumes.opened("data"), volumes.opened("data"):
                assert len(place.shop.callers["data"]) == 1
                (place.shop.home / "data" / "file").write_text("x")
                assert os.listdir(view.mountpoint) == ["file"]
                assert (await volumes.look("data")).mountpoint == f"{place.shop.home}/data"
            await volumes.mounts.given_back(*ids)
            assert place.shop.callers["data"] == set()
            assert place.mounts() == []
            await volumes.remove("data")

    with place.serving() as plugin:
        asyncio.run(scenario())
    assert plugin.methods().count("VolumeDriver.Mount") == 1


def test_removing_waits_until_the_plugin_has_it_back(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            await volumes.create(DATA)
            async with volumes.opened("data"):
                pass
            await volumes.remove("data")

    with place.serving():
        asyncio.run(scenario())
    assert place.shop.volumes == {}


def test_the_next_daemon_finds_it_mounted_or_gives_it_back(place: Place) -> None:
    async def killed() -> str:
        async with place as volumes:
            view = await volumes.create(DATA)
            await volumes.mounts.ready((view.record.id,))
            return view.record.id

    async def next_daemon() -> None:
        async with place as volumes:
            await volumes.mounts.settle()
            await volumes.mounts.ready((volume_id,))
            assert len(place.shop.callers["data"]) == 1

    async def after_a_boot() -> None:
        umount2(place.mounts()[0], MNT_DETACH)
        async with place as volumes:
            await volumes.mounts.settle()
            await volumes.mounts.given_back(volume_id)
            assert place.shop.callers["data"] == set()

    with place.serving() as plugin:
        volume_id = asyncio.run(killed())
        place.users.live = frozenset({volume_id})
        asyncio.run(next_daemon())
        assert plugin.methods().count("VolumeDriver.Mount") == 1
        place.users.live = frozenset()
        asyncio.run(after_a_boot())


def test_what_only_the_plugin_knows_is_shown_and_can_be_had(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            seen = await volumes.look("old")
            assert seen.record.created_ns == 1714979289 * 10**9
            found = await volumes.survey(VolumeQuery())
            assert [(v.record.name, v.record.driver) for v in found.views] == [("old", "shop")]
            assert volumes.list() == []
            async with volumes.claimed([CreateVolume("old", driver="")]) as (view,):
                assert view.record.driver == "shop"
            assert [v.record.name for v in volumes.list()] == ["old"]
            place.shop._create({"Name": "older"})
            await volumes.remove("older")
            assert list(place.shop.volumes) == ["old"]

    place.shop._create({"Name": "old"})
    with place.serving() as plugin:
        asyncio.run(scenario())
    assert "VolumeDriver.Create" not in plugin.methods()


def test_one_that_hangs_holds_up_nobody_else(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            hanging = asyncio.create_task(volumes.create(DATA))
            await asyncio.to_thread(plugin.wait_asked, "VolumeDriver.Create")
            local = await volumes.create(CreateVolume("mine"))
            await volumes.remove(local.record.name)
            hanging.cancel()
            with pytest.raises(asyncio.CancelledError):
                await hanging
            assert volumes.list() == []

    with place.serving(Create=hang) as plugin:
        asyncio.run(scenario())


def test_one_that_hangs_is_not_looked_at_again_and_again(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            for name in ("one", "two", "three"):
                async with volumes.claimed([CreateVolume(name, driver="")]) as (view,):
                    assert view.record.driver == "local"
            found = await volumes.survey(VolumeQuery())
            assert len(found.views) == 3
            assert "did not answer VolumeDriver.List" in found.warnings[0]

    place.timeout = 4.0
    with place.serving(Get=hang, List=hang) as plugin:
        asyncio.run(scenario())
    assert plugin.methods().count("VolumeDriver.Get") == 1


def test_one_that_hangs_is_told_in_time(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            view = await volumes.create(DATA)
            with pytest.raises(UnavailableError, match=r"did not answer VolumeDriver\.Mount"):
                await volumes.mounts.ready((view.record.id,))
            assert place.mounts() == []

    place.timeout = 4.0
    with place.serving(Mount=hang):
        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"Mountpoint": "relative"}, "'relative' is no absolute path"),
        ({}, "'' is no absolute path"),
        ({"Mountpoint": "/nowhere/at/all"}, "where there is no directory"),
        ({"Mountpoint": "/etc/passwd"}, "where there is no directory"),
        ({"Err": "disk on fire"}, "error while mounting volume 'data': disk on fire"),
    ],
)
def test_one_that_lies_is_not_believed(place: Place, answer: Json, told: str) -> None:
    async def scenario() -> None:
        async with place as volumes:
            view = await volumes.create(DATA)
            with pytest.raises(InternalError) as caught:
                await volumes.mounts.ready((view.record.id,))
            assert told in str(caught.value)
            await volumes.mounts.given_back(view.record.id)
            assert place.mounts() == []

    with place.serving(Mount=lambda _: answer):
        asyncio.run(scenario())


def test_nothing_is_lost_while_the_plugin_is_dead(place: Place) -> None:
    async def before() -> None:
        async with place as volumes:
            await volumes.create(DATA)

    async def meanwhile() -> None:
        async with place as volumes:
            found = await volumes.survey(VolumeQuery())
            assert [view.record.name for view in found.views] == ["data"]
            assert "not found" in str((await volumes.look("data")).status["Error"])
            with pytest.raises(NotFoundError, match="error looking up volume plugin shop"):
                await volumes.remove("data")
            assert (await volumes.prune(VolumePrune(all=True))).names == ()
            assert [view.record.name for view in volumes.list()] == ["data"]

    async def back() -> None:
        async with place as volumes:
            assert (await volumes.look("data")).status == {"opts": {}}

    async def forgotten() -> None:
        async with place as volumes:
            await volumes.remove("data", force=True)
            assert volumes.list() == []

    with place.serving():
        asyncio.run(before())
    (place.sockets / "shop.sock").unlink()
    asyncio.run(meanwhile())
    with place.serving():
        asyncio.run(back())
    (place.sockets / "shop.sock").unlink()
    asyncio.run(forgotten())


def test_one_that_fails_to_list_is_a_warning(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            await volumes.create(DATA)
            found = await volumes.survey(VolumeQuery())
            assert [view.record.name for view in found.views] == ["data"]
            assert found.warnings == ("plugin shop: cannot",)

    with place.serving(List=lambda _: {"Err": "cannot"}):
        asyncio.run(scenario())


def test_what_the_plugin_has_lost_can_be_removed(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            await volumes.create(DATA)
            place.shop.volumes.clear()
            await volumes.remove("data")
            assert volumes.list() == []

    with place.serving():
        asyncio.run(scenario())


def test_those_of_containers_that_go_with_them(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            made = (await volumes.create(CreateVolume(driver="shop"))).record
            assert made.anonymous
            place.users.of = {made.id: ("c1",)}
            await volumes.remove_anonymous([made.id], "c1")
            assert volumes.list() == []

    with place.serving():
        asyncio.run(scenario())
    assert place.shop.volumes == {}
