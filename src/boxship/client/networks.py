"""Network requests, one function each. ``ref`` is a name, an id or a unique prefix of one."""

from collections.abc import Iterable
from typing import NamedTuple

from boxship.client.engine import EngineClient, JsonObject
from boxship.client.filters import encode_filters


class Created(NamedTuple):
    id: str
    warning: str


def create(client: EngineClient, body: JsonObject) -> Created:
    if not client.at_least("1.44"):  # older daemons let two have the same name, unless asked
        body = body | {"CheckDuplicate": True}
    answer = client.json("POST", "/networks/create", body=body)
    return Created(answer["Id"], answer.get("Warning") or "")


def listing(client: EngineClient, filters: Iterable[tuple[str, str]] = ()) -> list[JsonObject]:
    query = {"filters": encode_filters(filters)}
    found: list[JsonObject] = client.json("GET", "/networks", query)
    return found


def inspect(client: EngineClient, ref: str, *, verbose: bool = False) -> JsonObject:
    query = {"verbose": "true" if verbose else None}
    found: JsonObject = client.json("GET", f"/networks/{ref}", query)
    return found


def remove(client: EngineClient, ref: str) -> None:
    client.do("DELETE", f"/networks/{ref}")


def connect(client: EngineClient, ref: str, container: str, endpoint: JsonObject) -> None:
    body = {"Container": container, "EndpointConfig": endpoint}
    client.do("POST", f"/networks/{ref}/connect", body=body)


def disconnect(client: EngineClient, ref: str, container: str, *, force: bool = False) -> None:
    body = {"Container": container, "Force": force}
    client.do("POST", f"/networks/{ref}/disconnect", body=body)


def audit(
    client: EngineClient, *, container: str = "", verdict: str = "", limit: int = 0
) -> list[JsonObject]:
    """The latest connections that egress rules looked at, oldest first; beyond Docker."""
    query = {"container": container or None, "verdict": verdict or None, "limit": limit or None}
    found: list[JsonObject] = client.json("GET", "/boxship/networks/audit", query)
    return found
