"""Requests about sockets and tokens with limits. Boxship's daemon knows them, Docker's does not."""

from collections.abc import Iterable, Mapping

from boxship.client.engine import EngineClient, JsonObject, Response


def create(
    client: EngineClient,
    name: str,
    *,
    allow: Iterable[str],
    labels: Mapping[str, str],
    token: bool,
    group: str,
) -> JsonObject:
    """Make one; the answer has its ``Path`` or its ``Token``."""
    body = {
        "Name": name,
        "Allow": list(allow),
        "Labels": dict(labels),
        "Token": token,
        "Group": group,
    }
    made: JsonObject = client.json("POST", "/boxship/sockets/create", body=body)
    return made


def listing(client: EngineClient) -> list[JsonObject]:
    found: list[JsonObject] = client.json("GET", "/boxship/sockets")
    return found


def inspect(client: EngineClient, name: str) -> JsonObject:
    found: JsonObject = client.json("GET", f"/boxship/sockets/{name}")
    return found


def remove(client: EngineClient, name: str) -> None:
    client.do("DELETE", f"/boxship/sockets/{name}")


def audit(client: EngineClient, scope: str, *, limit: int, follow: bool) -> Response:
    """Follow, or read, what was asked; an entry a line."""
    query = {"scope": scope or None, "limit": limit, "follow": "1" if follow else None}
    return client.call("GET", "/boxship/sockets/audit", query)
