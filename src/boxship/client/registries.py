"""Requests that have the daemon talk to registries, one function each."""

from collections.abc import Iterable, Mapping

from boxship.client.engine import EngineClient, JsonObject
from boxship.client.filters import encode_filters
from boxship.client.http import Header


def login(client: EngineClient, auth: Mapping[str, object]) -> JsonObject:
    answer: JsonObject = client.json("POST", "/auth", body=dict(auth))
    return answer


def search(
    client: EngineClient,
    term: str,
    *,
    limit: int = 0,
    filters: Iterable[tuple[str, str]] = (),
    headers: tuple[Header, ...] = (),
) -> list[JsonObject]:
    query = {
        "term": term,
        "limit": str(limit) if limit else None,
        "filters": encode_filters(filters),
    }
    with client.call("GET", "/images/search", query, headers=headers) as response:
        found: list[JsonObject] = response.json()
    return found
