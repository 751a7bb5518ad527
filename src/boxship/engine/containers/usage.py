"""What containers stand on: their side of images', volumes' and the check's view of them."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain

from boxship.base.errors import NotFoundError
from boxship.engine.containers import restoring, volumes
from boxship.engine.containers.live import locked
from boxship.engine.containers.record import ContainerRecord
from boxship.engine.containers.shelf import Shelf
from boxship.engine.images.users import ImageUse
from boxship.engine.records.trash import TrashBin
from boxship.model.event import EventType
from boxship.oci.digest import Digest


class Usage:
    """Both :class:`boxship.engine.images.users.ImageUsers` and
    :class:`boxship.engine.volumes.users.VolumeUsers`. Called from the event loop.
    """

    def __init__(self, shelf: Shelf, trash: TrashBin) -> None:
        self._shelf = shelf
        self._trash = trash

    def image_uses(self) -> Iterable[ImageUse]:
        """Return every container's image, and those that it has mounted."""
        return tuple(use for container in self._shelf for use in _uses(container.record))

    def ids(self) -> Iterable[str]:
        """Return the ids of all containers, those in the trash among them."""
        removed = (item.id for item in self._trash.of(EventType.CONTAINER))
        return (*(container.id for container in self._shelf), *removed)

    def standing_on(self, layer: Digest) -> Iterable[str]:
        """Return the names of the containers that have this layer under them."""
        records = chain((c.record for c in self._shelf), restoring.records(self._trash))
        return tuple(record.name for record in records if str(layer) in _layers(record))

    def layers_in_use(self, without: Collection[str] = ()) -> Iterable[Digest]:
        """Return the layers under the containers, but those ``without``; with the trash's."""
        records = (container.record for container in self._shelf if container.id not in without)
        every = chain(records, restoring.records(self._trash))
        texts = {layer for record in every for layer in _layers(record)}
        return tuple(Digest.parse(text) for text in texts)

    def volume_users(self) -> Mapping[str, tuple[str, ...]]:
        """Return the containers of each volume, but those that it is being removed with."""
        found: dict[str, tuple[str, ...]] = {}
        for container in self._shelf:
            for volume_id in volumes.staying(container.record):
                found[volume_id] = (*found.get(volume_id, ()), container.id)
        return found

    async def volume_renamed(self, volume_id: str, old: str, new: str) -> None:
        """Have the records of a volume's containers say its new name.

        A disk that refuses them is not waited for: the next daemon catches up (``volumes.py``).
        """
        for container in self._shelf:
            if volume_id not in volumes.ids(container.record):
                continue
            with suppress(NotFoundError):  # removed meanwhile
                async with locked(container):
                    record = volumes.renamed(container.record, volume_id, old, new)
                    self._shelf.save(container, record, "")

    def live_volumes(self) -> frozenset[str]:
        """Return the volumes of containers that have processes."""
        alive = (c.record for c in self._shelf if c.record.state.alive)
        return frozenset(volume_id for record in alive for volume_id in volumes.ids(record))


def _uses(record: ContainerRecord) -> Iterator[ImageUse]:
    running = record.state.running
    yield ImageUse(record.id, record.image_id, running, record.image_ref)
    for point in record.mounts:
        if point.image_id:
            yield ImageUse(record.id, point.image_id, running, point.source)


def _layers(record: ContainerRecord) -> Iterator[str]:
    yield from record.layers
    for point in record.mounts:
        yield from point.layers
