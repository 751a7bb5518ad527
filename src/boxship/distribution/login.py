"""Checking credentials, as ``docker login`` does: with the registry itself, never with a mirror."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.answers import refusal
from boxship.distribution.authorization import Authorizer
from boxship.distribution.cancel import Cancel
from boxship.distribution.challenges import Challenge, parse_challenges
from boxship.distribution.credentials import Credentials
from boxship.distribution.endpoints import HUB, Endpoint
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    CertificateProblemError,
    RegistryError,
    RegistryUnauthorizedError,
    RegistryUnavailableError,
)
from boxship.distribution.session import Ask, Session
from boxship.distribution.transport import Request, Transport
from boxship.distribution.urls import is_host, origin, plain_url

SUCCEEDED = "Login Succeeded"
_HUB_NAMES = {"", "docker.io", "index.docker.io", HUB}


@dataclass(frozen=True, slots=True)
class LoginOutcome:
    """``status`` is for the user; ``identity_token`` replaces the password where it isn't empty."""

    status: str
    identity_token: str = field(default="", repr=False)


def registry_host(server: str) -> str:
    """Return the host and port that a server's name means; Docker Hub's names mean one.

    InvalidArgumentError: it is no name of a host.
    """
    text = server.strip()
    try:
        host = urlsplit(text if "://" in text else f"//{text}").netloc.rpartition("@")[2]
    except ValueError as error:
        raise InvalidArgumentError(f"unable to parse server address: {error}") from error
    if host and not is_host(host):
        raise InvalidArgumentError(f"unable to parse server address: {host!r} is no host's name")
    return HUB if host in _HUB_NAMES else host


def log_in(
    transport: Transport,
    authorizer: Authorizer,
    endpoints: tuple[Endpoint, ...],
    credentials: Credentials,
    cancel: Cancel | None,
) -> LoginOutcome:
    """Try the registry's endpoints; plain HTTP counts for insecure ones alone, and last."""
    told: RegistryError | None = None
    for endpoint in endpoints:
        try:
            return _log_in(transport, authorizer, endpoint, credentials, cancel)
        except (RegistryUnavailableError, CertificateProblemError) as error:
            told = error
    assert told is not None
    raise told


def _log_in(
    transport: Transport,
    authorizer: Authorizer,
    endpoint: Endpoint,
    credentials: Credentials,
    cancel: Cancel | None,
) -> LoginOutcome:
    url = f"{endpoint.base}/"
    with transport.send(Request("GET", url, endpoint.tls, endpoint.headers), cancel) as reply:
        if reply.status == 200:
            return LoginOutcome(SUCCEEDED)
        if reply.status != 401:
            raise refusal(reply.status, reply.headers, reply.start())
        if origin(reply.url) != origin(url):
            raise BadRegistryAnswerError(
                f"{url} redirects to {plain_url(reply.url)}: log in to that registry if you mean it"
            )
        challenges = parse_challenges([reply.headers.get("WWW-Authenticate", "")])
    identity = ""
    for challenge in challenges:
        if challenge.scheme == "bearer" and challenge.get("realm"):
            identity = _shown(authorizer, challenge, endpoint, credentials)
            break
    session = Session(transport, authorizer, endpoint, credentials)
    with session.ask(Ask("GET", "", expected=(200, 401)), cancel) as reply:
        if reply.status == 401:
            raise RegistryUnauthorizedError(
                f"login attempt to {url} failed with status: 401 Unauthorized", status=401
            )
    return LoginOutcome(SUCCEEDED, identity)


def _shown(
    authorizer: Authorizer, challenge: Challenge, endpoint: Endpoint, credentials: Credentials
) -> str:
    """Show the credentials to the token server; return its refresh token, empty if it has none."""
    try:
        return authorizer.log_in(challenge, endpoint.origin, credentials).refresh_token
    except RegistryUnauthorizedError as error:
        told = f'Get "{endpoint.base}/": {error.told}'
        raise RegistryUnauthorizedError(told, code=error.code, status=error.status) from error
