"""What the client of a build offers while it runs: its files, its secrets, its agent.

A door makes one of these: over a BuildKit session, or with little in it (the classic door, whose
context is a directory of the daemon by then). Calls raise UnavailableError once the client is gone.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from boxship.base.errors import NotFoundError
from boxship.distribution.credentials import Credentials


@dataclass(frozen=True, slots=True)
class Selection:
    """Which part of a client's directory is wanted; patterns as in ``.dockerignore``.

    ``follow`` are paths or patterns that are resolved through links at the client, and what they
    lead to is selected as well.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    follow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Synced:
    """What a sync has done. ``changed`` are the paths that differed or are gone; None: unknown."""

    changed: frozenset[str] | None = None


class SshConnection(Protocol):
    """A connection to the client's agent: bytes both ways."""

    async def read(self) -> bytes:
        """Return what came; empty at the end."""
        ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class SshAgent(Protocol):
    """A client's agent; each connection to the step's socket opens one here."""

    async def connect(self) -> SshConnection: ...


class ClientSide(Protocol):
    """All calls may be made side by side."""

    @property
    def identity(self) -> str:
        """What tells this client's directories from others' between builds (BuildKit's shared key);
        empty: nothing is kept."""
        ...

    async def sync(
        self,
        name: str,
        selection: Selection,
        target: str,
        transferred: Callable[[int], None] | None = None,
    ) -> Synced:
        """Make the directory ``target`` equal to what is selected of the client's ``name``.

        ``target`` may have an earlier state in it: only what changed travels, and what is there no
        more is removed. Owners become root's, times and modes are the client's. ``transferred``
        hears how many bytes of contents have come so far. What helps to tell sooner that nothing
        has changed may be kept beside ``target``, by its name with a suffix. NotFoundError: the
        client has no such directory.
        """
        ...

    async def secret(self, identifier: str) -> bytes | None:
        """Return a secret; None if the client has none of that name."""
        ...

    async def ssh(self, identifier: str) -> SshAgent | None:
        """Return the agent of that name (``default``); None if the client forwards none."""
        ...

    async def credentials(self, host: str) -> Credentials | None:
        """Return what the client logs in with at a registry; None: nothing."""
        ...

    async def send_file(self, chunks: AsyncIterator[bytes], metadata: Mapping[str, str]) -> None:
        """Give the client one file (a tar). ``metadata`` says which of its outputs it is."""
        ...

    async def send_directory(self, directory: str, metadata: Mapping[str, str]) -> None:
        """Give the client the content of a directory of ours."""
        ...


class NoClient:
    """A client that offers nothing."""

    identity = ""

    async def sync(
        self,
        name: str,
        selection: Selection,
        target: str,
        transferred: Callable[[int], None] | None = None,
    ) -> Synced:
        raise NotFoundError(f"the client has no directory {name}")

    async def secret(self, identifier: str) -> bytes | None:
        return None

    async def ssh(self, identifier: str) -> SshAgent | None:
        return None

    async def credentials(self, host: str) -> Credentials | None:
        return None

    async def send_file(self, chunks: AsyncIterator[bytes], metadata: Mapping[str, str]) -> None:
        raise NotFoundError("the client takes no files")

    async def send_directory(self, directory: str, metadata: Mapping[str, str]) -> None:
        raise NotFoundError("the client takes no directories")
