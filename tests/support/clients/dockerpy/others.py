"""Volumes, networks, events, the system."""

import threading
import time
from typing import Any

import docker
from docker import errors, types
from docker.utils import version_gte

from support.clients.dockerpy.streams import running
from support.clients.telling import Scene


def volumes(client: docker.DockerClient, scene: Scene) -> None:
    made = client.volumes.create("data", driver="local", labels={"of": "docker-py"})
    scene.same("volumes.create('data').name", made.name, "data")
    for filters in (
        {"name": "dat"},
        {"label": "of=docker-py"},
        {"driver": "local"},
        {"dangling": True},
    ):
        scene.same(f"volumes.list(filters={filters})", client.volumes.list(filters=filters), [made])
    scene.has("volumes.get('data').attrs", client.volumes.get("data").attrs, "Mountpoint", "Scope")
    client.containers.run("busybox", "touch /data/kept", volumes=["data:/data"], remove=True)
    said = client.containers.run("busybox", "ls /data", volumes=["data:/data:ro"], remove=True)
    scene.same("kept from container to container", said, b"kept\n")
    with running(client, volumes=["data:/data"]):
        scene.refused("remove() in use", errors.APIError, made.remove, "409", "volume is in use")
        listed = client.volumes.list(filters={"dangling": False})
        scene.same("volumes.list(dangling=False)", listed, [made])
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    small = client.volumes.create("small", driver_opts=options)
    said = client.containers.run("busybox", "df -m /s", volumes=["small:/s"], remove=True)
    scene.has("volumes.create(driver_opts=…)", said.split(), b"tmpfs", b"1")
    small.remove()
    scene.refused("volumes.get('small')", errors.NotFound, lambda: client.volumes.get("small"))
    bad = lambda: client.volumes.create("a/b")  # noqa: E731
    scene.refused("volumes.create('a/b')", errors.APIError, bad, "400")
    made.remove()
    if version_gte(client.api._version, "1.25"):
        client.volumes.create()
        pruned = client.volumes.prune()["VolumesDeleted"]
        scene.holds("volumes.prune()", pruned, len(pruned) == 1)


def networks(client: docker.DockerClient, scene: Scene) -> None:
    pool = types.IPAMPool(subnet="10.77.0.0/24", gateway="10.77.0.1")
    ipam = types.IPAMConfig(pool_configs=[pool])
    net = client.networks.create("shop", ipam=ipam, labels={"of": "docker-py"}, internal=True)
    for filters in ({"name": "shop"}, {"label": "of=docker-py"}, {"type": "custom"}):
        scene.same(
            f"networks.list(filters={filters})", client.networks.list(filters=filters), [net]
        )
    web = client.containers.create("busybox", ["sleep", "1000"], name="web")
    net.connect(web, aliases=["www"], ipv4_address="10.77.0.77")
    web.start()
    net.reload()
    scene.same("connect(ipv4_address=…): containers", net.containers, [web])
    web.reload()
    endpoint = web.attrs["NetworkSettings"]["Networks"]["shop"]
    scene.same("its address", endpoint["IPAddress"], "10.77.0.77")
    said = client.containers.run("busybox", "ping -c1 www", network="shop", remove=True)
    scene.has("another container: ping www", said, b"10.77.0.77", b"1 packets received")
    scene.refused("remove() in use", errors.APIError, net.remove, "has active endpoints")
    net.disconnect(web)
    net.reload()
    scene.same("disconnect()", net.containers, [])
    web.remove(force=True)
    again = lambda: client.networks.create("shop", check_duplicate=True)  # noqa: E731
    scene.refused("networks.create() once more", errors.APIError, again, "409")
    net.remove()
    scene.refused("networks.get() of none", errors.NotFound, lambda: client.networks.get("shop"))
    attrs = client.networks.get("bridge").attrs
    scene.has("networks.get('bridge').attrs", attrs, "IPAM", "Options", "Containers", "Created")
    if version_gte(client.api._version, "1.25"):
        client.networks.create("unused")
        scene.same("networks.prune()", client.networks.prune(), {"NetworksDeleted": ["unused"]})


def events(client: docker.DockerClient, scene: Scene) -> None:
    came: list[dict[str, object]] = []
    stream = client.events(decode=True, filters={"type": ["container"]})

    def listen() -> None:
        for event in stream:
            came.append(event)
            if event["Action"] == "destroy":
                return

    since = time.time()
    listener = threading.Thread(target=listen)
    listener.start()
    client.containers.run("busybox", "true", labels={"a": "b"}, network_mode="none", remove=True)
    listener.join(20)
    stream.close()
    actions = [event["Action"] for event in came]
    wanted = ["create", "start", "die", "destroy"]
    scene.same("events(decode=True)", [action for action in actions if action in wanted], wanted)
    scene.has("an event", came[0], "Type", "Actor", "time", "timeNano", "scope")
    old = {"status", "id", "from"} & set(came[0])
    scene.same(
        "its fields of before 1.52", len(old), 0 if version_gte(client.api._version, "1.52") else 3
    )
    past = client.events(
        decode=True, since=int(since), until=int(time.time()) + 1, filters={"event": "die"}
    )
    seen = [event["Actor"]["Attributes"]["exitCode"] for event in past]
    scene.has("events(since, until, filters={'event': 'die'})", seen, "0")


def system(client: docker.DockerClient, scene: Scene) -> None:
    scene.same("ping()", client.ping(), True)
    version = client.version()
    scene.has("version()", version, "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion")
    info = client.info()
    scene.has("info()", info, "Containers", "Images", "Driver", "CgroupDriver", "NCPU", "Plugins")
    if version_gte(client.api._version, "1.25"):
        new = ("ImageUsage", "ContainerUsage", "VolumeUsage")
        old = ("LayersSize", "Images", "Containers", "Volumes")
        scene.has("df()", client.df(), *(new if version_gte(client.api._version, "1.52") else old))
    said = client.login("me", "wrong", registry=scene.registry, reauth=True)
    scene.same("login() to a registry that asks for nothing", said["Status"], "Login Succeeded")
    for noun in ("nodes", "services", "secrets", "configs"):
        if noun == "secrets" and not version_gte(client.api._version, "1.25"):
            continue
        if noun == "configs" and not version_gte(client.api._version, "1.30"):
            continue
        collection: Any = getattr(client, noun)
        scene.refused(f"{noun}.list()", errors.APIError, collection.list, "503", "swarm manager")
    if version_gte(client.api._version, "1.25"):
        scene.same("plugins.list()", client.plugins.list(), [])
