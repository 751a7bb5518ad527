"""Plugins from a registry and to one.

::

    name ─► manifest ─► configuration ─► what it asks for is checked ─► layers ─► tree
            vnd.docker.distribution.manifest.v2, or OCI's, whose config is a
            vnd.docker.plugin.v1+json

Blocking; runs in a thread.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from boxship.base.errors import InvalidArgumentError, NotFoundError
from boxship.distribution.cancel import Cancel
from boxship.distribution.errors import BadRegistryAnswerError, RegistryNotFoundError
from boxship.distribution.repository import Repository
from boxship.engine.managed.packages import Packages, Packed, checked, storing
from boxship.engine.managed.privileges import Privilege, check_granted
from boxship.engine.managed.record import PluginRecord
from boxship.model.image import (
    LayerTransfer,
    TransferBegun,
    TransferDigest,
    TransferEvent,
    TransferPhase,
)
from boxship.oci.digest import Digest
from boxship.oci.image import (
    DOCKER_MANIFEST_TYPE,
    MANIFEST_TYPES,
    Descriptor,
    MalformedImageError,
    Manifest,
    decode,
)
from boxship.oci.plugin import PLUGIN_CONFIG_TYPE, PluginConfig
from boxship.oci.reference import Reference
from boxship.storage.chunks import Buffer

Tell = Callable[[TransferEvent], None]

_LARGEST_CONFIG = 8 << 20


class RemotePlugin:
    """A plugin in a registry: its documents, believed only as far as they agree."""

    def __init__(self, repository: Repository, name: Reference, cancel: Cancel) -> None:
        """Fetch the documents.

        NotFoundError: there is none of the name; InvalidArgumentError: it is no plugin; the errors
        of ``distribution.errors``.
        """
        self._repository = repository
        self._cancel = cancel
        try:
            found = repository.manifest(name.tag, cancel)
        except RegistryNotFoundError as error:
            raise NotFoundError(f"plugin {name.familiar} not found: {error.told}") from error
        if found.media_type not in MANIFEST_TYPES:
            raise _no_plugin(name, found.media_type)
        self.digest, self.document = found.digest, found.data
        manifest = _decoded(found.data, name)
        if manifest.config.media_type != PLUGIN_CONFIG_TYPE:
            raise _no_plugin(name, manifest.config.media_type)
        self.layers = manifest.layers or ()
        self.config_document = self._config(manifest.config, name)
        self.config: PluginConfig = checked(self.config_document)

    def _config(self, descriptor: Descriptor, name: Reference) -> bytes:
        if descriptor.size > _LARGEST_CONFIG:
            raise BadRegistryAnswerError(f"the configuration of {name.familiar} is too large")
        pieces = self._repository.blob(descriptor, self._cancel)
        return b"".join(bytes(piece) for piece in pieces)

    def take(self, packages: Packages, process_id: str, tell: Tell) -> Packed:
        """Fetch the layers and make the tree. Errors as of a pull of an image."""
        storage = packages.storage
        with storing(), storage.layers.lease() as lease:
            planted = []
            for descriptor in self.layers:
                # Docker writes digests of blobs where diff ids belong, so they are not compared;
                # the blob's own digest, which the manifest has, is.
                layer = storage.layers.unpack(self._layer(packages, descriptor, tell), lease)
                planted.append(layer.digest)
                tell(LayerTransfer(descriptor.digest, TransferPhase.PULLED))
            config = storage.blobs.add(self.config_document)
            manifest = storage.blobs.add(self.document)
            packages.plant(process_id, planted)
        blobs = (config, *(Digest.parse(layer.digest) for layer in self.layers))
        return Packed(self.config, manifest, blobs)

    def _layer(self, packages: Packages, descriptor: Descriptor, tell: Tell) -> Iterator[Buffer]:
        digest, blobs = Digest.parse(descriptor.digest), packages.storage.blobs
        if blobs.verify(digest):
            tell(LayerTransfer(descriptor.digest, TransferPhase.PRESENT))
            yield from blobs.chunks(digest)
            return
        current = 0
        for piece in blobs.kept(self._repository.blob(descriptor, self._cancel), digest):
            current += len(piece)
            tell(
                LayerTransfer(
                    descriptor.digest, TransferPhase.DOWNLOADING, current, descriptor.size
                )
            )
            yield piece


def pull(
    repository: Repository,
    name: Reference,
    granted: Sequence[Privilege],
    tell: Tell,
    cancel: Cancel,
) -> RemotePlugin:
    """Find a plugin that is to be pulled, whose wishes somebody has agreed to.

    ForbiddenError: nobody has; other errors as of :class:`RemotePlugin`.
    """
    remote = RemotePlugin(repository, name, cancel)
    tell(TransferBegun(name.familiar_name, name.tag))
    tell(TransferDigest(str(remote.digest)))
    check_granted(remote.config, granted)
    return remote


def push(
    repository: Repository, record: PluginRecord, packages: Packages, tell: Tell, cancel: Cancel
) -> None:
    """Send a plugin's blobs that are missing there, then its manifest."""
    blobs = packages.storage.blobs
    document = blobs.read(Digest.parse(record.manifest))
    for text in record.blobs:
        tell(LayerTransfer(text, TransferPhase.PREPARING))
    for text in reversed(record.blobs):  # the configuration last, as images do
        digest = Digest.parse(text)
        if repository.has_blob(digest, cancel) is not None:
            tell(LayerTransfer(text, TransferPhase.PRESENT_THERE))
            continue
        size = blobs.size(digest)
        repository.upload(
            _told(blobs.chunks(digest), text, size, tell), cancel, digest=digest, size=size
        )
        tell(LayerTransfer(text, TransferPhase.PUSHED))
    kind = decode(document, Manifest).media_type or DOCKER_MANIFEST_TYPE
    tag = record.reference.rpartition(":")[2]
    digest = repository.put_manifest(tag, kind, document, cancel)
    tell(TransferDigest(str(digest), tag, len(document)))


def _told(chunks: Iterable[bytes], blob: str, size: int, tell: Tell) -> Iterator[bytes]:
    current = 0
    for chunk in chunks:
        current += len(chunk)
        tell(LayerTransfer(blob, TransferPhase.PUSHING, current, size))
        yield chunk


def _decoded(data: bytes, name: Reference) -> Manifest:
    try:
        return decode(data, Manifest)
    except MalformedImageError as error:
        raise BadRegistryAnswerError(f"{name.familiar}: {error}") from error


def _no_plugin(name: Reference, media_type: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"{name.familiar} is no plugin: it is a {media_type}")
