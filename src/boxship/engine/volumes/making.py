"""Make volumes: names, directories, records; the record is the commit point."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from boxship.base.clock import Clock
from boxship.base.errors import BoxshipError, ConflictError, UnavailableError
from boxship.base.ids import new_id
from boxship.engine.volumes import wishes
from boxship.engine.volumes.record import ANONYMOUS_LABEL, LOCAL, VolumeRecord
from boxship.engine.volumes.requests import CreateVolume
from boxship.engine.volumes.shelf import VolumeShelf
from boxship.storage.volumes import VolumeStore


class Making:
    """Of one engine; whoever calls it sees to it that one is made at a time."""

    def __init__(
        self,
        shelf: VolumeShelf,
        store: VolumeStore,
        clock: Clock,
        say: Callable[[VolumeRecord], None],
    ) -> None:
        self._shelf = shelf
        self._store = store
        self._clock = clock
        self._say = say
        self._being_made: set[str] = set()
        """Names of volumes whose files are on their way."""

    async def find_or_make(self, request: CreateVolume) -> tuple[VolumeRecord, bool]:
        """Return a volume, and whether it is new. Errors as of :meth:`Volumes.create`."""
        name = request.name
        if name and (found := self._shelf.named(name)) is not None:
            wishes.check_same_driver(name, request.driver, found.driver)
            return found, False
        if request.driver not in ("", LOCAL):
            return await self.make(request), True  # what may be its plugin has said already
        if name:
            self.check_free(name)
        if request.options:
            wishes.check_options(name, request.options, limits_size=self._store.limits_size)
        return await self.make(request), True

    def check_free(self, name: str) -> None:
        """InvalidArgumentError: it cannot be a name; ConflictError: it is another's."""
        wishes.check_name(name)
        if name in self._being_made or self._shelf.named(name) is not None:
            raise ConflictError(f"the volume name {name} is already in use: choose another one")

    @contextmanager
    def reserved(self, name: str) -> Iterator[None]:
        """Claim a name while files are gathered for its volume. Errors as of :meth:`create`."""
        if name:
            self.check_free(name)
        self._being_made.add(name)
        try:
            yield
        finally:
            self._being_made.discard(name)

    async def make(self, request: CreateVolume, place: str = "") -> VolumeRecord:
        """Make one, of a staged ``place`` if one is given. UnavailableError: the disk refuses."""
        identity = new_id()
        labels = dict(request.labels) if request.labels else None
        if not request.name or request.anonymous:
            labels = {**(labels or {}), ANONYMOUS_LABEL: ""}
        record = VolumeRecord(
            id=identity,
            name=request.name or identity,
            created_ns=request.created_ns or self._clock.now_ns(),
            driver=request.driver or LOCAL,
            labels=labels,
            options=None if request.options is None else dict(request.options),
            read_only=request.read_only,
            origin=request.origin,
            taken_from=request.taken_from,
        )
        try:
            if place:
                await asyncio.to_thread(self._store.settle, place, identity)
            else:
                size = 0 if record.remote else wishes.size_of(record.name, record.options or {})
                self._store.make(identity, size)
            await self._shelf.add(record)
        except OSError as error:
            raise UnavailableError(f"create {record.name}: {error}") from error
        except BoxshipError:
            self._store.remove(identity)
            raise
        self._say(record)
        return record
