"""Images of two engines beside each other: their configs field by field, their layers file by file.

Not compared are times, and digests of what has times in it: ids of images and containers, layers,
the hash of files in the classic builder's history. Nor what only Docker's classic builder says: the
container in which a step ran.
"""

import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from support.api import Api

_OF_DOCKER_ALONE = frozenset({"container", "container_config", "docker_version", "id", "parent"})
_TIMES = frozenset({"created"})
_OF_A_CONTAINER = frozenset({"Image", "Hostname"})
_EMPTY: tuple[object, ...] = (None, False, "", [], {})
_HASH = re.compile(r"\b(file|dir|multi):[0-9a-f]{64}")


@dataclass(frozen=True)
class Document:
    """An image as an archive has it."""

    config: dict[str, Any]
    layers: tuple[tuple[str, ...], ...]
    """Of each layer its entries, a line each."""


def read(api: Api, name: str, loose: tuple[str, ...] = ()) -> Document:
    """Save an image of an engine, and read it; sizes of ``loose`` files are left out."""
    reply = api.get(f"/images/{name}/get")
    assert reply.status == 200, reply.body
    with tarfile.open(fileobj=BytesIO(reply.body)) as archive:

        def member(path: str) -> bytes:
            stream = archive.extractfile(path)
            assert stream is not None
            return stream.read()

        (manifest,) = json.loads(member("manifest.json"))
        config = json.loads(member(manifest["Config"]))
        layers = tuple(tuple(_entries(member(path), loose)) for path in manifest["Layers"])
    return Document(config, layers)


def _entries(data: bytes, loose: tuple[str, ...]) -> Iterator[str]:
    with tarfile.open(fileobj=BytesIO(data)) as layer:
        for entry in sorted(layer, key=lambda each: each.name):
            name = entry.name.rstrip("/")
            if name.rpartition("/")[2].startswith(".wh."):  # only its name means something
                yield name
                continue
            size = "" if name.startswith(loose) or not entry.isreg() else entry.size
            kind = entry.type.decode(errors="replace")
            line = f"{name} {kind} {entry.mode:o} {entry.uid}:{entry.gid} {size} {entry.linkname}"
            yield line.rstrip()


def differences(theirs: Document, ours: Document) -> Iterator[str]:
    """Yield where two images differ, a line each."""
    yield from _values("", _plain(theirs.config), _plain(ours.config))
    if len(theirs.layers) != len(ours.layers):
        yield f"layers: {len(theirs.layers)}, ours {len(ours.layers)}"
        return
    for number, (left, right) in enumerate(zip(theirs.layers, ours.layers, strict=True)):
        yield from (f"layer {number}: ours lacks {entry}" for entry in left if entry not in right)
        yield from (f"layer {number}: ours has {entry}" for entry in right if entry not in left)


def _plain(config: dict[str, Any]) -> dict[str, Any]:
    plain = {k: v for k, v in config.items() if k not in _OF_DOCKER_ALONE | _TIMES}
    plain["config"] = {k: v for k, v in config["config"].items() if k not in _OF_A_CONTAINER}
    plain["rootfs"] = {**config["rootfs"], "diff_ids": len(config["rootfs"]["diff_ids"])}
    plain["history"] = [
        {k: _HASH.sub(r"\1:…", v) if isinstance(v, str) else v
         for k, v in step.items() if k not in _TIMES}
        for step in config["history"]
    ]  # fmt: skip
    return plain


def _values(at: str, left: Any, right: Any) -> Iterator[str]:
    """Docker writes empty members out or leaves them out, as its versions please."""
    if left in _EMPTY and right in _EMPTY:
        return
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            yield from _values(f"{at}.{key}" if at else key, left.get(key), right.get(key))
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for number, (a, b) in enumerate(zip(left, right, strict=True)):
            yield from _values(f"{at}[{number}]", a, b)
    elif left != right:
        yield f"{at}: {json.dumps(left)}, ours {json.dumps(right)}"
