"""All operations."""

from boxship.api.openapi import (
    absent,
    adoption,
    builds,
    containerfiles,
    containers,
    images,
    networks,
    plans,
    plugins,
    sockets,
    streams,
    system,
    trash,
    volumefiles,
    why,
)
from boxship.api.openapi.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *system.OPERATIONS,
    *containers.OPERATIONS,
    *containerfiles.OPERATIONS,
    *streams.OPERATIONS,
    *images.OPERATIONS,
    *builds.OPERATIONS,
    *networks.NETWORKS,
    *networks.VOLUMES,
    *volumefiles.OPERATIONS,
    *plans.OPERATIONS,
    *why.OPERATIONS,
    *trash.OPERATIONS,
    *adoption.OPERATIONS,
    *sockets.OPERATIONS,
    *plugins.OPERATIONS,
    *absent.OPERATIONS,
)
