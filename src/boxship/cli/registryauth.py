"""What a verb shows to a registry on the user's behalf.

``header_for(session, reference)`` gives the headers for a request that has the daemon talk to the
registry of an image (pull, push, create, run); ``credentials_for`` is for verbs that talk to it
themselves.
"""

from typing import TYPE_CHECKING

from boxship.cli.credentialhelper import CredentialHelperError
from boxship.cli.keychain import HUB_KEY, Keychain, Login
from boxship.oci.reference import DEFAULT_DOMAIN, Reference

if TYPE_CHECKING:
    from boxship.cli.session import Session
    from boxship.distribution.credentials import Credentials

Header = tuple[str, str]

HEADER = "X-Registry-Auth"


def keychain(session: "Session") -> Keychain:
    """Return the user's credentials."""
    return Keychain(session.config_path, session.environment)


def login_for(session: "Session", reference: Reference) -> Login:
    """Return what the user has for the registry of an image; maybe nothing."""
    domain = reference.domain
    return login_at(session, HUB_KEY if domain == DEFAULT_DOMAIN else domain)


def login_at(session: "Session", server: str) -> Login:
    """Return what the user has for a registry. A helper that fails is no reason to stop.

    What one wants may be public, and ``credsStore`` may come from another machine.
    """
    try:
        return keychain(session).get(server)
    except CredentialHelperError as error:
        session.warn(f"WARNING: {error}; going on without a login")
        return Login(server)


def header_for(session: "Session", reference: Reference) -> tuple[Header, ...]:
    """Return the header that carries it to the daemon; none if there is nothing to carry."""
    login = login_for(session, reference)
    return ((HEADER, login.encoded()),) if login.given else ()


def credentials_for(session: "Session", reference: Reference) -> "Credentials":
    """Return it for the registry client of this process."""
    from boxship.distribution.credentials import Credentials

    login = login_for(session, reference)
    return Credentials(
        username=login.username,
        password=login.password,
        identity_token=login.identity_token,
        registry_token=login.registry_token,
        server=login.server,
    )
