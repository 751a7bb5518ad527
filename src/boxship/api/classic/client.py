"""What a client of the classic door offers: its logins, and nothing that would need a session."""

import base64
import binascii
from collections.abc import Mapping

from boxship.distribution.credentials import Credentials
from boxship.engine.build.clientside import NoClient
from boxship.wire.builds import RegistryLogin

_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})


class ClassicClient(NoClient):
    """Knows what ``X-Registry-Config`` says, by registry."""

    def __init__(self, logins: Mapping[str, RegistryLogin]) -> None:
        self._credentials = {
            _host(server): _credentials(server, login) for server, login in logins.items()
        }

    async def credentials(self, host: str) -> Credentials | None:
        found = self._credentials.get(_host(host))
        return found if found is not None and found.given else None


def _host(server: str) -> str:
    """Return the registry of a key: with or without scheme and path; the Hub has several names."""
    host = server.partition("://")[2] or server
    host = host.partition("/")[0]
    return "docker.io" if host in _HUB else host


def _credentials(server: str, login: RegistryLogin) -> Credentials:
    username, password = login.username, login.password
    if login.auth and not username:
        username, password = _pair(login.auth)
    return Credentials(
        username=username,
        password=password,
        identity_token=login.identitytoken,
        registry_token=login.registrytoken,
        server=server,
    )


def _pair(auth: str) -> tuple[str, str]:
    try:
        username, _, password = base64.b64decode(auth).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return username, password.rstrip("\0")
