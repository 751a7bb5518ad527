"""What another engine's objects are when this one takes them over: everything but their files.

Times are nanoseconds since the epoch, 0 for never. An object keeps its id, so that whatever names
it goes on meaning it, and so that whoever was interrupted sees what is here already.
"""

from msgspec import Struct

from boxship.model.container import ContainerConfig, HostConfig


class AdoptedPool(Struct, frozen=True, rename="pascal"):
    """A subnet of a network. ``chosen``: by its engine, not by a person."""

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    aux: dict[str, str] = {}
    chosen: bool = False


class AdoptedNetwork(Struct, frozen=True, rename="pascal"):
    """A network that a person made. ``owns_bridge``: its interface was made for it."""

    id: str
    name: str
    driver: str
    created_ns: int
    internal: bool = False
    attachable: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    pools: tuple[AdoptedPool, ...] = ()
    ipam_driver: str = ""
    ipam_options: dict[str, str] | None = None
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    config_only: bool = False
    config_from: str = ""
    owns_bridge: bool = True


class AdoptedVolume(Struct, frozen=True, rename="pascal"):
    """A volume of the local driver.

    ``path`` is its directory on this machine, by which it is known again. ``files``: they are in
    there, and not somewhere that its options have mounted. ``move``: they are taken from there and
    not copied.
    """

    name: str
    created_ns: int
    path: str
    files: bool = True
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None
    move: bool = False


class AdoptedMount(Struct, frozen=True, rename="pascal"):
    """What a container has mounted, whether its host config says so or not.

    ``type`` is ``volume`` or ``bind``. A volume's ``source`` is its directory in the other engine
    (:class:`AdoptedVolume`), so that no other one of its name is taken for it.
    """

    type: str
    destination: str
    source: str = ""
    name: str = ""
    mode: str = ""
    read_write: bool = True
    propagation: str = ""


class AdoptedEndpoint(Struct, frozen=True, rename="pascal"):
    """What was asked of a container's place in a network."""

    network: str
    aliases: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    driver_opts: dict[str, str] | None = None
    mac_address: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local_ips: tuple[str, ...] = ()


class AdoptedState(Struct, frozen=True, rename="pascal"):
    """How a container ended; one that never ran has no ``started_ns``."""

    started_ns: int = 0
    finished_ns: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = False
    restart_count: int = 0
    stopped_by_user: bool = False


class AdoptedContainer(Struct, frozen=True, rename="pascal"):
    """A container that does not run; ``config`` has in it what the image added to it."""

    id: str
    name: str
    created_ns: int
    image: str
    """The image's id; its name is in ``config``."""
    path: str
    args: tuple[str, ...]
    config: ContainerConfig
    host_config: HostConfig
    endpoints: tuple[AdoptedEndpoint, ...] = ()
    mounts: tuple[AdoptedMount, ...] = ()
    state: AdoptedState = AdoptedState()


class Adopted(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """What came of it. ``already``: it had been taken over before, and nothing was done now."""

    id: str
    already: bool = False
    warnings: tuple[str, ...] = ()


# What an archive of a container's files has in it, in this order.

CONTAINER = "container.json"
"""An :class:`AdoptedContainer`."""
LOGS = "logs"
"""A directory: ``0`` is what was written last, ``1`` the file before, and so on.

Whatever the container's log driver is, a line is an entry as json-file writes it.
"""
FILES = "files"
"""A directory: what the container has written, in the words of an image's layer."""
