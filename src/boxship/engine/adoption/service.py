"""What may be asked of an engine that takes objects over."""

from collections.abc import AsyncGenerator, AsyncIterator

from boxship.engine.adoption import containers, networks, volumes
from boxship.engine.adoption.volumes import VolumeEvent
from boxship.engine.containers.context import Context
from boxship.model.adoption import Adopted, AdoptedNetwork, AdoptedVolume
from boxship.model.requester import Requester
from boxship.storage.storage import Storage


class Adoption:
    """Takes objects over for one engine. Belongs to the event loop."""

    def __init__(self, context: Context, storage: Storage) -> None:
        self._context = context
        self._storage = storage

    async def network(self, wanted: AdoptedNetwork) -> Adopted:
        """Make a network with its id and its subnets.

        ConflictError: its name is another's; others as of :meth:`Networks.create`.
        """
        return await networks.adopt(self._context.networks, wanted)

    def volume(self, wanted: AdoptedVolume) -> AsyncGenerator[VolumeEvent, None]:
        """Make a volume of files that are on this machine, telling how it goes.

        ConflictError: its name is another's; NotFoundError: the files are not there;
        InvalidArgumentError: its name or its options cannot be; UnavailableError: the disk.
        """
        return volumes.adopt(self._context.volumes, self._storage, wanted)

    async def container(self, archive: AsyncIterator[bytes], by: Requester) -> Adopted:
        """Make a container of an archive as ``model/adoption.py`` describes it.

        NotFoundError: its image or a volume of it is not here; ConflictError: its name is
        another's; InvalidArgumentError: what it asks for cannot be; UnavailableError: the disk.
        """
        return await containers.adopt(self._context, self._storage, archive, by)
