"""What is remembered of pulls: variants of a name, sources of a layer, unfinished pulls."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from boxship.engine.images import variants
from boxship.engine.images.catalog import Catalog, ImageRecord, KnownImage, understand
from boxship.engine.images.layersources import KEPT_HERE, LayerSource, LayerSources
from boxship.engine.images.pulls import UnfinishedPull, UnfinishedPulls
from boxship.engine.images.variants import Variant
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.oci import platform, reference
from boxship.oci.digest import Digest
from boxship.oci.platform import Platform
from boxship.storage.blobs import BlobStore
from boxship.storage.root import StorageRoot
from support.shop import run, sample
from support.tars import Member, tar

HOST = platform.host()
OTHER = Platform("linux", "s390x")
THIRD = Platform("linux", "arm", "v6")
APP = reference.parse("app:1")
INDEX, NEXT_INDEX = Digest.of(b"index"), Digest.of(b"next index")
LAYER = Digest.of(b"layer")


def variant(of: Platform, *, index: Digest | None = INDEX, at_ns: int = 1) -> Variant:
    return Variant(
        of, Digest.of(str(of).encode()), Digest.of(b"manifest of " + bytes(at_ns)), index, at_ns
    )


class Records:
    def __init__(self, place: Path) -> None:
        self.database = Database(str(place / "records.db"), MIGRATIONS)
        self.blobs = BlobStore(StorageRoot(str(place)))
        self.catalog = Catalog(self.database, self.blobs)
        self.sources = LayerSources(self.database)

    def image(self, architecture: str) -> KnownImage:
        made = sample(tar(Member(architecture, b"x")), architecture=architecture)
        config = made.config
        self.blobs.add(config)
        return understand(ImageRecord(made.id, 0, (0,), 1), config)


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    opened = Records(tmp_path)
    yield opened
    opened.database.close()


def test_variants_of_one_index_join_and_those_of_another_go() -> None:
    first = variants.joined((), [variant(HOST)])
    both = variants.joined(first, [variant(OTHER)])
    assert [v.platform for v in both] == [HOST, OTHER]
    again = variants.joined(both, [variant(HOST, at_ns=5)])
    assert {(v.platform, v.at_ns) for v in again} == {(HOST, 5), (OTHER, 1)}
    assert [v.platform for v in variants.joined(both, [variant(OTHER, index=NEXT_INDEX)])] == [
        OTHER
    ]
    alone = variant(HOST, index=None)
    assert variants.joined([alone], [variant(OTHER, index=None)]) == (variant(OTHER, index=None),)


def test_the_asked_for_variant_is_preferred_then_the_hosts_then_the_latest() -> None:
    kept = [variant(OTHER, at_ns=3), variant(HOST), variant(THIRD, at_ns=2)]
    assert variants.preferred(kept, THIRD, HOST) == kept[2]
    assert variants.preferred(kept, Platform("windows", "amd64"), HOST) is None
    assert variants.preferred(kept, None, HOST) == kept[1]
    assert variants.preferred([kept[2], kept[0]], None, HOST) == kept[0]
    assert variants.preferred([], None, HOST) is None


def test_a_platform_runs_its_own_architecture_before_an_older_one() -> None:
    offered = [
        Platform("linux", "arm", "v6"),
        Platform("linux", "arm64"),
        Platform("linux", "arm", "v7"),
    ]
    assert platform.by_preference(Platform("linux", "arm64"), offered) == [1, 2, 0]
    assert platform.by_preference(Platform("linux", "arm", "v7"), offered) == [2, 0]
    assert platform.by_preference(Platform("linux", "riscv64"), offered) == []


def test_the_catalog_resolves_a_name_by_platform_also_after_a_restart(
    records: Records, tmp_path: Path
) -> None:
    here, there = records.image(HOST.architecture), records.image(OTHER.architecture)
    manifest = records.blobs.add(b"{}")

    async def pull() -> None:
        for known, of in ((here, HOST), (there, OTHER)):
            kept = Variant(of, known.id, manifest, manifest, 1)
            await records.catalog.put(known, [APP], [kept])

    run(pull())
    records.database.close()
    again = Records(tmp_path)
    for catalog in (records.catalog, again.catalog):
        assert catalog.resolve(APP) == here
        assert catalog.resolve(APP, OTHER) == there
        assert catalog.resolve(APP, THIRD) is None
        assert {v.platform for v in catalog.variants_of(APP)} == {HOST, OTHER}
        assert [v.image_id for _, v in catalog.variants(there.id)] == [there.id]
        assert catalog.names_of(here.id) == [APP]
        assert catalog.names_of(there.id) == []
        assert catalog.documents() == {here.id, there.id, manifest}
    run(again.catalog.put(there, [APP]))
    assert again.catalog.resolve(APP) == there
    assert again.catalog.variants_of(APP) == ()
    again.database.close()


def test_a_removed_name_takes_its_variants_along(records: Records, tmp_path: Path) -> None:
    known = records.image(HOST.architecture)
    manifest = records.blobs.add(b"{}")
    run(records.catalog.put(known, [APP], [Variant(HOST, known.id, manifest, None, 1)]))
    run(records.catalog.remove([APP]))
    assert records.catalog.variants() == []
    records.database.close()
    again = Records(tmp_path)
    assert again.catalog.variants() == []
    again.database.close()


def test_sources_of_a_layer_are_found_by_layer(records: Records, tmp_path: Path) -> None:
    there = LayerSource(LAYER, Digest.of(b"gzip"), 4, "tar+gzip", "docker.io/library/app")
    here = LayerSource(LAYER, Digest.of(b"zstd"), 5, "tar+zstd", KEPT_HERE)
    run(records.sources.add([there, here]))
    run(records.sources.add([there]))
    records.database.close()
    again = Records(tmp_path)
    for sources in (records.sources, again.sources):
        assert sorted(sources.of(LAYER), key=lambda s: s.size) == [there, here]
        assert sources.kept_here() == {here.digest}

    async def forget() -> list[Digest]:
        return again.sources.forget([LAYER, Digest.of(b"unknown")])

    assert run(forget()) == [here.digest]
    assert again.sources.of(LAYER) == []
    again.database.close()
    last = Records(tmp_path)
    assert last.sources.of(LAYER) == []
    last.database.close()


def test_a_claim_is_one_until_the_blob_has_been_seen(records: Records, tmp_path: Path) -> None:
    hearsay = LayerSource(LAYER, Digest.of(b"gzip"), 4, "tar+gzip", "docker.io/a/app", claimed=True)
    run(records.sources.add([hearsay]))
    assert records.sources.of(LAYER) == [hearsay]
    seen = replace(hearsay, claimed=False)
    run(records.sources.add([seen]))
    run(records.sources.add([hearsay]))
    elsewhere = replace(hearsay, repository="docker.io/b/app")
    run(records.sources.add([elsewhere]))
    records.database.close()
    again = Records(tmp_path)
    for sources in (records.sources, again.sources):
        assert sources.of(LAYER) == [seen, replace(elsewhere, claimed=False)]
    again.database.close()


def test_unfinished_pulls_protect_their_layers_until_a_restart_of_the_machine(
    records: Records, tmp_path: Path
) -> None:
    pulls = UnfinishedPulls(records.database, "boot 1")
    run(pulls.begin(UnfinishedPull("app:1", "linux/amd64", (LAYER,), 10)))
    other = Digest.of(b"other")
    run(pulls.begin(UnfinishedPull("app:1", "linux/arm64", (other,), 20)))
    assert pulls.layers() == {LAYER, other}
    assert run(pulls.end("app:1", "linux/arm64")) == (other,)
    assert run(pulls.end("app:1", "linux/arm64")) == ()
    records.database.close()
    database = Database(str(tmp_path / "records.db"), MIGRATIONS)
    assert UnfinishedPulls(database, "boot 2").layers() == set()
    same_boot = UnfinishedPulls(database, "boot 1")
    assert same_boot.layers() == {LAYER}

    async def drop() -> set[Digest]:
        return same_boot.drop(older_than_ns=10) or same_boot.drop(older_than_ns=11)

    assert run(drop()) == {LAYER}
    assert len(same_boot) == 0
    database.close()
