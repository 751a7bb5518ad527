"""Requests of the classic builder, and of the cache by the engine's own API."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from boxship.client.engine import EngineClient, JsonObject, Query
from boxship.client.http import Header


@dataclass(frozen=True, slots=True)
class ClassicBuild:
    """What ``POST /build`` may be asked, in the API's terms; what is empty is not sent."""

    dockerfile: str = ""
    tags: tuple[str, ...] = ()
    remote: str = ""
    """A context that the engine fetches; there is no archive then."""
    quiet: bool = False
    no_cache: bool = False
    cache_from: tuple[str, ...] = ()
    pull: bool = False
    remove: bool = True
    force_remove: bool = False
    limits: Mapping[str, str] | None = None
    """``memory``, ``memswap``, ``cpushares``, ``cpuperiod``, ``cpuquota``, ``cpusetcpus`` …"""
    shm_size: int = 0
    cgroup_parent: str = ""
    ulimits: tuple[Mapping[str, Any], ...] = ()
    security: tuple[str, ...] = ()
    arguments: Mapping[str, str | None] | None = None
    labels: Mapping[str, str] | None = None
    network: str = ""
    target: str = ""
    hosts: tuple[str, ...] = ()
    """``name:address``."""
    platform: str = ""
    squash: bool = False

    def query(self) -> Query:
        """Return the parameters of the request."""
        return {
            "dockerfile": self.dockerfile or None,
            "t": list(self.tags) or None,
            "remote": self.remote or None,
            "q": "1" if self.quiet else None,
            "nocache": "1" if self.no_cache else None,
            "cachefrom": _json(list(self.cache_from)),
            "pull": "1" if self.pull else None,
            "rm": "1" if self.remove else "0",
            "forcerm": "1" if self.force_remove else None,
            **(self.limits or {}),
            "shmsize": str(self.shm_size) if self.shm_size else None,
            "cgroupparent": self.cgroup_parent or None,
            "ulimits": _json([dict(each) for each in self.ulimits]),
            "securityopt": _json(list(self.security)),
            "buildargs": _json(dict(self.arguments or {})),
            "labels": _json(dict(self.labels or {})),
            "networkmode": self.network or None,
            "target": self.target or None,
            "extrahosts": list(self.hosts) or None,
            "platform": self.platform or None,
            "squash": "1" if self.squash else None,
            "version": "1",
        }


def _json(value: object) -> str | None:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False) if value else None


def build(
    client: EngineClient,
    wish: ClassicBuild,
    archive: Iterable[bytes] | None,
    headers: tuple[Header, ...] = (),
) -> Iterator[JsonObject]:
    """Yield what the engine tells. ``headers`` hold the credentials (``X-Registry-Config``)."""
    return client.call("POST", "/build", wish.query(), stream=archive, headers=headers).documents()
