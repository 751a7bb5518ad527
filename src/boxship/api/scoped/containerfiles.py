"""Files of a scope's containers. An image can't be made of them: its name would be everybody's."""

from collections.abc import AsyncIterator, Sequence

from boxship.api.containercalls import ContainerFiles
from boxship.api.http.messages import Chunk
from boxship.api.scoped.containers import LimitedContainers
from boxship.api.scoped.denial import Denial
from boxship.engine.access.scope import Scope
from boxship.engine.containers.requests import PathStat
from boxship.model.filechange import FileChange


class LimitedContainerFiles(Denial):
    """See ``boxship.api.containercalls.ContainerFiles``; what is missing here is refused."""

    def __init__(self, scope: Scope, inner: ContainerFiles, containers: LimitedContainers) -> None:
        super().__init__(scope)
        self._inner, self._containers = inner, containers

    async def changes(self, reference: str) -> Sequence[FileChange]:
        return await self._inner.changes(self._containers.get(reference).id)

    def export(self, reference: str) -> AsyncIterator[Chunk]:
        return self._inner.export(self._containers.get(reference).id)

    async def look(self, reference: str, path: str) -> PathStat:
        return await self._inner.look(self._containers.get(reference).id, path)

    def read(self, reference: str, path: str) -> AsyncIterator[Chunk]:
        return self._inner.read(self._containers.get(reference).id, path)

    async def write(
        self,
        reference: str,
        path: str,
        archive: AsyncIterator[bytes],
        *,
        keep_kinds: bool = False,
        own: bool = False,
    ) -> None:
        found = self._containers.get(reference).id
        await self._inner.write(found, path, archive, keep_kinds=keep_kinds, own=own)
