"""Networks, and containers' places in them, in requests and answers."""

from msgspec import UNSET, Struct, UnsetType, field

from boxship.model.integers import Int64
from boxship.model.statistics import InterfaceStatistics
from boxship.wire.versions import ApiVersion


class EndpointIpam(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """The addresses that were asked for."""

    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")
    link_local_ips: tuple[str, ...] | None = field(default=None, name="LinkLocalIPs")


class Endpoint(Struct, frozen=True, rename="pascal"):
    """A container's place in a network."""

    network_id: str = field(default="", name="NetworkID")
    endpoint_id: str = field(default="", name="EndpointID")
    gateway: str = ""
    ip_address: str = field(default="", name="IPAddress")
    ip_prefix_len: int = field(default=0, name="IPPrefixLen")
    ipv6_gateway: str = field(default="", name="IPv6Gateway")
    global_ipv6_address: str = field(default="", name="GlobalIPv6Address")
    global_ipv6_prefix_len: int = field(default=0, name="GlobalIPv6PrefixLen")
    mac_address: str = ""
    ipam_config: EndpointIpam | None = field(default=None, name="IPAMConfig")
    links: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    driver_opts: dict[str, str] | None = None
    gw_priority: int = 0
    dns_names: tuple[str, ...] | None = field(default=None, name="DNSNames")


class EndpointWish(Struct, frozen=True, rename="pascal"):
    """What a client may ask of an endpoint. What an answer has beyond that is passed over."""

    ipam_config: EndpointIpam | None = field(default=None, name="IPAMConfig")
    links: tuple[str, ...] | None = None
    aliases: tuple[str, ...] | None = None
    mac_address: str = ""
    driver_opts: dict[str, str] | None = None
    gw_priority: Int64 = 0


class NetworkingConfig(Struct, frozen=True, rename="pascal"):
    """Endpoints by the name of their network."""

    endpoints_config: dict[str, EndpointWish | None] | None = None


class ConnectBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /networks/{id}/connect``."""

    container: str = ""
    endpoint_config: EndpointWish | None = None


class DisconnectBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /networks/{id}/disconnect``."""

    container: str = ""
    force: bool = False


class IpamConfig(Struct, frozen=True, rename="pascal", omit_defaults=True):
    """One subnet; CIDRs and addresses as text."""

    subnet: str = ""
    ip_range: str = field(default="", name="IPRange")
    gateway: str = ""
    auxiliary_addresses: dict[str, str] | None = None


class Ipam(Struct, frozen=True, rename="pascal"):
    driver: str = "default"
    options: dict[str, str] | None = None
    config: tuple[IpamConfig, ...] | None = ()


class ConfigFrom(Struct, frozen=True, rename="pascal"):
    network: str = ""


class NetworkBody(Struct, frozen=True, rename="pascal"):
    """The body of ``POST /networks/create``. ``CheckDuplicate`` of older clients is always on."""

    name: str = ""
    driver: str = ""
    scope: str = ""
    enable_ipv4: bool | None = field(default=None, name="EnableIPv4")
    enable_ipv6: bool | None = field(default=None, name="EnableIPv6")
    ipam: Ipam | None = field(default=None, name="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_only: bool = False
    config_from: ConfigFrom | None = None
    options: dict[str, str] | None = None
    labels: dict[str, str] | None = None


class NetworkCreated(Struct, frozen=True, rename="pascal"):
    id: str
    warning: str = ""


class NetworkContainer(Struct, frozen=True, rename="pascal"):
    """Who is on a network; addresses with the prefix of their subnet."""

    name: str
    endpoint_id: str = field(default="", name="EndpointID")
    mac_address: str = ""
    ipv4_address: str = field(default="", name="IPv4Address")
    ipv6_address: str = field(default="", name="IPv6Address")


class Network(Struct, frozen=True, rename="pascal"):
    """A row of ``GET /networks``."""

    name: str
    id: str
    created: str
    driver: str
    scope: str = "local"
    enable_ipv4: bool = field(default=True, name="EnableIPv4")
    enable_ipv6: bool = field(default=False, name="EnableIPv6")
    ipam: Ipam = field(default=Ipam(), name="IPAM")
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    config_from: ConfigFrom = ConfigFrom()
    config_only: bool = False
    options: dict[str, str] = {}
    labels: dict[str, str] = {}


class SubnetStatus(Struct, frozen=True):
    """How full a subnet is."""

    in_use: int = field(name="IPsInUse")
    available: int = field(name="DynamicIPsAvailable")


class IpamStatus(Struct, frozen=True, rename="pascal"):
    subnets: dict[str, SubnetStatus] = {}


class NetworkStatus(Struct, frozen=True):
    ipam: IpamStatus = field(default=IpamStatus(), name="IPAM")


class NetworkTraffic(Struct, frozen=True, rename="pascal"):
    """What containers have received and sent on a network while they were on it; beyond Docker."""

    total: InterfaceStatistics = InterfaceStatistics()
    containers: dict[str, InterfaceStatistics] = {}


class NetworkInspect(Network, frozen=True, rename="pascal"):
    """``GET /networks/{id}``; ``traffic`` with ``verbose``."""

    containers: dict[str, NetworkContainer] = {}
    status: NetworkStatus = NetworkStatus()
    traffic: NetworkTraffic | UnsetType = UNSET


def lists_containers(version: ApiVersion) -> bool:
    """Tell whether the list of networks says who is on each of them."""
    return version < 28
