"""The builder that is not there yet: nothing can be built, nothing is kept."""

from boxship.base.errors import NotImplementedYetError
from boxship.engine.build.clientside import ClientSide
from boxship.engine.build.progress import Tell
from boxship.engine.build.requests import (
    BuildRecord,
    BuildRequest,
    BuildResult,
    CacheEntry,
    Pruned,
    PruneRequest,
)


class NoBuilds:
    """See ``boxship.engine.build.service.Builder``."""

    async def build(self, request: BuildRequest, client: ClientSide, tell: Tell) -> BuildResult:
        raise NotImplementedYetError("builds are not implemented in this version of Boxship")

    async def cancel(self, reference: str) -> None:
        """There is none to end."""

    async def prune(self, request: PruneRequest) -> Pruned:
        return Pruned()

    async def usage(self) -> list[CacheEntry]:
        return []

    async def history(self) -> list[BuildRecord]:
        return []

    async def forget(self, reference: str) -> None:
        """There is none to forget."""
