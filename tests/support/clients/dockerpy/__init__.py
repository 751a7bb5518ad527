"""docker-py, at the API version that it is told: a function per kind of resource (`RESOURCES`)."""

from collections.abc import Callable

import docker

from support.clients.dockerpy import containers, images, others, streams
from support.clients.telling import Scene

RESOURCES: dict[str, Callable[[docker.DockerClient, Scene], None]] = {
    "containers": containers.containers,
    "options": containers.options,
    "exec": streams.execs,
    "attach": streams.attaching,
    "logs": streams.logs,
    "stats": streams.stats,
    "archive": streams.archives,
    "images": images.images,
    "registry": images.registry,
    "volumes": others.volumes,
    "networks": others.networks,
    "events": others.events,
    "system": others.system,
}


def drive(resource: str, scene: Scene, version: str = "auto") -> None:
    """Drive one kind of resource."""
    client = docker.DockerClient(base_url=f"unix://{scene.socket}", version=version, timeout=30)
    try:
        RESOURCES[resource](client, scene)
    finally:
        client.close()
