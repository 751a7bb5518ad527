"""A cache that travels: in the config of an image, and out of it again."""

import msgspec
import pytest

from boxship.engine.build.cachedocument import cache_in, pack, unpack, with_cache
from boxship.engine.build.cachestore import CacheRecord
from boxship.oci.digest import Digest

LAYERS = [str(Digest.of(bytes([n]))) for n in range(3)]
CONFIG = b'{"architecture":"amd64","unknown":{"kept":1}}'


def record(*layers: str, key: str) -> CacheRecord:
    return CacheRecord(
        id="x",
        description=key,
        layers=layers,
        times=(0,) * len(layers),
        keys=(key,),
        created_ns=5,
        copied=("",) * len(layers),
        own=layers[-1],
        size=3,
        boot="here",
    )


def test_there_and_back() -> None:
    records = [record(*LAYERS[:2], key="long"), record(LAYERS[0], key="short")]
    document = pack(records, {"pip": Digest.parse(LAYERS[2])})
    config = with_cache(CONFIG, document)
    assert msgspec.json.decode(config)["unknown"] == {"kept": 1}
    found = cache_in(config)
    assert found == document
    assert document.mounts[0].layer == 2
    back = {each.keys: each for each in unpack(document)}
    assert back["long",].layers == tuple(LAYERS[:2])
    assert back["long",].own == LAYERS[1]
    assert (back["long",].id, back["long",].boot) == ("", ""), "nothing of here travels"


def test_the_same_results_are_the_same_document() -> None:
    one, other = record(LAYERS[0], key="a"), record(LAYERS[1], key="b")
    assert pack([one, other], {}) == pack([other, one], {})


def test_an_image_without_a_cache() -> None:
    assert cache_in(CONFIG) is None


@pytest.mark.parametrize(
    "change",
    [
        {"layers": []},
        {"layers": ["nothing"]},
        {"records": [{"keys": [], "layers": [0], "times": [0], "own": 0}]},
        {"records": [{"keys": ["k"], "layers": [0], "times": [], "own": 0}]},
        {"records": [{"keys": ["k"], "layers": [-1], "times": [0], "own": 0}]},
        {"records": 3},
        {"mounts": [{"id": "a", "layer": 99}]},
        {"mounts": [{"id": "a", "layer": -1}]},
    ],
)
def test_one_that_lies_is_refused(change: dict[str, object]) -> None:
    good = msgspec.json.decode(msgspec.json.encode(pack([record(LAYERS[0], key="a")], {})))
    config = msgspec.json.encode({"boxship.build.cache.v1": {**good, **change}})
    with pytest.raises(ValueError, match=r".+"):
        unpack(cache_in(config))  # type: ignore[arg-type]
