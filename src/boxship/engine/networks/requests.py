"""What callers of the network use cases hand in and get back; all frozen, parsed at the edge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from boxship.engine.networks.endpoint import EndpointRecord
from boxship.engine.networks.record import NetworkRecord
from boxship.model.labels import ANY_LABELS, LabelFilter


@dataclass(frozen=True)
class PoolRequest:
    """A subnet that is asked for; everything may be empty. ``chosen``: by another engine."""

    subnet: str = ""
    ip_range: str = ""
    gateway: str = ""
    aux: Mapping[str, str] = field(default_factory=dict)
    chosen: bool = False


@dataclass(frozen=True)
class Origin:
    """What a network was in the engine that it comes from.

    ``owns_bridge``: its bridge was made for it, and may be there still.
    """

    id: str
    created_ns: int
    owns_bridge: bool = True


@dataclass(frozen=True)
class CreateNetwork:
    """A wish for a network. ``enable_ipv4``/``enable_ipv6`` None: as the daemon is set up."""

    name: str
    driver: str = ""
    scope: str = ""
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool | None = None
    enable_ipv6: bool | None = None
    pools: tuple[PoolRequest, ...] = ()
    ipam_driver: str = ""
    ipam_options: Mapping[str, str] | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    config_only: bool = False
    config_from: str = ""
    origin: Origin | None = None


@dataclass(frozen=True)
class CreatedNetwork:
    id: str
    warning: str = ""


@dataclass(frozen=True)
class NetworkQuery:
    """Which networks to list; ``filters`` as in Docker, each word any-of."""

    filters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class NetworkPrune:
    """Which of the unused networks to remove; ``until_ns``: created by then."""

    until_ns: int | None = None
    labels: LabelFilter = ANY_LABELS

    def admits(self, record: NetworkRecord) -> bool:
        """Tell whether a network is to go if nobody is on it."""
        if record.predefined or record.config_only:
            return False
        if self.until_ns is not None and record.created_ns > self.until_ns:
            return False
        return self.labels.admits(record.labels)


@dataclass(frozen=True)
class Tenant:
    """Who holds an endpoint, for people and for events."""

    id: str
    name: str


@dataclass(frozen=True)
class Lease:
    """An endpoint that is in use now, and whose it is."""

    endpoint: EndpointRecord
    tenant: Tenant


@dataclass(frozen=True)
class SubnetUse:
    """How full a subnet is: addresses that are taken or reserved, and those still to be given."""

    subnet: str
    in_use: int
    available: int


@dataclass(frozen=True)
class NetworkDetail:
    """A network with those who are on it now."""

    record: NetworkRecord
    leases: tuple[Lease, ...] = ()
    usage: tuple[SubnetUse, ...] = ()
