"""What the engine remembers of a network: ``NetworkRecord``, persisted, frozen, as JSON.

A field added later gets a default here and needs no migration. Addresses are text, as the Engine
API writes them: ``172.18.0.0/16``, ``fd00:1::/64``, ``172.18.0.1``.
"""

import hashlib

import msgspec
from msgspec import Struct

BRIDGE, HOST, NONE = "bridge", "host", "none"
PREDEFINED = (BRIDGE, HOST, NONE)
"""Names of the networks that are always there (``bridge`` unless it is configured away)."""


BUILT_IN = frozenset({"bridge", "host", "ipvlan", "macvlan", "null", "overlay"})
"""Drivers that need no plugin."""


def predefined_id(name: str) -> str:
    """Return the id of a network that is always there: it follows from its name, for ever."""
    return hashlib.sha256(f"boxship network {name}".encode()).hexdigest()


class PoolRecord(Struct, frozen=True):
    """One subnet of a network and what of it is given out.

    ``ip_range`` is a part of the subnet, empty for all of it; ``aux`` are addresses by name that
    others use. ``chosen``: nobody asked for this subnet, it comes from the default address pools.
    """

    subnet: str
    ip_range: str = ""
    gateway: str = ""
    aux: dict[str, str] = {}
    chosen: bool = False

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.subnet


class NetworkRecord(Struct, frozen=True):
    """A network. ``interface`` is the host's end of it: a bridge, or a macvlan's parent."""

    id: str
    name: str
    driver: str
    created_ns: int
    scope: str = "local"
    internal: bool = False
    attachable: bool = False
    ingress: bool = False
    enable_ipv4: bool = True
    enable_ipv6: bool = False
    ipam: tuple[PoolRecord, ...] = ()
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    options: dict[str, str] = {}
    labels: dict[str, str] = {}
    config_only: bool = False
    config_from: str = ""
    interface: str = ""
    owns_interface: bool = True
    """Whether the interface was made for this network and goes with it."""
    remote_pools: dict[str, str] = {}
    """The ids that a plugin gave the subnets of ``ipam``, by subnet."""

    @property
    def predefined(self) -> bool:
        return self.name in PREDEFINED

    @property
    def remote(self) -> bool:
        """Whether a plugin drives it."""
        return self.driver not in BUILT_IN

    @property
    def user_defined(self) -> bool:
        """Docker's word for networks that have names and aliases: all but the predefined."""
        return not self.predefined


_DECODER = msgspec.json.Decoder(NetworkRecord)
_ENCODER = msgspec.json.Encoder()


def encode_record(record: NetworkRecord) -> bytes:
    """Write the record as it stands in the database."""
    return _ENCODER.encode(record)


def decode_record(body: bytes) -> NetworkRecord:
    """Read what :func:`encode_record` wrote, also of an older version."""
    return _DECODER.decode(body)
