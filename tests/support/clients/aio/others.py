"""Images and a registry, volumes, networks, events, the system."""

import time

from aiodocker import Docker

from support.clients.aio.containers import refused, running
from support.clients.telling import Scene


async def images(docker: Docker, scene: Scene) -> None:
    image = await docker.images.inspect("busybox")
    scene.has("images.history()", (await docker.images.history("busybox"))[0], "Id", "CreatedBy")  # type: ignore[index]
    await docker.images.tag("busybox", "shop/aio", tag="1")
    rows = await docker.images.list(filters={"reference": ["shop/*"]})
    scene.same("images.tag(), list(filters)", [row["Id"] for row in rows], [image["Id"]])
    async with docker.images.export_image("shop/aio:1") as content:
        archive = await content.read()
    scene.has("images.delete()", (await docker.images.delete("shop/aio:1"))[0], "Untagged")
    said = await docker.images.import_image(archive)
    scene.has("images.export_image(), import_image()", str(said), "shop/aio:1")
    await docker.images.delete("shop/aio:1")
    await refused(scene, "images.inspect(nothing)", 404, docker.images.inspect("nothing"))
    scene.has("images.prune()", await docker.images.prune(), "SpaceReclaimed")


async def registry(docker: Docker, scene: Scene) -> None:
    name = f"{scene.registry}/shop/aio"
    await docker.images.tag("busybox", name, tag="1")
    pushed = await docker.images.push(name, tag="1")
    scene.has("images.push()", pushed[-1]["aux"], "Digest", "Size", "Tag")
    await docker.images.delete(f"{name}:1")
    pulled = await docker.images.pull(name, tag="1")
    wanted = f"Status: Downloaded newer image for {name}:1"
    scene.same("images.pull()", pulled[-1]["status"], wanted)
    await docker.images.delete(f"{name}:1")
    await refused(scene, "images.pull(nothing)", 404, docker.images.pull(f"{name}:nothing"))


async def volumes(docker: Docker, scene: Scene) -> None:
    made = await docker.volumes.create({"Name": "data", "Labels": {"of": "aiodocker"}})
    scene.has("volumes.create(), show()", await made.show(), "Mountpoint", "Scope", "CreatedAt")
    listed = await docker.volumes.list(filters={"label": "of=aiodocker"})
    scene.same("volumes.list(filters)", [one["Name"] for one in listed["Volumes"]], ["data"])
    async with running(docker, HostConfig={"Binds": ["data:/data"]}):
        await refused(scene, "delete() in use", 409, made.delete(), "volume is in use")
    await made.delete()
    await refused(scene, "volumes.get(nothing)", 404, docker.volumes.get("data"))
    await docker.volumes.create({})
    pruned = await docker.volumes.prune()
    scene.holds("volumes.prune()", pruned, len(pruned["VolumesDeleted"]) == 1)


async def networks(docker: Docker, scene: Scene) -> None:
    pool = {"Config": [{"Subnet": "10.79.0.0/24"}]}
    net = await docker.networks.create({"Name": "shop", "IPAM": pool, "Labels": {"a": "b"}})
    rows = await docker.networks.list(filters={"label": "a=b"})
    scene.same("networks.create(), list(filters)", [row["Name"] for row in rows], ["shop"])
    asked = {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostPort": "6079"}]}}
    async with running(docker, HostConfig=asked, ExposedPorts={"80/tcp": {}}) as made:
        found = await made.port(80)
        scene.holds("port(80)", found, found and found[0]["HostPort"] == "6079")
        address = {"IPAMConfig": {"IPv4Address": "10.79.0.79"}, "Aliases": ["www"]}
        await net.connect({"Container": made.id, "EndpointConfig": address})
        seen = (await net.show())["Containers"][made.id]
        scene.same("connect(), show()", seen["IPv4Address"], "10.79.0.79/24")
        await refused(scene, "delete() in use", 403, net.delete(), "has active endpoints")
        await net.disconnect({"Container": made.id})
        scene.same("disconnect()", (await net.show())["Containers"], {})
    pruned = await docker.networks.prune()
    scene.same("networks.prune()", pruned["NetworksDeleted"], ["shop"])
    await refused(scene, "networks.get(nothing)", 404, docker.networks.get("shop"))


async def events(docker: Docker, scene: Scene) -> None:
    # The request is made by a task, later: only with `since` nothing is missed.
    asked = {"since": int(time.time()), "filters": '{"volume": ["seen"]}'}
    subscriber = docker.events.subscribe(**asked)
    await (await docker.volumes.create({"Name": "seen"})).delete()
    came = [(await subscriber.get())["Action"] for _ in range(2)]
    scene.same("events.subscribe()", came, ["create", "destroy"])
    await docker.events.stop()


async def system(docker: Docker, scene: Scene) -> None:
    scene.has("version()", await docker.version(), "ApiVersion", "MinAPIVersion", "Components")
    scene.has("system.info()", await docker.system.info(), "Containers", "Driver", "Swarm")
    await refused(scene, "nodes.list()", 503, docker.nodes.list(), "swarm manager")
    await refused(scene, "services.list()", 503, docker.services.list(), "swarm manager")
    auth = {"username": "me", "password": "secret", "serveraddress": scene.registry}
    scene.same("auth()", (await docker.auth(**auth))["Status"], "Login Succeeded")
