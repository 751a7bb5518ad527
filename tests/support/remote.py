"""A registry in memory, for what the engine does with one: images to pull, and scripted faults."""

import gzip
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec

from boxship.distribution.attempts import OnRetry
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.errors import RegistryNotFoundError, TransferCancelledError
from boxship.distribution.manifests import FetchedManifest
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.distribution.settings import RegistrySettings
from boxship.oci.digest import Digest
from boxship.oci.image import (
    DOCKER_CONFIG_TYPE,
    DOCKER_INDEX_TYPE,
    DOCKER_MANIFEST_TYPE,
    Descriptor,
)
from boxship.oci.reference import Reference, parse
from boxship.storage.chunks import Buffer
from support.shop import Sample

GZIP_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

Fault = Callable[[Cancel], None]


@dataclass
class Content:
    """What the registry has; the same blobs in all repositories."""

    manifests: dict[str, FetchedManifest] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    """By digest: called in the middle of the blob."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each blob or manifest was asked for."""
    opened: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    at_once: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


class RemoteImages(Registries):
    """Stands for all registries; ``content`` tells what was fetched."""

    def __init__(self) -> None:
        super().__init__(RegistrySettings(cert_directories=()), "tests")
        self.content = Content()

    def repository(self, name: Reference, credentials: Credentials | None = None) -> Repository:
        return _RemoteRepository(name, self.content)

    def add(
        self,
        name: str,
        image: Sample,
        *,
        compress: Callable[[bytes], bytes] = lambda data: gzip.compress(data, 1, mtime=0),
        layer_type: str = GZIP_LAYER,
        **manifest: Any,
    ) -> str:
        """Put an image there under a name; return the manifest's digest."""
        layers = [compress(layer) for layer in image.layers]
        document = {
            "schemaVersion": 2,
            "mediaType": DOCKER_MANIFEST_TYPE,
            "config": self._blob(image.config, DOCKER_CONFIG_TYPE),
            "layers": [self._blob(layer, layer_type) for layer in layers],
            **manifest,
        }
        return self.put(name, msgspec.json.encode(document), DOCKER_MANIFEST_TYPE)

    def add_index(self, name: str, platforms: dict[str, str]) -> str:
        """Put an index of manifests there: digests by platform."""
        entries = []
        for text, digest in platforms.items():
            os_name, architecture, *variant = text.split("/")
            platform = {"os": os_name, "architecture": architecture}
            found = self.content.manifests[digest]
            entries.append(
                {
                    "mediaType": found.media_type,
                    "digest": digest,
                    "size": len(found.data),
                    "platform": platform | ({"variant": variant[0]} if variant else {}),
                }
            )
        document = {"schemaVersion": 2, "mediaType": DOCKER_INDEX_TYPE, "manifests": entries}
        return self.put(name, msgspec.json.encode(document), DOCKER_INDEX_TYPE)

    def put(self, name: str, data: bytes, media_type: str) -> str:
        """Put any document there as a manifest; return its digest."""
        found = FetchedManifest(media_type, Digest.of(data), data)
        tag = parse(name).with_default_tag().tag
        self.content.manifests |= {tag: found, str(found.digest): found}
        return str(found.digest)

    def layer_digest(self, layer: bytes) -> str:
        """Return the digest under which a gzip layer is there."""
        return str(Digest.of(gzip.compress(layer, 1, mtime=0)))

    def fetched(self, *layers: bytes) -> list[int]:
        """How often each layer was asked for."""
        return [self.content.asked[self.layer_digest(layer)] for layer in layers]

    def _blob(self, data: bytes, media_type: str) -> dict[str, Any]:
        digest = str(Digest.of(data))
        self.content.blobs[digest] = data
        return {"mediaType": media_type, "size": len(data), "digest": digest}


class _RemoteRepository(Repository):
    def __init__(self, name: Reference, content: Content) -> None:
        self.name = name
        self._content = content

    def manifest(self, target: str | Digest, cancel: Cancel | None = None) -> FetchedManifest:
        self._content.asked[str(target)] += 1
        found = self._content.manifests.get(str(target))
        if found is None:
            raise RegistryNotFoundError(
                "not there", code="MANIFEST_UNKNOWN", told="manifest unknown: manifest unknown"
            )
        return found

    def tags(self, cancel: Cancel | None = None) -> Iterator[str]:
        return iter(sorted(tag for tag in self._content.manifests if ":" not in tag))

    def blob(
        self, descriptor: Descriptor, cancel: Cancel, on_retry: OnRetry | None = None
    ) -> Iterator[Buffer]:
        content, digest = self._content, descriptor.digest
        with content.lock:
            content.asked[digest] += 1
            content.at_once += 1
            content.most_at_once = max(content.most_at_once, content.at_once)
        content.opened.release()
        try:
            data = content.blobs[digest]
            half = len(data) // 2
            yield data[:half]
            if (fault := content.faults.get(digest)) is not None:
                fault(cancel)
            if cancel.cancelled:
                raise TransferCancelledError
            yield data[half:]
        finally:
            with content.lock:
                content.at_once -= 1


class Gate:
    """A fault that holds a blob until it is opened, or the transfer is cancelled."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self.cancelled = False

    def __call__(self, cancel: Cancel) -> None:
        for _ in range(1000):
            if self._open.wait(0.01):
                return
            if cancel.cancelled:
                self.cancelled = True
                raise TransferCancelledError
        raise AssertionError("the gate was never opened")

    def open(self) -> None:
        self._open.set()


def failing(error: Exception) -> Fault:
    """A fault that breaks the transfer with an error."""

    def fail(cancel: Cancel) -> None:
        raise error

    return fail
