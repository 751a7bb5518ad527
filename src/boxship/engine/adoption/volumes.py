"""Volumes: their files are copied, or moved, from a directory on this machine. ::

    copy    place staged → files copied → on the disk → volume → record
    move    empty volume → record, which says where its files are → files renamed

So a copy that breaks off leaves nothing, and a move that does has its files either there or here,
and a record that tells whoever asks again. Across file systems a move is a copy, and the files go
from there when the volume has them for good.
"""

import errno
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial

from boxship.base.errors import ConflictError, InvalidArgumentError, NotFoundError, UnavailableError
from boxship.engine.housekeeping.volumecopies import Copied, Progress, staged
from boxship.engine.images.bridge import stoppable, telling, to_the_end
from boxship.engine.volumes import wishes
from boxship.engine.volumes.requests import CreateVolume, VolumeView
from boxship.engine.volumes.service import Volumes
from boxship.model.adoption import Adopted, AdoptedVolume
from boxship.storage.deleting import delete_tree
from boxship.storage.stack import tree_size
from boxship.storage.storage import Storage

VolumeEvent = Copied | Adopted
"""The last one says what came of it."""
_Tell = Callable[[VolumeEvent], None]


def adopt(
    volumes: Volumes, storage: Storage, wanted: AdoptedVolume
) -> AsyncGenerator[VolumeEvent, None]:
    """See :meth:`Adoption.volume`."""
    work = _Work(volumes, storage, wanted)
    return telling(work.run)


@dataclass(frozen=True, slots=True)
class _Work:
    volumes: Volumes
    storage: Storage
    wanted: AdoptedVolume

    async def run(self, tell: _Tell) -> None:
        wanted = self.wanted
        _check(wanted)
        wishes.check_options(
            wanted.name, wanted.options or {}, limits_size=self.storage.volumes.limits_size
        )
        if (there := self._there()) is not None:
            if not (self._was_not_moved(there) and await self._moved_in(there)):
                tell(Adopted(wanted.name, already=True))
                return
        elif wanted.files:
            _check_there(wanted)
            if not wanted.move or not await self._moved():
                await self._copy(tell)
                if wanted.move:
                    await to_the_end(stoppable(partial(delete_tree, wanted.path), lambda: None))
        else:
            await self.volumes.create(self._request)
        tell(Adopted(wanted.name))

    @property
    def _request(self) -> CreateVolume:
        wanted = self.wanted
        return CreateVolume(
            wanted.name,
            labels=wanted.labels,
            options=wanted.options,
            taken_from=wanted.path,
            created_ns=wanted.created_ns,
        )

    def _there(self) -> VolumeView | None:
        """Return the volume if it has been taken over before. ConflictError: another has it."""
        try:
            view = self.volumes.inspect(self.wanted.name)
        except NotFoundError:
            return None
        if view.record.taken_from != self.wanted.path:
            raise ConflictError(
                f"there is a volume {view.record.name} already, which does not come from there: "
                "rename it (volume rename), or remove it"
            )
        return view

    def _was_not_moved(self, view: VolumeView) -> bool:
        """Tell whether the move of a volume's files broke off before it happened."""
        wanted = self.wanted
        if not (wanted.move and wanted.files and os.path.isdir(wanted.path)):
            return False
        return self.storage.volumes.is_empty(view.record.id)

    async def _moved(self) -> bool:
        """Move the files; False: they are on another file system."""
        if os.stat(self.wanted.path).st_dev != os.stat(self.storage.root.path).st_dev:
            return False
        return await self._moved_in(await self.volumes.create(self._request))

    async def _moved_in(self, view: VolumeView) -> bool:
        move = partial(self.storage.volumes.move_in, self.wanted.path, view.record.id)
        try:
            await to_the_end(stoppable(move, lambda: None))
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise UnavailableError(f"cannot move volume {self.wanted.name}: {error}") from error
        return True

    async def _copy(self, tell: _Tell) -> None:
        wanted, store = self.wanted, self.storage.volumes
        progress = Progress(tell)

        def work(place: str) -> None:
            progress.total = tree_size(wanted.path)
            store.copy_from(wanted.path, place, progress.add)

        with self.volumes.reserved(wanted.name):
            async with staged(store) as place:
                try:
                    await stoppable(partial(work, place), progress.stop)
                except OSError as error:
                    raise UnavailableError(f"cannot copy volume {wanted.name}: {error}") from error
                await to_the_end(self.volumes.admit(self._request, place))


def _check(wanted: AdoptedVolume) -> None:
    wishes.check_name(wanted.name)
    if not os.path.isabs(wanted.path):
        raise InvalidArgumentError(f"{wanted.path}: the path of a volume's files is absolute")
    if not wanted.files:
        return
    if wishes.is_mounted(wanted.options or {}):
        raise InvalidArgumentError(
            f"volume {wanted.name} has what its options mount, and no files of its own"
        )


def _check_there(wanted: AdoptedVolume) -> None:
    if not os.path.isdir(wanted.path):
        raise NotFoundError(f"volume {wanted.name}: there is no directory {wanted.path} here")
