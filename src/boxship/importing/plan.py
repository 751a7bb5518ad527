"""What is to be done, from what there is on both sides; pure.

The order is that of need: containers come after the images, networks and volumes that they use. An
image brings the layers alone that no image before it, here or there, has.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from msgspec import structs

from boxship.importing.inventory import FoundContainer, FoundImage, Inventory, LeftOut
from boxship.model.adoption import AdoptedNetwork, AdoptedVolume

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Selection:
    """Which kinds are wanted; containers bring along what they need. None: everything."""

    images: bool = False
    volumes: bool = False
    containers: bool = False
    move: bool = False
    """Volumes' files are moved and not copied."""

    @property
    def everything(self) -> bool:
        return not (self.images or self.volumes or self.containers)


@dataclass(frozen=True, slots=True)
class Present:
    """What the daemon has already. ``names`` are the ids that names of images mean there."""

    images: Collection[str] = ()
    layers: Collection[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    containers: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class TakeImage:
    """``layers`` are those that have to be sent; ``names`` those that mean nothing else there."""

    image: FoundImage
    names: tuple[str, ...]
    layers: frozenset[str]

    def __str__(self) -> str:
        names = ", ".join(self.names) or "(no name)"
        count = f"{len(self.layers)} of {len(self.image.layers)} layers"
        return f"image      {names} {_short(self.image.id)}, {count}"


@dataclass(frozen=True, slots=True)
class NameImage:
    """The image is there, but not by these names."""

    image: FoundImage
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"tag        {', '.join(self.names)} for {_short(self.image.id)}, which is here"


@dataclass(frozen=True, slots=True)
class TakeNetwork:
    network: AdoptedNetwork

    def __str__(self) -> str:
        subnets = ", ".join(pool.subnet for pool in self.network.pools) or "no subnet"
        return f"network    {self.network.name} {self.network.id[:_SHORT]}, {subnets}"


@dataclass(frozen=True, slots=True)
class TakeVolume:
    volume: AdoptedVolume

    def __str__(self) -> str:
        how = "move" if self.volume.move else "copy"
        files = f"{how} {self.volume.path}" if self.volume.files else "no files of its own"
        return f"volume     {self.volume.name}, {files}"


@dataclass(frozen=True, slots=True)
class TakeContainer:
    container: FoundContainer

    def __str__(self) -> str:
        wanted = self.container.wanted
        return f"container  {wanted.name} {wanted.id[:_SHORT]} of {wanted.config.image}"


Step = TakeImage | NameImage | TakeNetwork | TakeVolume | TakeContainer


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps in order, what is there already, and what will not come."""

    steps: tuple[Step, ...]
    already: int
    left_out: tuple[LeftOut, ...]


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:_SHORT]


def make_plan(inventory: Inventory, present: Present, selection: Selection) -> Plan:
    """Decide. Networks and volumes that are there are asked for again: a move may be unfinished."""
    inventory = _selected(inventory, selection)
    containers = [c for c in inventory.containers if c.wanted.id not in present.containers]
    steps: list[Step] = []
    left = list(inventory.left_out)
    steps += _images(inventory.images, present, left)
    steps += map(TakeNetwork, inventory.networks)
    steps += (TakeVolume(structs.replace(v, move=selection.move)) for v in inventory.volumes)
    steps += map(TakeContainer, containers)
    here = [image for image in inventory.images if image.id in present.images]
    already = len(inventory.containers) - len(containers) + len(here)
    return Plan(tuple(steps), already, tuple(left))


def _selected(inventory: Inventory, selection: Selection) -> Inventory:
    """Leave out what was not asked for, and images that are steps of builds alone."""
    everything = selection.everything
    containers = inventory.containers if everything or selection.containers else ()
    used = {container.wanted.image for container in containers}
    parents = {image.parent for image in inventory.images}
    all_images = everything or selection.images
    images = tuple(
        image
        for image in inventory.images
        if image.id in used or (all_images and (image.names or image.id not in parents))
    )
    mounted = {mount.name for each in containers for mount in each.wanted.mounts}
    volumes = tuple(
        volume
        for volume in inventory.volumes
        if everything or selection.volumes or volume.name in mounted
    )
    networks = inventory.networks if everything or selection.containers else ()
    kinds = {"image": all_images, "volume": everything or selection.volumes}
    left = tuple(
        each
        for each in inventory.left_out
        if kinds.get(each.kind, everything or selection.containers)
    )
    return replace(
        inventory,
        images=images,
        volumes=volumes,
        networks=tuple(sorted(networks, key=lambda n: (not n.config_only, n.created_ns))),
        containers=containers,
        left_out=left,
    )


def _images(
    images: tuple[FoundImage, ...], present: Present, left: list[LeftOut]
) -> Iterator[TakeImage | NameImage]:
    have = set(present.layers)
    for image in sorted(images, key=lambda each: (len(each.layers), each.id)):
        free = []
        for name in image.names:
            owner = present.names.get(name)
            if owner is None:
                free.append(name)
            elif owner != image.id:
                reason = f"that name is another image's here; this one has the id {image.id}"
                left.append(LeftOut("name", name, reason))
        if image.id not in present.images:
            yield TakeImage(image, tuple(free), frozenset(image.layers) - have)
            have |= set(image.layers)
        elif free:
            yield NameImage(image, tuple(free))
