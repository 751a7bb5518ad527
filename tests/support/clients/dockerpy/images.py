"""Images: what they are, archives of them, and a registry."""

import docker
from docker import errors
from docker.utils import version_gte

from support.clients.telling import Scene


def images(client: docker.DockerClient, scene: Scene) -> None:
    image = client.images.get("busybox")
    scene.same("images.get('busybox').tags", image.tags, ["busybox:latest"])
    scene.same("images.list(name='busybox')", client.images.list(name="busybox"), [image])
    for filters in ({"reference": "busy*"}, {"dangling": False}):
        scene.same(f"images.list(filters={filters})", client.images.list(filters=filters), [image])
    scene.has("history()", image.history()[0], "Id", "CreatedBy", "Size")
    scene.same("tag('shop/app', tag='1')", image.tag("shop/app", tag="1"), True)
    image.reload()
    scene.same("tags", sorted(image.tags), ["busybox:latest", "shop/app:1"])
    archive = b"".join(image.save(named="shop/app:1"))
    client.images.remove("shop/app:1")
    (loaded,) = client.images.load(archive)
    scene.same("save(); load()", loaded, image)
    client.images.remove("shop/app:1")
    _imported(client, scene)
    scene.refused(
        "images.get('nothing')", errors.ImageNotFound, lambda: client.images.get("nothing")
    )
    bad = lambda: image.tag("shop/UPPER")  # noqa: E731
    scene.refused("tag('shop/UPPER')", errors.APIError, bad, "invalid reference format")
    holder = client.containers.create("busybox", "true")
    in_use = lambda: client.images.remove("busybox")  # noqa: E731
    scene.refused("images.remove() in use", errors.APIError, in_use, "409")
    holder.remove()
    broken = lambda: client.images.load(b"not an archive")  # noqa: E731
    scene.refused("images.load(no archive)", errors.DockerException, broken)


def _imported(client: docker.DockerClient, scene: Scene) -> None:
    holder = client.containers.create("busybox", "true")
    tree = b"".join(holder.export())
    holder.remove()
    said = client.api.import_image_from_data(tree, repository="imported", tag="1")
    scene.has("api.import_image_from_data()", said, "sha256:")
    said = client.containers.run("imported:1", "echo it works", network_mode="none", remove=True)
    scene.same("run of it", said, b"it works\n")
    removed = client.api.remove_image("imported:1")
    scene.has("remove_image()", removed, {"Untagged": "imported:1"})
    if version_gte(client.api._version, "1.25"):
        scene.holds("images.prune()", client.images.prune(), True)


def registry(client: docker.DockerClient, scene: Scene) -> None:
    name = f"{scene.registry}/shop/py"
    image = client.images.get("busybox")
    image.tag(name, tag="1")
    pushed = list(client.images.push(name, tag="1", stream=True, decode=True))
    scene.has("images.push(): the end", pushed[-1].get("aux", pushed[-1]), "Digest", "Tag")
    digest = pushed[-1]["aux"]["Digest"]
    if version_gte(client.api._version, "1.30"):
        found = client.images.get_registry_data(f"{name}:1")
        scene.same("images.get_registry_data().id", found.id, digest)
    client.images.remove(f"{name}:1")
    pulled = client.images.pull(name, tag="1")
    scene.same("images.pull()", pulled, image)
    scene.has("attrs['RepoDigests']", pulled.attrs["RepoDigests"], f"{name}@{digest}")
    client.images.remove(f"{name}:1")
    same = client.images.pull(f"{name}@{digest}")
    scene.same("images.pull(by digest)", same, image)
    client.images.remove(f"{name}@{digest}")
    for _ in client.api.pull(name, tag="1", stream=True, decode=True):
        pass
    scene.same("images.pull(all_tags=True)", client.images.pull(name, all_tags=True), [image])
    client.images.remove(f"{name}:1")
    missing = lambda: client.images.pull(name, tag="nothing")  # noqa: E731
    scene.refused("images.pull(no such tag)", errors.NotFound, missing)
    said = list(client.api.push("nobody/has-that", stream=True, decode=True))
    scene.has("api.push(no such image)", said[-1], "error")
