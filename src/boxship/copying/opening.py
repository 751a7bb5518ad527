"""From places as written to places that can be read and written."""

from collections.abc import Callable
from dataclasses import dataclass

from boxship.client.endpoint import SshEndpoint
from boxship.client.engine import EngineClient
from boxship.copying.archives import ArchiveDestination, ArchiveSource, open_archive
from boxship.copying.content import Source, Told
from boxship.copying.engines import EngineDestination, engine_source
from boxship.copying.layouts import LayoutDestination, LayoutSource
from boxship.copying.places import ArchivePlace, EnginePlace, LayoutPlace, Place, RegistryPlace
from boxship.copying.remotes import RegistryDestination, RegistrySource
from boxship.copying.transfer import Destination
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.registries import Registries
from boxship.distribution.repository import Repository
from boxship.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class Doors:
    """How to get at engines and registries."""

    engine: Callable[[SshEndpoint | None], EngineClient]
    """A new client, of the usual engine or the one on a host."""
    registries: Registries
    credentials: Callable[[Reference], Credentials | None]

    def repository(self, name: Reference) -> Repository:
        return self.registries.repository(name, self.credentials(name))


@dataclass(frozen=True, slots=True)
class Ends:
    """Where from and where to."""

    of: Place
    to: Place
    doors: Doors

    def source(self, scratch: str, told: Told, cancel: Cancel) -> Source:
        place = self.of
        if isinstance(place, RegistryPlace):
            return RegistrySource(self.doors.repository(place.name), place.name, cancel)
        if isinstance(place, LayoutPlace):
            return LayoutSource(place)
        if isinstance(place, ArchivePlace):
            return ArchiveSource(open_archive(place.path, scratch), place.name, place.path)
        return engine_source(self.doors.engine(place.host), place.name, scratch, told)

    def destination(self, scratch: str) -> Destination:
        place = self.to
        if isinstance(place, RegistryPlace):
            return RegistryDestination(self.doors.repository(place.name), place.name, scratch)
        if isinstance(place, LayoutPlace):
            return LayoutDestination(place)
        if isinstance(place, ArchivePlace):
            return ArchiveDestination(place)
        assert isinstance(place, EnginePlace)
        return EngineDestination(self.doors.engine(place.host), place.name)
