"""Take the inventory of a data root."""

import os

from boxship.importing import containers, images, networks, volumes
from boxship.importing.inventory import Inventory, LeftOut
from boxship.importing.root import DockerRoot

_SWARM_STATE = ("swarm", "docker-state.json")


def take_inventory(root: DockerRoot) -> Inventory:
    """Read everything but files' contents. What cannot be read is left out, and told.

    ConflictError: containers of it run; UnavailableError: a document that all depends on cannot be
    read.
    """
    left: list[LeftOut] = []
    inventory = Inventory(
        containers=containers.found(root, left),
        images=tuple(images.found(root, left)),
        networks=tuple(networks.found(root, left)),
        volumes=tuple(volumes.found(root, left)),
    )
    if os.path.exists(root.join(*_SWARM_STATE)):
        left.append(LeftOut("swarm", "", "services, secrets and nodes are not taken over"))
    return Inventory(
        inventory.images, inventory.networks, inventory.volumes, inventory.containers, tuple(left)
    )
