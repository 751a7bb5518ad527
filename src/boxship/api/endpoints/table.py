"""All routes. Of two that fit a path, the first is taken; literal ones always win."""

from boxship.api.endpoints import (
    absent,
    audit,
    check,
    checkpoints,
    containerfiles,
    containers,
    description,
    diskusage,
    execs,
    images,
    incoming,
    networks,
    outgoing,
    prune,
    registries,
    streams,
    system,
    volumes,
)
from boxship.api.router import Endpoint

ROUTES: tuple[tuple[str, str, Endpoint], ...] = (
    *system.ROUTES,
    *containers.ROUTES,
    *containerfiles.ROUTES,
    *checkpoints.ROUTES,
    *streams.ROUTES,
    *execs.ROUTES,
    *images.ROUTES,
    *incoming.ROUTES,
    *outgoing.ROUTES,
    *networks.ROUTES,
    *volumes.ROUTES,
    *prune.ROUTES,
    *diskusage.ROUTES,
    *audit.ROUTES,
    *check.ROUTES,
    *description.ROUTES,
    *registries.ROUTES,
    *absent.ROUTES,
)
