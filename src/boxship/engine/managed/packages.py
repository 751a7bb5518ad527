"""What plugins are made of, in the store: blobs as registries have them, and trees made of them.

Layers are unpacked for as long as a tree is being made, and kept compressed: pushed again they have
to be the same bytes. Blocking; safe from any thread.
"""

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.engine.managed import process
from boxship.engine.managed.packing import Package
from boxship.oci.digest import Digest
from boxship.oci.image import (
    DOCKER_LAYER_TYPE,
    DOCKER_MANIFEST_TYPE,
    Descriptor,
    MalformedImageError,
    Manifest,
    RootFS,
    encode,
)
from boxship.oci.plugin import PLUGIN_CONFIG_TYPE, PluginConfig, decode_config, encode_config
from boxship.storage.chunks import Buffer
from boxship.storage.compressing import gzipped, workers
from boxship.storage.layers import plain
from boxship.storage.storage import Storage


@dataclass(frozen=True, slots=True)
class Packed:
    """A plugin in the store, whose tree is ready under the id of its process."""

    config: PluginConfig
    manifest: Digest
    blobs: tuple[Digest, ...]


class Packages:
    """All blobs and trees of one engine's plugins."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def pack(self, chunks: Iterator[Buffer], process_id: str) -> Packed:
        """Take in an archive, compressed or not. InvalidArgumentError; UnavailableError (disk)."""
        blobs = self._storage.blobs
        with storing(), plain(chunks) as archive, self._storage.layers.lease() as lease:
            package = Package(archive)
            digest, size = self._compressed(package)
            layer = self._storage.layers.unpack(blobs.chunks(digest), lease)
            config = replace(
                checked(package.config or b""), rootfs=RootFS(diff_ids=(layer.diff_id,))
            )
            document = encode_config(config)
            stored = blobs.add(document)
            manifest = _manifest(stored, len(document), digest, size)
            self.plant(process_id, [layer.digest])
            return Packed(config, blobs.add(manifest), (stored, digest))

    def _compressed(self, package: Package) -> tuple[Digest, int]:
        """Keep the archive's layer as a blob; return its digest and length."""
        hasher, size = hashlib.sha256(), 0
        executor = workers()
        try:
            with self._storage.blobs.incoming() as writing:
                for chunk in gzipped(package.layer(), executor):
                    hasher.update(chunk)
                    size += len(chunk)
                    writing.write(chunk)
                digest = Digest("sha256", hasher.hexdigest())
                writing.keep(digest)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        return digest, size

    def plant(self, process_id: str, layers: Sequence[Digest]) -> None:
        """Make the tree of a plugin of layers that are here, lowest first. OSError."""
        self._storage.snapshots.prepare(process_id, layers)

    def uproot(self, process_id: str) -> None:
        """Remove a tree; one that is not there is fine."""
        self._storage.snapshots.remove(process_id)

    def tree(self, process_id: str) -> str:
        """Return where a plugin's files are."""
        return self._storage.snapshots.place(process_id)

    def sweep(self, needed: Collection[Digest]) -> None:
        """Remove blobs that are not needed, and all unpacked layers; nobody takes anything in."""
        for digest in self._storage.blobs.all():
            if digest not in needed:
                self._storage.blobs.remove(digest)
        layers = self._storage.layers
        layers.remove([layer.digest for layer in layers.all()], ())

    @property
    def storage(self) -> Storage:
        return self._storage


@contextlib.contextmanager
def storing() -> Iterator[None]:
    """Have the disk's trouble told as what it is: UnavailableError."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"the plugin cannot be stored: {error}") from error


def checked(document: bytes) -> PluginConfig:
    """Read a configuration and check it. InvalidArgumentError."""
    try:
        config = decode_config(document)
    except MalformedImageError as error:
        raise InvalidArgumentError(str(error)) from error
    process.check(config)
    return config


def _manifest(config: Digest, config_size: int, layer: Digest, size: int) -> bytes:
    manifest = Manifest(
        config=Descriptor(PLUGIN_CONFIG_TYPE, str(config), config_size),
        layers=(Descriptor(DOCKER_LAYER_TYPE, str(layer), size),),
        media_type=DOCKER_MANIFEST_TYPE,
    )
    return encode(manifest)
