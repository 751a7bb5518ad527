"""Requests about what was removed. Boxship's daemon knows them, Docker's does not."""

from collections.abc import Iterable

from boxship.client.engine import EngineClient, JsonObject


def listing(client: EngineClient) -> list[JsonObject]:
    found: list[JsonObject] = client.json("GET", "/system/trash")
    return found


def restore(client: EngineClient, reference: str, name: str = "") -> JsonObject:
    path = f"/system/trash/{reference}/restore"
    restored: JsonObject = client.json("POST", path, {"name": name or None})
    return restored


def empty(client: EngineClient, references: Iterable[str]) -> JsonObject:
    """Remove for good what is named, or everything."""
    query = {"id": list(references) or None}
    emptied: JsonObject = client.json("POST", "/system/trash/empty", query)
    return emptied
