"""Requests that remove what nobody uses, one function for each kind of object."""

from collections.abc import Iterable
from typing import NamedTuple

from boxship.client.engine import EngineClient, JsonObject
from boxship.client.filters import encode_filters

Filters = Iterable[tuple[str, str]]


class Pruned(NamedTuple):
    """What went, a line each as people are shown it, and the bytes that came free."""

    title: str
    lines: tuple[str, ...]
    reclaimed: int


def containers(client: EngineClient, filters: Filters) -> Pruned:
    answer = _prune(client, "containers", filters)
    return _pruned("Deleted Containers:", answer, "ContainersDeleted")


def networks(client: EngineClient, filters: Filters) -> Pruned:
    answer = _prune(client, "networks", filters)
    return _pruned("Deleted Networks:", answer, "NetworksDeleted")


def volumes(client: EngineClient, filters: Filters) -> Pruned:
    answer = _prune(client, "volumes", filters)
    return _pruned("Deleted Volumes:", answer, "VolumesDeleted")


def images(client: EngineClient, filters: Filters, *, all_unused: bool) -> Pruned:
    dangling = ("dangling", "false" if all_unused else "true")
    answer = _prune(client, "images", [*filters, dangling])
    lines = tuple(
        f"untagged: {item['Untagged']}" if item.get("Untagged") else f"deleted: {item['Deleted']}"
        for item in answer.get("ImagesDeleted") or ()
    )
    return Pruned("Deleted Images:", lines, answer.get("SpaceReclaimed", 0))


def build_cache(client: EngineClient, filters: Filters, *, all_unused: bool) -> Pruned:
    query = {"all": "1" if all_unused else None, "filters": encode_filters(filters)}
    answer = client.json("POST", "/build/prune", query) or {}
    return _pruned("Deleted build cache objects:", answer, "CachesDeleted")


def _prune(client: EngineClient, kind: str, filters: Filters) -> JsonObject:
    query = {"filters": encode_filters(filters)}
    answer: JsonObject = client.json("POST", f"/{kind}/prune", query) or {}
    return answer


def _pruned(title: str, answer: JsonObject, member: str) -> Pruned:
    return Pruned(title, tuple(answer.get(member) or ()), answer.get("SpaceReclaimed", 0))
