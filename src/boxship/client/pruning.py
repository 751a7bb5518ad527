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


def containers(client: EngineClient, filters: Filters, *, dry: bool = False) -> Pruned:
    answer = _prune(client, "containers", filters, dry=dry)
    return _pruned("Deleted Containers:", answer, "ContainersDeleted")


def networks(client: EngineClient, filters: Filters, *, dry: bool = False) -> Pruned:
    answer = _prune(client, "networks", filters, dry=dry)
    return _pruned("Deleted Networks:", answer, "NetworksDeleted")


def volumes(client: EngineClient, filters: Filters, *, dry: bool = False) -> Pruned:
    answer = _prune(client, "volumes", filters, dry=dry)
    return _pruned("Deleted Volumes:", answer, "VolumesDeleted")


def images(
    client: EngineClient, filters: Filters, *, all_unused: bool, dry: bool = False
) -> Pruned:
    dangling = ("dangling", "false" if all_unused else "true")
    return _images_pruned(_prune(client, "images", [*filters, dangling], dry=dry))


def plan(
    client: EngineClient, filters: Filters, *, all_unused: bool, with_volumes: bool
) -> tuple[Pruned, ...]:
    """What prunes of all kinds would remove, one after the other."""
    query = {"filters": encode_filters(filters), "all": all_unused, "volumes": with_volumes}
    answer: JsonObject = client.json("GET", "/system/prune/plan", query)
    total = answer.get("SpaceReclaimed", 0)
    alone = {**answer, "SpaceReclaimed": 0}
    return (
        _pruned("Deleted Containers:", alone, "ContainersDeleted"),
        _pruned("Deleted Networks:", alone, "NetworksDeleted"),
        _pruned("Deleted Volumes:", alone, "VolumesDeleted"),
        _images_pruned(alone)._replace(reclaimed=total),
    )


def _images_pruned(answer: JsonObject) -> Pruned:
    lines = tuple(
        f"untagged: {item['Untagged']}" if item.get("Untagged") else f"deleted: {item['Deleted']}"
        for item in answer.get("ImagesDeleted") or ()
    )
    return Pruned("Deleted Images:", lines, answer.get("SpaceReclaimed", 0))


def build_cache(
    client: EngineClient, filters: Filters, *, all_unused: bool, keep: int = 0
) -> Pruned:
    """``keep`` is how many bytes are to stay."""
    query = {
        "all": "1" if all_unused else None,
        "filters": encode_filters(filters),
        "keep-storage": str(keep) if keep else None,
    }
    answer = client.json("POST", "/build/prune", query) or {}
    return _pruned("Deleted build cache objects:", answer, "CachesDeleted")


def _prune(client: EngineClient, kind: str, filters: Filters, *, dry: bool) -> JsonObject:
    query = {"filters": encode_filters(filters)}
    method, path = ("GET", f"/{kind}/prune/plan") if dry else ("POST", f"/{kind}/prune")
    answer: JsonObject = client.json(method, path, query) or {}
    return answer


def _pruned(title: str, answer: JsonObject, member: str) -> Pruned:
    return Pruned(title, tuple(answer.get(member) or ()), answer.get("SpaceReclaimed", 0))
