"""Builds: one use case per method. The doors call this on the event loop."""

from typing import Protocol

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


class Builder(Protocol):
    """What doors build with: :class:`Builds`, or a fake in their tests."""

    async def build(self, request: BuildRequest, client: ClientSide, tell: Tell) -> BuildResult:
        """Build; cancelling the task ends its steps and leaves nothing of them.

        Raise InvalidDockerfileError, StepFailedError, InvalidArgumentError (the request),
        NotFoundError (a base image, a file, a stage).
        """
        ...

    async def cancel(self, reference: str) -> None:
        """End the build of that name; one that is not there is fine."""
        ...

    async def prune(self, request: PruneRequest) -> Pruned:
        """Let parts of the cache go. InvalidArgumentError: a filter nobody knows."""
        ...

    async def usage(self) -> list[CacheEntry]:
        """List the cache, most recently used first."""
        ...

    async def history(self) -> list[BuildRecord]:
        """List builds, running and ended, newest first."""
        ...

    async def forget(self, reference: str) -> None:
        """Take a build out of the history. NotFoundError."""
        ...
