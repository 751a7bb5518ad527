"""All registries, seen from one daemon or one command."""

from dataclasses import dataclass

import urllib3

from boxship.base.errors import NotImplementedYetError
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import ANONYMOUS, Credentials
from boxship.distribution.repository import Repository
from boxship.distribution.settings import RegistrySettings
from boxship.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class LoginOutcome:
    """``status`` is for the user; ``identity_token`` replaces the password where it isn't empty."""

    status: str
    identity_token: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A repository that a search found."""

    name: str
    description: str = ""
    stars: int = 0
    official: bool = False
    automated: bool = False


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """``None`` stands for any."""

    official: bool | None = None
    automated: bool | None = None
    stars: int = 0


class Registries:
    """Connections, tokens and endpoints; one per daemon or command, used by many threads."""

    def __init__(self, settings: RegistrySettings, user_agent: str) -> None:
        self._settings = settings
        self._pools = urllib3.PoolManager(headers={"User-Agent": user_agent})

    def repository(self, name: Reference, credentials: Credentials | None = None) -> Repository:
        """Return the repository of a reference; its tag and digest aren't looked at."""
        return Repository(name)

    def login(
        self, server: str, credentials: Credentials, cancel: Cancel | None = None
    ) -> LoginOutcome:
        """Check credentials. ``server`` is a host, a URL or empty for Docker Hub."""
        raise NotImplementedYetError

    def search(
        self,
        term: str,
        credentials: Credentials = ANONYMOUS,
        limit: int = 25,
        filters: SearchFilters | None = None,
    ) -> tuple[SearchResult, ...]:
        """Search Docker Hub, or the registry that ``term`` begins with."""
        raise NotImplementedYetError

    def close(self) -> None:
        """Close what is idle; transfers that run are not ended by it."""
        self._pools.clear()
