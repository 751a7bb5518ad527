"""Volumes without containers: records, directories, claims, filters."""

import asyncio
import errno
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from boxship.base.clock import SystemClock
from boxship.base.errors import (
    BoxshipError,
    ConflictError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from boxship.engine.events.bus import EventBus
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.engine.volumes.requests import CreateVolume, VolumePrune, VolumeQuery
from boxship.engine.volumes.service import Volumes
from boxship.kernel.mounts import MS_BIND, mount
from boxship.storage.disposal import Disposal
from boxship.storage.root import StorageRoot
from boxship.storage.volumes import VolumeStore

pytestmark = pytest.mark.privileged


def with_options(**options: str) -> CreateVolume:
    return CreateVolume("vv", options=options)


class Users:
    """Containers by volume."""

    def __init__(self) -> None:
        self.of: dict[str, tuple[str, ...]] = {}

    def volume_users(self) -> Mapping[str, tuple[str, ...]]:
        return self.of

    def live_volumes(self) -> frozenset[str]:
        return frozenset()

    async def volume_renamed(self, volume_id: str, old: str, new: str) -> None:
        pass


class Place:
    """A data root that can be opened again and again."""

    def __init__(self, path: Path, store: type[VolumeStore] = VolumeStore) -> None:
        self.path = path
        self.store = store
        self.users = Users()

    async def __aenter__(self) -> Volumes:
        clock = SystemClock()
        self._database = Database(f"{self.path}/db", MIGRATIONS)
        store = self.store(StorageRoot(str(self.path)), Disposal())
        volumes = Volumes(self._database, store, EventBus(clock), clock)
        volumes.set_users(self.users)
        await volumes.open()
        return volumes

    async def __aexit__(self, *_: object) -> None:
        self._database.close()

    @property
    def directories(self) -> int:
        return len(os.listdir(self.path / "volumes"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_volume_is_found_by_the_next_daemon_and_removed_whole(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            made = await volumes.create(CreateVolume("data", labels={"a": "b"}))
            again = await volumes.create(CreateVolume("data", labels={"c": "d"}))
            assert again == made
        async with place as volumes:
            assert volumes.inspect("data") == made
            assert os.listdir(made.mountpoint) == []
            await volumes.remove("data")
            assert place.directories == 0
            with pytest.raises(NotFoundError, match="get data: no such volume"):
                await volumes.remove("data")
            await volumes.remove("data", force=True)

    asyncio.run(scenario())


def test_who_is_in_use_or_claimed_stays(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            made = (await volumes.create(CreateVolume("data"))).record
            async with volumes.claimed([CreateVolume("data")]):
                with pytest.raises(ConflictError):
                    await volumes.remove("data")
            place.users.of = {made.id: ("c1", "c2")}
            with pytest.raises(ConflictError) as caught:
                await volumes.remove("data", force=True)
            assert str(caught.value) == "remove data: volume is in use - [c1, c2]"
            assert (await volumes.prune(VolumePrune(all=True))).names == ()

    asyncio.run(scenario())


def test_what_goes_with_its_container(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            mine = (await volumes.create(CreateVolume())).record.id
            shared = (await volumes.create(CreateVolume())).record.id
            place.users.of = {mine: ("c1",), shared: ("c1", "c2")}
            await volumes.remove_anonymous([mine, shared], "c1")
            assert [view.record.id for view in volumes.list()] == [shared]
            with pytest.raises(NotFoundError):
                async with volumes.held([mine]):
                    pass

    asyncio.run(scenario())


def test_who_comes_while_a_volume_goes_does_not_get_it(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            mine = (await volumes.create(CreateVolume())).record.id
            data = (await volumes.create(CreateVolume("data"))).record.id
            place.users.of = {mine: ("c1",)}
            for going, comes in (
                (volumes.remove_anonymous([mine], "c1"), volumes.held([mine])),
                (volumes.remove("data"), volumes.opened("data")),
            ):
                removing = asyncio.create_task(going)
                while not volumes._changing.locked():  # then its deletion is being committed
                    assert not removing.done()
                    await asyncio.sleep(0)
                assert {mine, data} & {view.record.id for view in volumes.list()}
                with pytest.raises(NotFoundError):
                    async with comes:
                        pass
                await removing
            assert volumes.list() == []

    asyncio.run(scenario())


def test_files_that_stay_are_no_success_and_go_with_the_next_daemon(tmp_path: Path) -> None:
    class Stubborn(VolumeStore):
        refuses = True

        def remove(self, volume_id: str) -> None:
            if self.refuses:
                raise OSError(errno.EPERM, "no")
            super().remove(volume_id)

    place = Place(tmp_path, Stubborn)

    async def scenario() -> None:
        async with place as volumes:
            first, second = [(await volumes.create(CreateVolume())).record.id for _ in range(2)]
            with pytest.raises(UnavailableError, match=f"remove {first}: .*; remove {second}: "):
                await volumes.remove_anonymous([first, second])
            await volumes.create(CreateVolume("data"))
            with pytest.raises(UnavailableError, match="remove data: its files stay until"):
                await volumes.remove("data")
            await volumes.create(CreateVolume("more"))
            assert (await volumes.prune(VolumePrune(all=True))).names == ("more",)
            assert volumes.list() == []
        async with place:
            assert place.directories == 4
        Stubborn.refuses = False
        async with place:
            assert place.directories == 0

    asyncio.run(scenario())


def test_a_create_that_fails_leaves_no_anonymous_volume(place: Place) -> None:
    async def scenario() -> None:
        async with place as volumes:
            with pytest.raises(ZeroDivisionError):
                async with volumes.claimed([CreateVolume(), CreateVolume("named")]):
                    assert place.directories == 2
                    raise ZeroDivisionError
            assert [view.record.name for view in volumes.list()] == ["named"]
            assert place.directories == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("request_", "kind", "text"),
    [
        (CreateVolume("v"), InvalidArgumentError, "create v: volume name is too short"),
        (CreateVolume("a/b"), InvalidArgumentError, 'create a/b: "a/b" includes invalid'),
        (CreateVolume("vv", driver="x"), NotFoundError, "create vv: error looking up volume"),
        (with_options(foo="1"), InvalidArgumentError, 'create vv: invalid option: "foo"'),
        (with_options(type="x"), InvalidArgumentError, 'create vv: missing required option: '),
        (with_options(size="1m"), InvalidArgumentError, "create vv: quota size requested"),
    ],
)  # fmt: skip
def test_what_cannot_be_made(
    place: Place, request_: CreateVolume, kind: type[BoxshipError], text: str
) -> None:
    async def scenario() -> None:
        async with place as volumes:
            with pytest.raises(kind) as caught:
                await volumes.create(request_)
            assert str(caught.value).startswith(text)
        assert place.directories == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({}, ["data", "used"]),
        ({"dangling": ("true",)}, ["data"]),
        ({"dangling": ("0",)}, ["used"]),
        ({"label": ("a",)}, ["data"]),
        ({"label": ("a=c",)}, []),
        ({"name": ("^us", "at")}, ["data", "used"]),
        ({"driver": ("other",)}, []),
    ],
)
def test_filters(place: Place, filters: dict[str, tuple[str, ...]], names: list[str]) -> None:
    async def scenario() -> None:
        async with place as volumes:
            await volumes.create(CreateVolume("data", labels={"a": "b"}))
            used = await volumes.create(CreateVolume("used"))
            place.users.of = {used.record.id: ("c",)}
            found = volumes.list(VolumeQuery(filters))
            assert [view.record.name for view in found] == names
            for bad in ({"foo": ("1",)}, {"dangling": ("maybe",)}):
                with pytest.raises(InvalidArgumentError):
                    volumes.list(VolumeQuery(bad))

    asyncio.run(scenario())


def test_what_others_have_mounted_there_is_not_deleted(tmp_path: Path) -> None:
    disposal = Disposal()
    store = VolumeStore(StorageRoot(f"{tmp_path}/root"), disposal)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "f").touch()
    store.make("ab" * 32)
    mount(str(theirs), store.data("ab" * 32), "", MS_BIND)
    assert store.is_mounted("ab" * 32)
    store.remove("ab" * 32)
    disposal.settle()
    assert store.ids() == os.listdir(tmp_path / "root" / "tmp") == []
    assert os.listdir(theirs) == ["f"]
