"""Searching for repositories: the first version of the registry's API, which Docker Hub still has.

::

    GET https://index.docker.io/v1/search?q=<term>&n=<limit>
    {"results": [{"name": …, "description": …, "star_count": …, "is_official": …, …}]}
"""

from dataclasses import dataclass
from urllib.parse import urlencode

import msgspec

from boxship.base.errors import InvalidArgumentError
from boxship.distribution.answers import refusal
from boxship.distribution.authorization import basic_header
from boxship.distribution.cancel import Cancel
from boxship.distribution.credentials import Credentials
from boxship.distribution.endpoints import Endpoint
from boxship.distribution.errors import (
    BadRegistryAnswerError,
    CertificateProblemError,
    RegistryError,
    RegistryUnavailableError,
)
from boxship.distribution.transport import Request, Transport
from boxship.distribution.urls import is_host

_HUB_INDEX = "index.docker.io"
_LONGEST = 8 << 20
_MOST = 100
_DEFAULT = 25


@dataclass(frozen=True, slots=True)
class SearchTerm:
    """What to look for, and where."""

    host: str
    term: str


@dataclass(frozen=True, slots=True)
class SearchFilters:
    """``None`` stands for any."""

    official: bool | None = None
    automated: bool | None = None
    stars: int = 0


class SearchResult(msgspec.Struct, frozen=True):
    """A repository that a search found."""

    name: str = ""
    description: str | None = None
    star_count: int = 0
    is_official: bool = False
    is_automated: bool = False


class _Answer(msgspec.Struct):
    results: tuple[SearchResult, ...] | None = None


def parse(term: str) -> SearchTerm:
    """Read ``[host/]term``. InvalidArgumentError: an address with a scheme, no host."""
    if "://" in term:
        raise InvalidArgumentError(
            f"invalid repository name ({term}): leave out the scheme, as in localhost:5000/{{term}}"
        )
    first, slash, rest = term.partition("/")
    if not slash or not ("." in first or ":" in first or first == "localhost"):
        return SearchTerm(_HUB_INDEX, term.removeprefix("library/"))
    if first in {"docker.io", _HUB_INDEX}:
        return SearchTerm(_HUB_INDEX, rest.removeprefix("library/"))
    if not is_host(first):
        raise InvalidArgumentError(f"invalid repository name ({term}): {first} is no host's name")
    return SearchTerm(first, rest)


def search(
    transport: Transport,
    endpoints: tuple[Endpoint, ...],
    asked: SearchTerm,
    credentials: Credentials,
    *,
    limit: int,
    filters: SearchFilters,
    cancel: Cancel | None = None,
) -> tuple[SearchResult, ...]:
    """Ask the registry's endpoints in turn, and keep what the filters let through."""
    limit = limit or _DEFAULT
    if not 1 <= limit <= _MOST:
        raise InvalidArgumentError(f"limit {limit} is outside the range of [1, {_MOST}]")
    told: RegistryError | None = None
    for endpoint in endpoints:
        try:
            request = _request(endpoint, asked.term, credentials, limit)
            found = _answered(transport, request, cancel)
        except (RegistryUnavailableError, CertificateProblemError) as error:
            told = error
        else:
            return tuple(result for result in found if _passes(result, filters))
    assert told is not None
    raise told


def _request(endpoint: Endpoint, term: str, credentials: Credentials, limit: int) -> Request:
    base = endpoint.base.removesuffix("/v2")
    url = f"{base}/v1/search?{urlencode({'q': term, 'n': limit})}"
    basic = basic_header(credentials)
    headers = {"X-Docker-Token": "true"} | ({"Authorization": basic} if basic else {})
    return Request("GET", url, endpoint.tls, headers)


def _answered(
    transport: Transport, request: Request, cancel: Cancel | None
) -> tuple[SearchResult, ...]:
    with transport.send(request, cancel) as reply:
        if reply.status != 200:
            error = refusal(reply.status, reply.headers, reply.start())
            if type(error) is RegistryUnavailableError or reply.status in {401, 403, 429}:
                raise error
            raise BadRegistryAnswerError(f"Unexpected status code {reply.status}")
        try:
            answer = msgspec.json.decode(reply.read(_LONGEST), type=_Answer)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadRegistryAnswerError(
                f"error decoding registry search results: {error}"
            ) from error
    return answer.results or ()


def _passes(result: SearchResult, filters: SearchFilters) -> bool:
    return (
        filters.official in {None, result.is_official}
        and filters.automated in {None, result.is_automated}
        and result.star_count >= filters.stars
    )
