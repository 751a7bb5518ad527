"""The backend of a scope: every part limited, or refusing."""

from typing import Any

from boxship.api.backend import Backend
from boxship.api.kept import Kept
from boxship.api.scoped.containerfiles import LimitedContainerFiles
from boxship.api.scoped.containers import LimitedContainers
from boxship.api.scoped.denial import Denial
from boxship.api.scoped.events import LimitedEvents
from boxship.api.scoped.images import LimitedImages
from boxship.api.scoped.networks import LimitedNetworks
from boxship.api.scoped.volumes import LimitedVolumes
from boxship.engine.access.scope import Scope
from boxship.engine.containers.requests import ContainerQuery

_AS_THEY_ARE = ("system", "clock", "views")
"""They tell of the daemon, of the time, and keep what was encoded for records that were found."""


def limited_backend(scope: Scope, backend: Backend) -> Backend:
    """Return what endpoints may call within a scope."""
    # Typed as anything: what a part lacks it refuses, and that is what it is for.
    denial: Any = Denial(scope)
    images = LimitedImages(scope, backend.images)

    def users(network_id: str) -> list[str]:
        records = backend.containers.list(ContainerQuery(all=True))
        return [r.name for r in records if network_id in (e.network_id for e in r.endpoints)]

    networks = LimitedNetworks(scope, backend.networks, users)
    volumes = LimitedVolumes(scope, backend.volumes)
    containers = LimitedContainers(
        scope, backend.containers, images=images, networks=networks, volumes=volumes
    )
    parts: dict[str, Any] = dict.fromkeys(Backend.__dataclass_fields__, denial)
    parts |= {name: getattr(backend, name) for name in _AS_THEY_ARE}
    parts |= {
        "containers": containers,
        "container_files": LimitedContainerFiles(scope, backend.container_files, containers),
        "images": images,
        "networks": networks,
        "volumes": volumes,
        "events": LimitedEvents(scope, backend.events, backend.containers),
        "kept": Kept(),
    }
    return Backend(**parts)
