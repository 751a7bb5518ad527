"""Registries: check a login, search, look at an image that isn't here."""

from collections.abc import Mapping

from boxship.api.call import Call, plain_json
from boxship.api.http.messages import Answer
from boxship.api.registryauth import credentials
from boxship.base.errors import InvalidArgumentError
from boxship.distribution.credentials import Credentials
from boxship.distribution.search import SearchFilters, SearchResult
from boxship.wire.registries import AuthAnswer, AuthConfig, DistributionAnswer, SearchRow

_FILTERS = ("is-automated", "is-official", "stars")


async def login(call: Call) -> Answer:
    given = await call.body(AuthConfig)
    shown = Credentials(
        username=given.username,
        password=given.password,
        identity_token=given.identitytoken,
        registry_token=given.registrytoken,
        server=given.serveraddress,
    )
    outcome = await call.backend.registries.login(given.serveraddress, shown)
    return call.json(AuthAnswer(outcome.status, outcome.identity_token))


async def search(call: Call) -> Answer:
    found = await call.backend.registries.search(
        call.text("term"),
        credentials(call.request),
        call.integer("limit") or 0,
        _filters(call.filters()),
    )
    return plain_json([_row(result) for result in found])


def _row(result: SearchResult) -> SearchRow:
    return SearchRow(
        star_count=result.star_count,
        is_official=result.is_official,
        name=result.name,
        is_automated=result.is_automated,
        description=result.description or "",
    )


def _filters(given: Mapping[str, tuple[str, ...]]) -> SearchFilters:
    for name in sorted(given.keys() - set(_FILTERS)):
        raise InvalidArgumentError(f"invalid filter '{name}'")
    stars = 0
    for text in given.get("stars", ()):
        if not text.isdigit():
            raise InvalidArgumentError(
                f"invalid filter 'stars={text}': strconv.Atoi: parsing \"{text}\": invalid syntax"
            )
        stars = max(stars, int(text))
    return SearchFilters(
        official=_boolean(given, "is-official"),
        automated=_boolean(given, "is-automated"),
        stars=stars,
    )


def _boolean(given: Mapping[str, tuple[str, ...]], name: str) -> bool | None:
    values = given.get(name, ())
    if not values:
        return None
    if set(values) <= {"true", "1"}:
        return True
    if set(values) <= {"false", "0"}:
        return False
    raise InvalidArgumentError(f"invalid filter '{name}=[{' '.join(values)}]'")


async def distribution(call: Call) -> Answer:
    found = await call.backend.registries.inspect(call.target, credentials(call.request))
    return plain_json(DistributionAnswer(found.descriptor, found.platforms))


ROUTES = (
    ("POST", "/auth", login),
    ("GET", "/images/search", search),
    ("GET", "/distribution/{name...}/json", distribution),
)
