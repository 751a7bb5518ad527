"""All registries, seen from one daemon or one command."""

from boxship.distribution import login, search
from boxship.distribution.authorization import Authorizer
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import ANONYMOUS, Credentials
from boxship.distribution.endpoints import Endpoint, Endpoints
from boxship.distribution.login import LoginOutcome
from boxship.distribution.repository import Repository
from boxship.distribution.search import SearchFilters, SearchResult
from boxship.distribution.session import Session
from boxship.distribution.settings import RegistrySettings
from boxship.distribution.sources import PlainHosts, Sources
from boxship.distribution.transport import Transport
from boxship.oci.reference import Reference


class Registries:
    """Connections, tokens and endpoints; one per daemon or command, used by many threads."""

    def __init__(self, settings: RegistrySettings, user_agent: str) -> None:
        self._settings = settings
        self._endpoints = Endpoints(settings)
        self._transport = Transport(settings, user_agent, self._endpoints.tls_of)
        self._authorizer = Authorizer(self._transport, self._endpoints.tls_of)
        self._plain = PlainHosts()

    def is_insecure(self, name: Reference) -> bool:
        """Tell whether the settings let a name's registry do without certificates."""
        return self._endpoints.is_insecure(name.domain)

    def repository(self, name: Reference, credentials: Credentials | None = None) -> Repository:
        """Return the repository of a reference; its tag and digest aren't looked at.

        It blocks while the registry's name is resolved, to see whether that is an insecure one.
        """
        sessions = tuple(
            self._session(endpoint, credentials or ANONYMOUS)
            for endpoint in self._endpoints.of(name.domain)
        )
        return Repository(name, Sources(sessions, self._plain), self._settings.retries)

    def login(
        self, server: str, credentials: Credentials, cancel: Cancel | None = None
    ) -> LoginOutcome:
        """Check credentials. ``server`` is a host, a URL or empty for Docker Hub."""
        host = login.registry_host(server)
        return login.log_in(
            self._transport, self._authorizer, self._endpoints.direct(host), credentials, cancel
        )

    def search(
        self,
        term: str,
        credentials: Credentials = ANONYMOUS,
        limit: int = 25,
        filters: SearchFilters | None = None,
        cancel: Cancel | None = None,
    ) -> tuple[SearchResult, ...]:
        """Search Docker Hub, or the registry that ``term`` begins with."""
        asked = search.parse(term)
        endpoints = self._endpoints.direct(asked.host)
        return search.search(
            self._transport,
            endpoints,
            asked,
            credentials,
            limit=limit,
            filters=filters or SearchFilters(),
            cancel=cancel,
        )

    def close(self) -> None:
        """Close what is idle; transfers that run are not ended by it."""
        self._transport.close()

    def _session(self, endpoint: Endpoint, credentials: Credentials) -> Session:
        return Session(self._transport, self._authorizer, endpoint, credentials)
