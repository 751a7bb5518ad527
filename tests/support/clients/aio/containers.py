"""Containers: their life and their lists."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from aiodocker import Docker
from aiodocker.containers import DockerContainer
from aiodocker.exceptions import DockerError

from support.clients.telling import Scene

IDLE = ["sleep", "1000"]


def asked(*command: str, **config: Any) -> dict[str, Any]:
    """What a container of busybox without a network is to be."""
    host = {"NetworkMode": "none", **config.pop("HostConfig", {})}
    return {"Image": "busybox", "Cmd": list(command) or IDLE, "HostConfig": host, **config}


@asynccontextmanager
async def running(
    docker: Docker, *command: str, name: str | None = None, **config: Any
) -> AsyncIterator[DockerContainer]:
    """A container that runs, removed at the end."""
    made = await docker.containers.run(asked(*command, **config), name=name)
    try:
        yield made
    finally:
        await made.delete(force=True, v=True)


async def refused(
    scene: Scene, call: str, status: int, action: Awaitable[object], *words: str
) -> None:
    """It fails with this status, in these words."""
    try:
        came: object = await action
    except DockerError as error:
        scene.same(call, error.status, status)
        scene.has("  in words", error.message, *words)
        return
    scene.holds(call, came, holds=False)


async def containers(docker: Docker, scene: Scene) -> None:
    async with running(docker, name="life", Labels={"who": "aiodocker"}) as made:
        scene.same("containers.run(), show()", (await made.show())["State"]["Status"], "running")
        await made.pause()
        scene.same("pause()", (await made.show())["State"]["Status"], "paused")
        await made.unpause()
        await made.rename("lives")
        filters = '{"label": ["who=aiodocker"], "status": ["running"]}'
        (row,) = await docker.containers.list(filters=filters, size=1)
        scene.same("rename(), containers.list(filters=…)", row["Names"], ["/lives"])
        top = await made.top(ps_args="-eo pid,args")
        scene.same("top()", [row[-1] for row in top["Processes"]], ["sleep 1000"])
        scene.has("commit()", await made.commit(repository="lives", tag="saved"), "Id")
        await docker.images.delete("lives:saved")
        await refused(scene, "delete(): it runs", 409, made.delete())
        await made.restart(t=0)
        await made.kill(signal="KILL")
        scene.same("restart(), kill(), wait()", (await made.wait())["StatusCode"], 137)
        await refused(scene, "kill() again", 409, made.kill(), "is not running")
        await made.start()
        await made.stop(t=0)
    await refused(scene, "get() once it is removed", 404, docker.containers.get("lives"))
    bad = docker.containers.create({"Image": "no-such"})
    await refused(scene, "create(no such image)", 404, bad, "No such image")
    bad = docker.containers.create(asked(HostConfig={"Memory": 1}))
    await refused(scene, "create(Memory=1)", 400, bad, "memory")
    again = await docker.containers.create_or_replace("again", asked())
    same = await docker.containers.create_or_replace("again", asked("true"))
    scene.holds("create_or_replace() with another command", same.id, same.id != again.id)
    pruned = await docker.containers.prune()
    scene.same("containers.prune()", pruned["ContainersDeleted"], [same.id])
