"""aiodocker: a function per kind of resource (`RESOURCES`)."""

import asyncio
from collections.abc import Awaitable, Callable

import aiodocker

from support.clients.aio import containers, others, streams
from support.clients.telling import Scene

RESOURCES: dict[str, Callable[[aiodocker.Docker, Scene], Awaitable[None]]] = {
    "containers": containers.containers,
    "exec": streams.execs,
    "attach": streams.attaching,
    "websocket": streams.websocket,
    "logs": streams.logs,
    "stats": streams.stats,
    "archive": streams.archives,
    "images": others.images,
    "registry": others.registry,
    "volumes": others.volumes,
    "networks": others.networks,
    "events": others.events,
    "system": others.system,
}

_PATIENCE = 60


def drive(resource: str, scene: Scene) -> None:
    """Drive one kind of resource."""

    async def work() -> None:
        async with asyncio.timeout(_PATIENCE), aiodocker.Docker(f"unix://{scene.socket}") as docker:
            await RESOURCES[resource](docker, scene)

    asyncio.run(work())
