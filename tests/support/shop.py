"""An image service on a directory of its own, and image archives to feed it."""

import asyncio
import hashlib
import io
import json
import os
import tarfile
from collections.abc import AsyncIterator, Collection, Coroutine, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from boxship.base.clock import SystemClock
from boxship.distribution.registries import Registries
from boxship.distribution.settings import RegistrySettings
from boxship.engine.events.bus import EventBus
from boxship.engine.images.service import ImageService
from boxship.engine.images.users import ImageUse
from boxship.engine.records.database import Database
from boxship.engine.records.schema import MIGRATIONS
from boxship.model.image import ImageQuery, LoadedImage, LoadEvent
from boxship.oci.digest import Digest
from boxship.storage.storage import Storage
from support.tars import Member, tar

ResultT = TypeVar("ResultT")


@dataclass
class Users:
    """Containers, as far as images see them."""

    uses: list[ImageUse] = field(default_factory=list)
    layers: list[Digest] = field(default_factory=list)

    def image_uses(self) -> Iterable[ImageUse]:
        return self.uses

    def layers_in_use(self, without: Collection[str] = ()) -> Iterable[Digest]:
        return self.layers


class Shop:
    """Open it again to see what a restart of the daemon sees."""

    def __init__(self, place: Path) -> None:
        place.mkdir(exist_ok=True)
        self.place = place
        self.database = Database(str(place / "records.db"), MIGRATIONS)
        self.storage = Storage.open(str(place))
        self.events = EventBus(SystemClock())
        self.registries = Registries(RegistrySettings(cert_directories=()), "boxship-tests")
        self.images = ImageService(
            self.database, self.storage, self.registries, self.events, SystemClock()
        )
        self.scope = self.images._scope
        self.users = Users()
        self.images.set_users(self.users)

    def close(self) -> None:
        self.registries.close()
        self.database.close()

    def reopened(self) -> "Shop":
        self.close()
        return Shop(self.place)

    def load(self, archive: bytes, *, step: int = 50_000) -> list[LoadEvent]:
        """Everything that loading told."""

        async def gather() -> list[LoadEvent]:
            return [event async for event in self.images.load(chunks(archive, step))]

        return run(gather())

    def loaded(self, archive: bytes) -> list[tuple[str, str]]:
        """Ids and names of what an archive brought."""
        events = self.load(archive)
        return [(event.id, event.reference) for event in events if isinstance(event, LoadedImage)]

    def save(self, *references: str) -> bytes:
        async def gather() -> bytes:
            return b"".join([bytes(piece) async for piece in self.images.save(references)])

        return run(gather())

    def tags(self) -> dict[str, tuple[str, ...]]:
        return {image.id: image.tags for image in self.images.list(ImageQuery(all=True))}

    def actions(self) -> list[str]:
        """What was announced, in order."""
        return [event.action for event in self.events.history()]

    def disk(self) -> dict[str, list[str]]:
        """What is in the store once all deletions are done; empty directories are left out."""
        self.storage.disposal.settle()
        found = {
            name: sorted(os.listdir(self.place / name))
            for name in ("blobs/sha256", "layers/sha256", "l", "tmp", "snapshots")
        }
        return {name: names for name, names in found.items() if names}


def run(coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
    return asyncio.run(coroutine)


async def chunks(data: bytes, step: int = 50_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), step):
        yield data[at : at + step]


@dataclass(frozen=True)
class Sample:
    """An image to be put into archives."""

    layers: tuple[bytes, ...]
    config: bytes

    @property
    def id(self) -> str:
        return f"sha256:{sha(self.config)}"


def sample(*layers: bytes, created: str = "2024-01-01T00:00:00Z", **config: Any) -> Sample:
    layers = layers or (tar(Member("file", b"content")),)
    document = {
        "architecture": "amd64",
        "os": "linux",
        "created": created,
        "config": {"Cmd": ["sh"], **config},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(layer)}" for layer in layers]},
        "history": [{"created": created, "created_by": f"step {n}"} for n in range(len(layers))],
        "x-unknown": {"kept": True},
    }
    return Sample(layers, json.dumps(document).encode())


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def docker_archive(*images: tuple[Sample, list[str]], manifest_first: bool = False) -> bytes:
    """As `docker save` wrote them for years."""
    files: dict[str, bytes] = {}
    manifest = []
    for image, tags in images:
        files[f"{sha(image.config)}.json"] = image.config
        paths = [f"{sha(layer)[:20]}/layer.tar" for layer in image.layers]
        files |= dict(zip(paths, image.layers, strict=True))
        item = {"Config": f"{sha(image.config)}.json", "RepoTags": tags, "Layers": paths}
        manifest.append(item)
    document = {"manifest.json": json.dumps(manifest).encode()}
    files = document | files if manifest_first else files | document
    return archive(files)


def oci_archive(index: list[dict[str, Any]], blobs: Iterable[bytes]) -> bytes:
    """An OCI layout as a tar."""
    files = {f"blobs/sha256/{sha(blob)}": blob for blob in blobs}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": index}).encode()
    files["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    return archive(files)


def descriptor(blob: bytes, kind: str, **more: Any) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{sha(blob)}", "size": len(blob), **more}


def archive(files: dict[str, bytes]) -> bytes:
    return tar(*(Member(name, data) for name, data in files.items()))


def files_of(data: bytes) -> dict[str, bytes]:
    """Read an archive's files."""
    found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        for member in opened:
            if member.isfile():
                stream = opened.extractfile(member)
                assert stream is not None
                found[member.name] = stream.read()
    return found
