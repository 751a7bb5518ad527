"""A cache that travels: what the results of a build are found by, beside the layers that they are.

It is a member of an image's config, so it goes wherever images go, through every registry::

    {"architecture": …, "rootfs": …, "boxship.build.cache.v1": {
        "records": [{"keys": […], "layers": [0, 1, 4], …}],
        "mounts": [{"id": …, "layer": 7}]}}

Numbers are positions in ``layers``, which has the diff ids. An inline cache is in the image itself;
one on its own is an image of all layers that its results are made of. Other builders see an image
with a member that they don't know. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from boxship.engine.build.cachestore import CacheRecord
from boxship.oci.digest import Digest

MEMBER = "boxship.build.cache.v1"
_MOST_RECORDS = 100_000


class TravellingRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A result. ``own`` is the number of its own layer."""

    keys: tuple[str, ...]
    layers: tuple[int, ...]
    times: tuple[int, ...]
    own: int
    size: int = 0
    copied: tuple[str, ...] = ()
    description: str = ""
    step: str = ""
    inputs: tuple[tuple[str, str], ...] = ()


class TravellingMount(msgspec.Struct, frozen=True):
    """A directory of ``RUN --mount=type=cache``, as a layer."""

    id: str
    layer: int


class CacheDocument(msgspec.Struct, frozen=True):
    """All of it."""

    layers: tuple[str, ...]
    records: tuple[TravellingRecord, ...]
    mounts: tuple[TravellingMount, ...] = ()


def pack(records: Iterable[CacheRecord], mounts: Mapping[str, Digest]) -> CacheDocument:
    """Put results and mounts, by their ids, into a document."""
    numbers: dict[str, int] = {}

    def number(layer: str) -> int:
        return numbers.setdefault(layer, len(numbers))

    packed = tuple(
        TravellingRecord(
            keys=record.keys,
            layers=tuple(map(number, record.layers)),
            times=record.times,
            own=number(record.own),
            size=record.size,
            copied=record.copied,
            description=record.description,
            step=record.step,
            inputs=record.inputs,
        )
        for record in sorted(records, key=lambda record: (len(record.layers), record.keys))
    )
    carried = tuple(TravellingMount(each, number(str(mounts[each]))) for each in sorted(mounts))
    return CacheDocument(tuple(numbers), packed, carried)


def unpack(document: CacheDocument) -> list[CacheRecord]:
    """Return the results of a document. ValueError: its numbers lead nowhere."""
    if len(document.records) > _MOST_RECORDS:
        raise ValueError(f"a cache of more than {_MOST_RECORDS} results")
    layers = document.layers
    for layer in layers:
        Digest.parse(layer)
    if not all(0 <= mount.layer < len(layers) for mount in document.mounts):
        raise ValueError("a cache mount of a layer that is not there")
    return [_unpacked(each, layers) for each in document.records]


def _unpacked(record: TravellingRecord, layers: Sequence[str]) -> CacheRecord:
    numbers = (*record.layers, record.own)
    if not all(0 <= number < len(layers) for number in numbers):
        raise ValueError("a result of layers that are not there")
    if not record.keys or len(record.times) != len(record.layers):
        raise ValueError("a result without keys or times")
    return CacheRecord(
        id="",
        description=record.description,
        layers=tuple(layers[number] for number in record.layers),
        times=record.times,
        keys=record.keys,
        created_ns=0,
        copied=(*record.copied, *[""] * (len(record.layers) - len(record.copied))),
        own=layers[record.own],
        size=record.size,
        step=record.step,
        inputs=record.inputs,
    )


def with_cache(config: bytes, document: CacheDocument) -> bytes:
    """Return an image's config with a cache in it."""
    members = msgspec.json.decode(config, type=dict[str, msgspec.Raw])
    members[MEMBER] = msgspec.Raw(msgspec.json.encode(document))
    return msgspec.json.encode(members)


def cache_in(config: bytes) -> CacheDocument | None:
    """Return the cache that a config has; None if it has none. ValueError: it is damaged."""
    members = msgspec.json.decode(config, type=dict[str, msgspec.Raw])
    if MEMBER not in members:
        return None
    try:
        return msgspec.json.decode(members[MEMBER], type=CacheDocument)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
