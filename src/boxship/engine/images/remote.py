"""What registries are asked for without an image coming or going: logins, searches, a look."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import ANONYMOUS, Credentials
from boxship.distribution.login import LoginOutcome
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.distribution.search import SearchFilters, SearchResult
from boxship.engine.images.bridge import in_thread, stoppable
from boxship.oci.digest import Digest
from boxship.oci.image import (
    INDEX_TYPES,
    Descriptor,
    Image,
    Index,
    MalformedImageError,
    Manifest,
    PlatformDocument,
    decode,
)
from boxship.oci.reference import InvalidReferenceError, parse

_LONGEST_CONFIG = 8 << 20


@dataclass(frozen=True, slots=True)
class RemoteImage:
    """What a registry has under a name."""

    descriptor: Descriptor
    platforms: tuple[PlatformDocument, ...]


class RemoteRegistries:
    """The registries beyond this machine. ``registries`` gives those of the current settings."""

    def __init__(self, registries: Callable[[], Registries]) -> None:
        self._registries = registries

    async def login(self, server: str, credentials: Credentials) -> LoginOutcome:
        """Check credentials. Raise RegistryUnauthorizedError if they are wrong."""
        cancel = Cancel()
        registries = self._registries()
        return await stoppable(lambda: registries.login(server, credentials, cancel), cancel.cancel)

    async def search(
        self, term: str, credentials: Credentials | None, limit: int, filters: SearchFilters
    ) -> tuple[SearchResult, ...]:
        """Search Docker Hub, or the registry that ``term`` begins with."""
        cancel = Cancel()
        registries = self._registries()
        return await stoppable(
            lambda: registries.search(term, credentials or ANONYMOUS, limit, filters, cancel),
            cancel.cancel,
        )

    async def inspect(self, name: str, credentials: Credentials | None) -> RemoteImage:
        """Look at an image without pulling it."""
        try:
            reference = parse(name).with_default_tag()
        except InvalidReferenceError as error:
            raise InvalidArgumentError(str(error)) from error
        cancel = Cancel()
        find = partial(self._registries().repository, reference, credentials)
        repository = await in_thread(find)
        target = reference.digest or reference.tag
        return await stoppable(lambda: look(repository, target, cancel), cancel.cancel)


def look(repository: Repository, target: str | Digest, cancel: Cancel) -> RemoteImage:
    """Fetch what tells the platforms: the index, or manifest and config. Blocking."""
    found = repository.manifest(target, cancel)
    descriptor = Descriptor(
        media_type=found.media_type, digest=str(found.digest), size=len(found.data)
    )
    try:
        if found.media_type in INDEX_TYPES:
            listed = decode(found.data, Index).manifests or ()
            platforms = tuple(entry.platform for entry in listed if entry.platform is not None)
            return RemoteImage(descriptor, platforms)
        image = _config(repository, decode(found.data, Manifest).config, cancel)
    except MalformedImageError as error:
        raise InvalidArgumentError(f"{repository.name.familiar}: {error}") from error
    made_for = PlatformDocument(image.architecture, image.os, image.variant)
    return RemoteImage(descriptor, (made_for,))


def _config(repository: Repository, descriptor: Descriptor, cancel: Cancel) -> Image:
    if descriptor.size > _LONGEST_CONFIG:
        raise MalformedImageError(f"a config of {descriptor.size} bytes is too large")
    return decode(b"".join(repository.blob(descriptor, cancel)), Image)
