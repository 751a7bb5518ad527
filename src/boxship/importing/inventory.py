"""What there is in a data root: frozen, and complete but for files' contents."""

from dataclasses import dataclass

from boxship.model.adoption import AdoptedContainer, AdoptedNetwork, AdoptedVolume


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image; ``layers`` are its diff ids, lowest first. ``parent``: it was built on that.

    ``target`` is what containerd's store calls it, empty in dockerd's own.
    """

    id: str
    driver: str
    layers: tuple[str, ...]
    names: tuple[str, ...] = ()
    parent: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class FoundContainer:
    """A container, and the storage driver that has its files."""

    wanted: AdoptedContainer
    driver: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not taken over, and why."""

    kind: str
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Inventory:
    """All of it; ``left_out`` is what cannot be read, or has no meaning elsewhere."""

    images: tuple[FoundImage, ...] = ()
    networks: tuple[AdoptedNetwork, ...] = ()
    volumes: tuple[AdoptedVolume, ...] = ()
    containers: tuple[FoundContainer, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
