"""Take the inventory of a data root."""

import os
from dataclasses import replace

from msgspec import structs

from boxship.importing import containerd, containers, images, networks, volumes
from boxship.importing.inventory import FoundContainer, Inventory, LeftOut
from boxship.importing.root import DockerRoot
from boxship.model.adoption import AdoptedContainer

_SWARM_STATE = ("swarm", "docker-state.json")


def take_inventory(root: DockerRoot) -> Inventory:
    """Read everything but files' contents. What cannot be read is left out, and told.

    ConflictError: containers of it run; UnavailableError: a document that all depends on cannot be
    read.
    """
    left: list[LeftOut] = []
    inventory = Inventory(
        containers=containers.found(root, left),
        images=(*images.found(root, left), *containerd.found(root, left)),
        networks=tuple(networks.found(root, left)),
        volumes=tuple(volumes.found(root, left)),
    )
    if os.path.exists(root.join(*_SWARM_STATE)):
        left.append(LeftOut("swarm", "", "services, secrets and nodes are not taken over"))
    return replace(inventory, containers=_by_config(inventory), left_out=tuple(left))


def _by_config(inventory: Inventory) -> tuple[FoundContainer, ...]:
    """Have containers name images by their configs' digests, whatever they were called there."""
    ids = {image.target: image.id for image in inventory.images if image.target}

    def renamed(wanted: AdoptedContainer) -> AdoptedContainer:
        return structs.replace(wanted, image=ids.get(wanted.image, wanted.image))

    return tuple(replace(each, wanted=renamed(each.wanted)) for each in inventory.containers)
