"""Volume requests, one function each. ``name`` is the whole name."""

from collections.abc import Iterable

from boxship.client.engine import EngineClient, JsonObject
from boxship.client.filters import encode_filters


def create(client: EngineClient, body: JsonObject) -> JsonObject:
    made: JsonObject = client.json("POST", "/volumes/create", body=body)
    return made


def listing(client: EngineClient, filters: Iterable[tuple[str, str]] = ()) -> list[JsonObject]:
    answer = client.json("GET", "/volumes", {"filters": encode_filters(filters)})
    return list(answer.get("Volumes") or ())


def inspect(client: EngineClient, name: str) -> JsonObject:
    found: JsonObject = client.json("GET", f"/volumes/{name}")
    return found


def remove(client: EngineClient, name: str, *, force: bool = False) -> None:
    client.do("DELETE", f"/volumes/{name}", {"force": "1" if force else None})
