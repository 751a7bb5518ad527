"""The JSON documents in a data root, as far as they are read; fields are dockerd's."""

from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from boxship.base.clock import parse_rfc3339
from boxship.base.errors import InvalidArgumentError, UnavailableError
from boxship.model.container import ContainerConfig

T = TypeVar("T")

_NEVER = "0001-01-01T00:00:00Z"


def read(path: str, shape: type[T]) -> T:
    """Read a document. UnavailableError: it is not there, or not what it should be."""
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(), type=shape)
    except (OSError, msgspec.MsgspecError) as error:
        raise UnavailableError(f"{path} cannot be read: {error}") from error


def moment(text: str) -> int:
    """Return a time in nanoseconds; 0 for never."""
    if not text or text == _NEVER:
        return 0
    try:
        return parse_rfc3339(text)
    except (ValueError, InvalidArgumentError):
        return 0


class Repositories(Struct, frozen=True, rename="pascal"):
    """``repositories.json``: ids by name, by repository."""

    repositories: dict[str, dict[str, str]] = {}


class RootFs(Struct, frozen=True):
    diff_ids: tuple[str, ...] | None = None


class ImageConfig(Struct, frozen=True):
    """Of an image's config what is needed to find its layers."""

    rootfs: RootFs = RootFs()


class VolumeMetadata(Struct, frozen=True, rename="pascal"):
    """A value of ``volumes/metadata.db``."""

    name: str = ""
    driver: str = "local"
    labels: dict[str, str] | None = None
    options: dict[str, str] | None = None


class NetworkDocument(Struct, frozen=True):
    """A value of ``docker/network/v1.0/network/<id>/``; pools are JSON in JSON."""

    id: str
    name: str
    driver: str = field(name="networkType", default="bridge")
    scope: str = "local"
    created: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = field(name="configOnly", default=False)
    config_from: str = field(name="configFrom", default="")
    enable_ipv4: bool = field(name="enableIPv4", default=True)
    enable_ipv6: bool = field(name="enableIPv6", default=False)
    generic: dict[str, Any] | None = None
    labels: dict[str, str] | None = None
    ipam_type: str = field(name="ipamType", default="default")
    ipam_options: dict[str, str] | None = field(name="ipamOptions", default=None)
    ipv4_config: str = field(name="ipamV4Config", default="")
    ipv4_info: str = field(name="ipamV4Info", default="")
    ipv6_config: str = field(name="ipamV6Config", default="")
    ipv6_info: str = field(name="ipamV6Info", default="")


class PoolConfig(Struct, frozen=True, rename="pascal"):
    """What was asked of a subnet."""

    preferred_pool: str = ""
    sub_pool: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] | None = None


class PoolInfo(Struct, frozen=True):
    """What came of it; ``data`` is JSON of a :class:`PoolData`."""

    data: str = field(name="IPAMData", default="{}")


class PoolData(Struct, frozen=True, rename="pascal"):
    pool: str = ""
    gateway: str = ""


class BridgeDocument(Struct, frozen=True):
    """A value of ``docker/network/v1.0/bridge/<id>/``. ``creator`` 2: its bridge was there."""

    creator: int = field(name="BridgeIfaceCreator", default=0)


class StateDocument(Struct, frozen=True, rename="pascal"):
    running: bool = False
    dead: bool = False
    removal_in_progress: bool = False
    pid: int = 0
    exit_code: int = 0
    error: str = ""
    oom_killed: bool = field(name="OOMKilled", default=False)
    started_at: str = ""
    finished_at: str = ""


class IpamWish(Struct, frozen=True):
    ipv4_address: str = field(name="IPv4Address", default="")
    ipv6_address: str = field(name="IPv6Address", default="")
    link_local_ips: tuple[str, ...] | None = field(name="LinkLocalIPs", default=None)


class EndpointDocument(Struct, frozen=True, rename="pascal"):
    """A container's place in a network. ``dns_names`` is there since Docker 25."""

    ipam_config: IpamWish | None = field(name="IPAMConfig", default=None)
    links: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    driver_opts: dict[str, str] | None = None
    dns_names: tuple[str, ...] | None = field(name="DNSNames", default=None)
    desired_mac_address: str = ""


class NetworkSettings(Struct, frozen=True, rename="pascal"):
    networks: dict[str, EndpointDocument] | None = None


class MountDocument(Struct, frozen=True, rename="pascal"):
    type: str = "bind"
    source: str = ""
    destination: str = ""
    name: str = ""
    driver: str = ""
    relabel: str = ""
    read_write: bool = field(name="RW", default=True)
    propagation: str = ""


class ContainerDocument(Struct, frozen=True, rename="pascal"):
    """``config.v2.json``."""

    id: str = field(name="ID")
    config: ContainerConfig
    state: StateDocument = StateDocument()
    created: str = ""
    path: str = ""
    args: tuple[str, ...] | None = None
    image: str = ""
    network_settings: NetworkSettings | None = None
    name: str = ""
    driver: str = ""
    os: str = field(name="OS", default="linux")
    restart_count: int = 0
    has_been_manually_stopped: bool = False
    mount_points: dict[str, MountDocument] | None = None
