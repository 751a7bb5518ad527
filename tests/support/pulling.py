"""An image of a few incompressible layers in a registry, for tests that break its transfer."""

import json
import random
import tempfile
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from support.cli import Cli
from support.engine import Engine
from support.images import archive
from support.images.archive import Image, Layer
from support.registries import RegistryServer

NAME = "faults/app:1"
LAYERS = 3
LAYER_BYTES = 300_000


@dataclass(frozen=True)
class Published:
    """What is in the registry."""

    manifest: str
    config: str
    layers: tuple[str, ...]


def publish(
    registry: RegistryServer, boxship: Cli, name: str = NAME, *, seed: int = 1
) -> Published:
    """Put the image there; return its digests."""
    with tempfile.TemporaryDirectory(prefix="bx-publish-") as scratch:
        path = write_archive(Path(scratch), name, seed=seed)
        place = f"registry:{registry.host}/{name}"
        digest = boxship("image", "copy", "--quiet", f"archive:{path}", place)
    return Published(digest, *_manifest(registry, name, digest))


def write_archive(
    home: Path, name: str = NAME, *, seed: int = 1, layers: int = LAYERS, size: int = LAYER_BYTES
) -> Path:
    """Write the image as an archive of `docker save`'s kind."""
    dice = random.Random(seed)
    steps = []
    for number in range(layers):
        tar = home / f"layer{number}.tar"
        entries = [archive.file(f"data{number}", dice.randbytes(size))]
        archive.write_layer(tar, [*entries, archive.file(f"small{number}", b"small")])
        steps.append(Layer(tar, f"layer {number}"))
    path = home / "image.tar"
    archive.write(Image(tags=(name,), steps=tuple(steps), config={"Cmd": ["none"]}), path)
    return path


def _manifest(registry: RegistryServer, name: str, digest: str) -> tuple[str, tuple[str, ...]]:
    connection = HTTPConnection(registry.host, timeout=10)
    try:
        repository = name.partition(":")[0]
        accept = {"Accept": "application/vnd.oci.image.manifest.v1+json"}
        connection.request("GET", f"/v2/{repository}/manifests/{digest}", headers=accept)
        document = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    layers = tuple(layer["digest"] for layer in document["layers"])
    return document["config"]["digest"], layers


def check_whole(engine: Engine, names: int) -> None:
    """Every image gives every layer's tar back, verified; nothing lies about in `tmp`."""
    found = [name for one in engine.api.get("/images/json").json() for name in one["RepoTags"]]
    assert len(found) == names, found
    for name in found:
        reply = engine.api.get(f"/images/{name}/get")
        assert reply.status == 200, reply.body[:500]


def forget_images(engine: Engine) -> None:
    for image in engine.api.get("/images/json").json():
        engine.api.delete(f"/images/{image['Id']}", force=1)
