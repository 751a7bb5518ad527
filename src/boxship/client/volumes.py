"""Volume requests, one function each. ``name`` is the whole name."""

from collections.abc import Iterable

from boxship.client.engine import EngineClient, JsonObject, Response
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


def rename(client: EngineClient, name: str, new_name: str) -> None:
    client.do("POST", f"/volumes/{name}/rename", {"name": new_name})


def copy(client: EngineClient, name: str, how: str, body: JsonObject) -> Response:
    """Begin a ``clone`` or ``snapshot``; the answer is a stream of progress."""
    return client.call("POST", f"/volumes/{name}/{how}", body=body)


def export(client: EngineClient, name: str) -> Response:
    """All its files as a tar."""
    return client.call("GET", f"/volumes/{name}/export")


def import_(
    client: EngineClient, name: str, archive: Iterable[bytes], labels: Iterable[str]
) -> JsonObject:
    """Make a volume of a tar; without a name it is an anonymous one."""
    query = {"name": name or None, "label": list(labels) or None}
    with client.call("POST", "/volumes/import", query, stream=archive) as response:
        made: JsonObject = response.json()
    return made
