"""What a container is made of, as ``GET /containers/{id}/explain`` tells it; sizes in bytes."""

from typing import Any

from msgspec import Struct


class LayerStep(Struct, frozen=True, rename="pascal"):
    """A layer of an image; ``created_by`` is what made it, empty where the image does not say."""

    id: str
    size: int = 0
    created_by: str = ""


class Difference(Struct, frozen=True, rename="pascal"):
    """A field of ``HostConfig`` that is not what a plain ``run`` sets."""

    field: str
    value: Any = None
    default: Any = None


class Namespace(Struct, frozen=True, rename="pascal"):
    """``id`` is the kernel's, as ``net:[4026531840]``, empty while it does not run."""

    kind: str
    id: str = ""
    of_host: bool = False


class Interface(Struct, frozen=True, rename="pascal"):
    """A network interface, as it is seen from inside, and the bytes it has carried."""

    name: str
    received: int = 0
    sent: int = 0


class CgroupValue(Struct, frozen=True, rename="pascal"):
    """A file of a cgroup that limits or counts; ``value`` is as the kernel says it."""

    name: str
    file: str
    value: str


class Explanation(Struct, frozen=True, rename="pascal", kw_only=True):
    """A container as it is; ``commands`` are a shell script that makes the same."""

    id: str
    name: str
    status: str
    pid: int
    runtime: str
    image: str
    image_id: str = ""
    command: tuple[str, ...]
    differences: tuple[Difference, ...] = ()
    layers: tuple[LayerStep, ...] = ()
    """Topmost first, below what the container itself has written."""
    writable: str = ""
    """Where that is, on the host."""
    writable_size: int = 0
    network_mode: str = ""
    namespaces: tuple[Namespace, ...] = ()
    addresses: tuple[str, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    cgroup_version: int = 0
    cgroups: tuple[str, ...] = ()
    limits: tuple[CgroupValue, ...] = ()
    usage: tuple[CgroupValue, ...] = ()
    commands: tuple[str, ...] = ()
