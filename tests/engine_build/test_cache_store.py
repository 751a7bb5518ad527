"""Records of results: found by their keys, believed only as far as they can be."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from boxship.base.clock import SystemClock
from boxship.engine.build.cachestore import CacheRecord, CacheStore
from boxship.engine.images.kept import KeptLayers
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.oci.digest import Digest

LAYERS = [Digest.of(bytes([n])) for n in range(4)]
KEYS = [Digest.of(f"key {n}".encode()) for n in range(4)]


class Stores:
    """Opens the records of one database, as often as wanted, one after the other."""

    def __init__(self, home: Path) -> None:
        self._path = str(home / "db")
        self.there = set(LAYERS)

    def use(self, work: Callable[[CacheStore, KeptLayers], Awaitable[Any]], boot: str = "") -> Any:
        """Open, load, work and close."""

        async def used() -> Any:
            database = Database(self._path, MIGRATIONS)
            try:
                kept = KeptLayers(database)
                store = CacheStore(database, kept, SystemClock(), self.there.__contains__)
                if boot:
                    store._boot = boot
                await store.load()
                return await work(store, kept)
            finally:
                database.close()

        return asyncio.run(used())


def record(*layers: int, keys: tuple[int, ...]) -> CacheRecord:
    return CacheRecord(
        id="",
        description=f"{layers}",
        layers=tuple(str(LAYERS[n]) for n in layers),
        times=(0,) * len(layers),
        keys=tuple(str(KEYS[n]) for n in keys),
        created_ns=0,
        own=str(LAYERS[layers[-1]]),
        step="a step",
    )


async def add(store: CacheStore, _: KeptLayers) -> CacheRecord:
    return await store.add(record(0, 1, keys=(0, 1)))


async def found(store: CacheStore, _: KeptLayers) -> list[str]:
    return [known.description for key in KEYS if (known := store.find(key)) is not None]


def test_a_result_is_found_by_all_its_keys_and_by_the_next_daemon(tmp_path: Path) -> None:
    stores = Stores(tmp_path)
    made = stores.use(add)
    assert made.id
    assert stores.use(found) == ["(0, 1)", "(0, 1)"]


def test_what_it_stands_on_is_kept_before_anything_is_loaded(tmp_path: Path) -> None:
    stores = Stores(tmp_path)
    stores.use(add)
    database = Database(str(tmp_path / "db"), MIGRATIONS)
    assert KeptLayers(database).layers() == {LAYERS[0], LAYERS[1]}
    database.close()


def test_layers_are_kept_until_the_last_result_of_them_has_gone(tmp_path: Path) -> None:
    async def both(store: CacheStore, kept: KeptLayers) -> None:
        one = await store.add(record(0, 1, keys=(0,)))
        other = await store.add(record(0, 2, keys=(1,)))
        await store.remove([one.id])
        assert kept.layers() == {LAYERS[0], LAYERS[2]}
        await store.remove([other.id, "nobody"])
        assert kept.layers() == set()

    stores = Stores(tmp_path)
    stores.use(both)
    assert stores.use(found) == []


def test_a_newer_result_takes_the_keys_of_an_older(tmp_path: Path) -> None:
    async def replaced(store: CacheStore, kept: KeptLayers) -> None:
        await store.add(record(0, 1, keys=(0, 1)))
        await store.add(record(0, 2, keys=(1, 2)))
        assert await found(store, kept) == ["(0, 1)", "(0, 2)", "(0, 2)"]
        await store.add(record(0, 3, keys=(0,)))
        assert await found(store, kept) == ["(0, 3)", "(0, 2)", "(0, 2)"]
        assert len(store.all()) == 2, "what no key leads to is of no use"
        assert LAYERS[1] not in kept.layers()

    stores = Stores(tmp_path)
    stores.use(replaced)
    assert stores.use(found) == ["(0, 3)", "(0, 2)", "(0, 2)"]


def test_a_further_key_leads_to_it_from_then_on(tmp_path: Path) -> None:
    async def used(store: CacheStore, _: KeptLayers) -> None:
        known = await add(store, _)
        assert store.used(known, KEYS[3]).uses == 2

    stores = Stores(tmp_path)
    stores.use(used)
    assert len(stores.use(found)) == 3


def test_a_key_leads_to_one_result_before_and_after_a_restart(tmp_path: Path) -> None:
    async def taken(store: CacheStore, _: KeptLayers) -> None:
        older = await store.add(record(0, 1, keys=(0,)))
        await store.add(record(0, 2, keys=(1,)))
        store.used(older, KEYS[1])
        assert [each.keys for each in store.all() if each.own == str(LAYERS[2])] == [()]

    stores = Stores(tmp_path)
    for _ in range(3):
        stores.use(taken)
        assert stores.use(found) == ["(0, 1)", "(0, 1)"]


def test_one_whose_layer_is_gone_is_not_found_and_goes(tmp_path: Path) -> None:
    async def looked(store: CacheStore, kept: KeptLayers) -> tuple[int, int]:
        return len(store.all()), len(kept.layers())

    stores = Stores(tmp_path)
    stores.use(add)
    stores.there.discard(LAYERS[1])
    assert stores.use(looked) == (0, 0)


def test_after_another_boot_only_what_was_flushed_is_believed(tmp_path: Path) -> None:
    async def settled(store: CacheStore, _: KeptLayers) -> None:
        await store.add(record(0, 1, keys=(0,)))
        before = store.unsettled()
        await store.add(record(0, 2, keys=(1,)))
        await store.settle(before)

    stores = Stores(tmp_path)
    stores.use(settled, boot="the one before")
    assert stores.use(found, boot="the one before") == ["(0, 1)", "(0, 2)"], "only a restart"
    assert stores.use(found, boot="this one") == ["(0, 1)"]


def test_what_one_step_gave_is_known_newest_first(tmp_path: Path) -> None:
    async def asked(store: CacheStore, _: KeptLayers) -> None:
        await store.add(record(0, 1, keys=(0,)))
        await store.add(record(0, 2, keys=(1,)))
        assert [each.description for each in store.of_step("a step")] == ["(0, 2)", "(0, 1)"]
        assert store.of_step("another") == []

    Stores(tmp_path).use(asked)
