"""Requests about the daemon itself."""

from collections.abc import Iterable

from boxship.client.engine import EngineClient, JsonObject, Response
from boxship.client.filters import encode_filters


def info(client: EngineClient) -> JsonObject:
    answer: JsonObject = client.json("GET", "/info")
    return answer


def version(client: EngineClient) -> JsonObject:
    answer: JsonObject = client.json("GET", "/version")
    return answer


def events(
    client: EngineClient, *, since: str, until: str, filters: Iterable[tuple[str, str]]
) -> Response:
    query = {
        "since": since or None,
        "until": until or None,
        "filters": encode_filters(filters),
    }
    return client.call("GET", "/events", query)


def check(client: EngineClient, *, repair: bool) -> Response:
    """Check the store. Boxship's daemon knows this request, Docker's does not."""
    return client.call("POST", "/boxship/system/check", {"repair": "1" if repair else "0"})
