"""Image requests, one function each."""

import json
from collections.abc import Iterable, Iterator

from boxship.client.engine import EngineClient, JsonObject, Response
from boxship.client.filters import encode_filters
from boxship.client.http import Header
from boxship.oci.platform import Platform


def listing(
    client: EngineClient,
    *,
    all: bool = False,  # noqa: A002 - the parameter's name in the API
    shared_size: bool = False,
    manifests: bool = False,
    filters: Iterable[tuple[str, str]] = (),
) -> list[JsonObject]:
    query = {
        "all": "1" if all else None,
        "manifests": "1" if manifests else None,
        "shared-size": "1" if shared_size else None,
        "filters": encode_filters(filters),
    }
    found: list[JsonObject] = client.json("GET", "/images/json", query)
    return found


def inspect(client: EngineClient, ref: str, *, platform: str | None = None) -> JsonObject:
    found: JsonObject = client.json("GET", f"/images/{ref}/json", {"platform": platform})
    return found


def history(client: EngineClient, ref: str, *, platform: str | None = None) -> list[JsonObject]:
    found: list[JsonObject] = client.json("GET", f"/images/{ref}/history", {"platform": platform})
    return found


def tag(client: EngineClient, source: str, repository: str, tag_name: str) -> None:
    query = {"repo": repository, "tag": tag_name}
    client.do("POST", f"/images/{source}/tag", query)


def remove(
    client: EngineClient, ref: str, *, force: bool, prune: bool, platforms: Iterable[str] = ()
) -> list[JsonObject]:
    query = {
        "force": "1" if force else None,
        "noprune": None if prune else "1",
        "platforms": list(platforms) or None,
    }
    deleted: list[JsonObject] = client.json("DELETE", f"/images/{ref}", query)
    return deleted


def load(
    client: EngineClient,
    archive: Iterable[bytes],
    *,
    quiet: bool,
    platforms: Iterable[Platform] = (),
) -> Response:
    """Send an archive; the answer is a JSON stream, or plain text from some daemons."""
    query = {"quiet": "1" if quiet else "0", "platform": _documents(platforms)}
    return client.call("POST", "/images/load", query, stream=archive)


def save(
    client: EngineClient, refs: Iterable[str], *, platforms: Iterable[Platform] = ()
) -> Response:
    query = {"names": list(refs), "platform": _documents(platforms)}
    return client.call("GET", "/images/get", query)


def import_archive(
    client: EngineClient,
    archive: Iterable[bytes] | None,
    *,
    source: str,
    repository: str,
    tag_name: str,
    message: str,
    changes: Iterable[str],
    platform: str,
) -> Iterator[JsonObject]:
    query: dict[str, str | int | bool | list[str] | None] = {
        "fromSrc": source,
        "repo": repository or None,
        "tag": tag_name or None,
        "message": message or None,
        "platform": platform.lower() or None,
        "changes": list(changes) or None,
    }
    return client.call("POST", "/images/create", query, stream=archive).documents()


def pull(
    client: EngineClient,
    repository: str,
    tag_name: str,
    *,
    platform: str = "",
    headers: tuple[Header, ...] = (),
) -> Iterator[JsonObject]:
    """Pull a tag or digest, or all tags without either; ``headers`` hold the credentials."""
    query = {
        "fromImage": repository,
        "tag": tag_name or None,
        "platform": platform.lower() or None,
    }
    return client.call("POST", "/images/create", query, headers=headers).documents()


_NO_CREDENTIALS = (("X-Registry-Auth", "e30="),)
"""An empty document in base64: older daemons insist on the header."""


def push(
    client: EngineClient,
    name: str,
    tag_name: str,
    *,
    platform: Platform | None = None,
    headers: tuple[Header, ...] = (),
) -> Iterator[JsonObject]:
    """Push one tag, or all of them without ``tag_name``; ``headers`` hold the credentials."""
    query = {"tag": tag_name or None, "platform": _documents([platform] if platform else ())}
    headers = headers or _NO_CREDENTIALS
    return client.call("POST", f"/images/{name}/push", query, headers=headers).documents()


def _documents(platforms: Iterable[Platform]) -> list[str] | None:
    """Write platforms as the API wants them; None for none."""
    documents = [
        {
            "architecture": p.architecture,
            "os": p.os,
            **({"variant": p.variant} if p.variant else {}),
        }
        for p in platforms
    ]
    return [json.dumps(document) for document in documents] or None
