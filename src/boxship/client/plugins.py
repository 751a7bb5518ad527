"""Requests about managed plugins, one function each. ``name`` is the name as it was given."""

from collections.abc import Iterable, Iterator, Sequence

from boxship.client.engine import EngineClient, JsonObject, Response
from boxship.client.filters import encode_filters
from boxship.client.http import Header


def listing(client: EngineClient, filters: Iterable[tuple[str, str]] = ()) -> list[JsonObject]:
    found: list[JsonObject] = client.json("GET", "/plugins", {"filters": encode_filters(filters)})
    return found


def inspect(client: EngineClient, name: str) -> JsonObject:
    found: JsonObject = client.json("GET", f"/plugins/{name}/json")
    return found


def create(client: EngineClient, name: str, archive: Iterable[bytes]) -> None:
    with client.call("POST", "/plugins/create", {"name": name}, stream=archive) as response:
        response.read()


def privileges(
    client: EngineClient, remote: str, headers: tuple[Header, ...] = ()
) -> list[JsonObject]:
    """What a plugin in a registry asks for."""
    with client.call("GET", "/plugins/privileges", {"remote": remote}, headers=headers) as answer:
        found: list[JsonObject] = answer.json() or []
        return found


def pull(
    client: EngineClient,
    remote: str,
    name: str,
    granted: Sequence[JsonObject],
    headers: tuple[Header, ...] = (),
) -> Response:
    """Install; the answer is a stream, and its head says what the plugin is called."""
    query = {"name": name, "remote": remote}
    return client.call("POST", "/plugins/pull", query, body=granted, headers=headers)


def upgrade(
    client: EngineClient,
    name: str,
    remote: str,
    granted: Sequence[JsonObject],
    headers: tuple[Header, ...] = (),
) -> Iterator[JsonObject]:
    query = {"remote": remote}
    path = f"/plugins/{name}/upgrade"
    return client.call("POST", path, query, body=granted, headers=headers).documents()


def push(client: EngineClient, name: str, headers: tuple[Header, ...]) -> Iterator[JsonObject]:
    return client.call("POST", f"/plugins/{name}/push", headers=headers).documents()


def enable(client: EngineClient, name: str, timeout: int) -> None:
    client.do("POST", f"/plugins/{name}/enable", {"timeout": timeout})


def disable(client: EngineClient, name: str, *, force: bool = False) -> None:
    client.do("POST", f"/plugins/{name}/disable", {"force": "1" if force else None})


def change(client: EngineClient, name: str, settings: Sequence[str]) -> None:
    """Set settings: ``name=value``."""
    client.do("POST", f"/plugins/{name}/set", body=list(settings))


def remove(client: EngineClient, name: str, *, force: bool = False) -> None:
    client.do("DELETE", f"/plugins/{name}", {"force": "1" if force else None})
