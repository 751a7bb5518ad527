"""Requests to one endpoint: authorized, with the endpoint's headers, refusals raised as errors."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from boxship.distribution.answers import refusal
from boxship.distribution.attempts import Attempts
from boxship.distribution.authorization import Authorizer
from boxship.distribution.cancel import Cancel
from boxship.distribution.challenges import parse_challenges
from boxship.distribution.credentials import ANONYMOUS, Credentials
from boxship.distribution.endpoints import Endpoint
from boxship.distribution.errors import (
    RegistryDeniedError,
    RegistryError,
    RegistryUnauthorizedError,
)
from boxship.distribution.settings import Retries
from boxship.distribution.transport import Buffer, Reply, Request, Transport
from boxship.distribution.urls import origin

_DENIED = "denied: requested access to the resource is denied"
_NOTHING_TO_SHOW = "no basic auth credentials"


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. ``url`` may be relative to the endpoint's base.

    ``expected`` are the statuses that are answers; others are raised, with ``assumed`` as the code
    if the registry gave none.
    """

    method: str
    url: str
    scopes: frozenset[str] = frozenset()
    expected: tuple[int, ...] = (200,)
    headers: Mapping[str, str] | None = None
    body: bytes | Iterable[Buffer] | None = None
    length: int | None = None
    assumed: str = ""


class Session:
    """One endpoint and what we show there."""

    def __init__(
        self,
        transport: Transport,
        authorizer: Authorizer,
        endpoint: Endpoint,
        credentials: Credentials,
    ) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._authorizer = authorizer
        self._credentials = credentials if endpoint.shown else ANONYMOUS

    def ask(self, ask: Ask, cancel: Cancel | None = None) -> Reply:
        """Send once (twice if a challenge has to be answered first)."""
        url = self._absolute(ask.url)
        at_home = self._is_home(url)
        header = self._header(ask.scopes, cancel) if at_home else ""
        reply = self._transport.send(self._request(ask, url, header, at_home=at_home), cancel)
        # Who stands at the end of a redirect has no business with our credentials.
        if reply.status == 401 and at_home and self._is_home(reply.url):
            extra = self._learn(reply, header)
            if extra is not None and isinstance(ask.body, bytes | None):
                reply.close()
                header = self._header(ask.scopes | extra, cancel)
                request = self._request(ask, url, header, at_home=True)
                reply = self._transport.send(request, cancel)
        if reply.status in ask.expected:
            return reply
        with reply:
            raise self._refused(ask, reply)

    def ask_again(self, ask: Ask, retries: Retries, cancel: Cancel | None = None) -> Reply:
        """Send until there is an answer, as often as the settings say."""
        attempts = Attempts(retries, cancel)
        while True:
            try:
                return self.ask(ask, cancel)
            except RegistryError as error:
                attempts.failed(error)

    def _header(self, scopes: frozenset[str], cancel: Cancel | None) -> str:
        return self._authorizer.header(self.endpoint.origin, self._credentials, scopes, cancel)

    def _learn(self, reply: Reply, used: str) -> frozenset[str] | None:
        value = reply.headers.get("WWW-Authenticate", "")
        challenges = parse_challenges([value])
        return self._authorizer.learn(self.endpoint.origin, challenges, self._credentials, used)

    def _absolute(self, url: str) -> str:
        """Complete what is relative: it is below the endpoint's base."""
        if url.startswith(("http://", "https://")):
            return url
        url = f"{self.endpoint.base}/{url}"
        if self.endpoint.namespace:
            url += f"{'&' if urlsplit(url).query else '?'}ns={self.endpoint.namespace}"
        return url

    def _request(self, ask: Ask, url: str, header: str, *, at_home: bool) -> Request:
        headers, tls = dict(self.endpoint.headers) if at_home else {}, self.endpoint.tls
        if not at_home:
            tls = self._transport.rules_elsewhere(self.endpoint.origin, url, tls)
        headers |= ask.headers or {}
        if header:
            headers["Authorization"] = header
        return Request(ask.method, url, tls, headers, ask.body, ask.length)

    def _is_home(self, url: str) -> bool:
        return origin(url) == origin(self.endpoint.origin)

    def _refused(self, ask: Ask, reply: Reply) -> RegistryError:
        error = refusal(reply.status, reply.headers, reply.start(), assumed=ask.assumed)
        if reply.status != 401:
            return error
        challenges = parse_challenges([reply.headers.get("WWW-Authenticate", "")])
        if any(challenge.get("error") == "insufficient_scope" for challenge in challenges):
            # RFC 6750, section 3.1: we are known, and may not.
            return RegistryDeniedError(_DENIED, code="DENIED", status=reply.status)
        if not self._credentials.given and [c.scheme for c in challenges] == ["basic"]:
            reading = f'{ask.method.capitalize()} "{reply.url}": ' if ask.body is None else ""
            return RegistryUnauthorizedError(
                _NOTHING_TO_SHOW, code=error.code, told=f"{reading}{_NOTHING_TO_SHOW}", status=401
            )
        return error
