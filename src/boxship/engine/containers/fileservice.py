"""The use cases of containers' files, as the API calls them; see ``service.py`` for references."""

from collections.abc import AsyncIterator, Sequence

from boxship.engine.containers import commit, copying, files
from boxship.engine.containers.context import Context
from boxship.engine.containers.requests import CommitRequest, PathStat
from boxship.engine.measures import timed
from boxship.model.filechange import FileChange
from boxship.oci.digest import Digest
from boxship.storage.chunks import Buffer


class ContainerFiles:
    """The files of all containers of one engine."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._finish = context.background.finish  # a client that hangs up interrupts nothing

    async def changes(self, reference: str) -> Sequence[FileChange]:
        """Return what it has changed in its image's files, by path."""
        with timed(self._context.measures.container_actions, "changes"):
            return await files.changes(self._context, self._context.shelf.find(reference))

    def export(self, reference: str) -> AsyncIterator[Buffer]:
        """Write all files that it sees as a tar, but what is mounted there.

        Found and checked at once (ConflictError: it is being removed); close the iterator when the
        client has gone. NotFoundError from the iteration: it was removed meanwhile.
        """
        return files.export(self._context, self._context.shelf.find(reference))

    async def commit(self, reference: str, request: CommitRequest) -> Digest:
        """Make an image of what it is now; return its id.

        InvalidArgumentError: a bad name or change; NotFoundError: its image has been removed, or
        itself meanwhile; ConflictError: it is being removed; UnavailableError: the disk is full.
        """
        found = self._context.shelf.find(reference)
        with timed(self._context.measures.container_actions, "commit"):
            return await self._finish(commit.commit(self._context, found, request))

    async def look(self, reference: str, path: str) -> PathStat:
        """Return what is at one of its paths. NotFoundError: nothing."""
        return await copying.look(self._context, self._context.shelf.find(reference), path)

    def read(self, reference: str, path: str) -> AsyncIterator[Buffer]:
        """Write what is at one of its paths as a tar; close the iterator if it is not exhausted."""
        return copying.read(self._context, self._context.shelf.find(reference), path)

    async def write(
        self,
        reference: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool = False,
        own: bool = False,
    ) -> None:
        """Unpack an archive, plain or compressed, in one of its directories.

        ``keep_kinds``: no directory replaces a file nor the other way round; ``own``: all of it is
        its user's. InvalidArgumentError: a broken archive, or no directory; ForbiddenError: the
        place is read-only.
        """
        found = self._context.shelf.find(reference)
        await copying.write(self._context, found, path, archive, keep_kinds=keep_kinds, own=own)
