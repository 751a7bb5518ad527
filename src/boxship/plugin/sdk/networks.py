"""Network plugins: subclass :class:`NetworkPlugin`."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from boxship.plugin.sdk.serving import Answer, Json, Part, RefusedError, text

_GENERIC = "com.docker.network.generic"
_NEXT_HOP, _CONNECTED = 0, 1


@dataclass(frozen=True)
class Pool:
    """Addresses of a network; ``gateway`` has the pool's prefix (``10.1.0.1/16``)."""

    subnet: str
    gateway: str = ""


@dataclass(frozen=True)
class Interface:
    """Addresses of an endpoint, with prefixes; empty: not given."""

    address: str = ""
    address_ipv6: str = ""
    mac: str = ""


@dataclass(frozen=True)
class Joined:
    """What a container gets: an interface of the host, which is moved and renamed, and routes."""

    interface: str
    prefix: str = "eth"
    gateway: str = ""
    gateway_ipv6: str = ""
    routes: Mapping[str, str] = field(default_factory=dict)
    """Next hop by destination; an empty one: it is reached directly."""


class NetworkPlugin(Part):
    """Drives networks. To refuse, raise ``RefusedError``; calls come in several threads at once.

    Networks and endpoints are told by their ids.
    """

    scope = "local"

    @abstractmethod
    def create_network(
        self, network: str, options: Mapping[str, object], ipv4: list[Pool], ipv6: list[Pool]
    ) -> None:
        """Make a network; ``options`` are those of ``network create -o``."""

    @abstractmethod
    def delete_network(self, network: str) -> None:
        """Remove it."""

    def create_endpoint(
        self, network: str, endpoint: str, options: Mapping[str, object], has: Interface
    ) -> Interface:
        """Make an endpoint; return what it gets beside what it ``has``."""
        del network, endpoint, options, has
        return Interface()

    def delete_endpoint(self, network: str, endpoint: str) -> None:
        """Remove it."""

    @abstractmethod
    def join(
        self, network: str, endpoint: str, sandbox: str, options: Mapping[str, object]
    ) -> Joined:
        """Have a container join; ``sandbox`` tells it from others."""

    def leave(self, network: str, endpoint: str) -> None:
        """It has left."""

    def info(self, network: str, endpoint: str) -> Mapping[str, object]:
        """Return what there is to be told of an endpoint."""
        del network, endpoint
        return {}

    def publish(self, network: str, endpoint: str, options: Mapping[str, object]) -> None:
        """Make the ports in ``options["com.docker.network.portmap"]`` reachable."""

    def withdraw(self, network: str, endpoint: str) -> None:
        """Its ports are not to be reached any more."""

    def capability(self) -> str:
        return "NetworkDriver"

    def calls(self) -> Mapping[str, Callable[[Json], Answer]]:
        return {
            "NetworkDriver.GetCapabilities": lambda _: {"Scope": self.scope},
            "NetworkDriver.CreateNetwork": self._create_network,
            "NetworkDriver.DeleteNetwork": self._delete_network,
            "NetworkDriver.CreateEndpoint": self._create_endpoint,
            "NetworkDriver.DeleteEndpoint": _done(self.delete_endpoint),
            "NetworkDriver.EndpointOperInfo": lambda wish: {"Value": dict(self.info(*_ids(wish)))},
            "NetworkDriver.Join": self._join,
            "NetworkDriver.Leave": _done(self.leave),
            "NetworkDriver.ProgramExternalConnectivity": self._publish,
            "NetworkDriver.RevokeExternalConnectivity": _done(self.withdraw),
            "NetworkDriver.DiscoverNew": lambda _: {},
            "NetworkDriver.DiscoverDelete": lambda _: {},
        }

    def _create_network(self, wish: Json) -> Answer:
        options = _fields(_options(wish).get(_GENERIC))
        pools = (_pools(wish, "IPv4Data"), _pools(wish, "IPv6Data"))
        self.create_network(text(wish, "NetworkID"), options, *pools)
        return {}

    def _delete_network(self, wish: Json) -> Answer:
        self.delete_network(text(wish, "NetworkID"))
        return {}

    def _create_endpoint(self, wish: Json) -> Answer:
        told = _fields(wish.get("Interface"))
        has = Interface(text(told, "Address"), text(told, "AddressIPv6"), text(told, "MacAddress"))
        given = self.create_endpoint(*_ids(wish), _options(wish), has)
        fields = {
            "Address": given.address,
            "AddressIPv6": given.address_ipv6,
            "MacAddress": given.mac,
        }
        return {"Interface": {name: value for name, value in fields.items() if value}}

    def _join(self, wish: Json) -> Answer:
        joined = self.join(*_ids(wish), text(wish, "SandboxKey"), _options(wish))
        return {
            "InterfaceName": {"SrcName": joined.interface, "DstPrefix": joined.prefix},
            "Gateway": joined.gateway,
            "GatewayIPv6": joined.gateway_ipv6,
            "StaticRoutes": [
                {
                    "Destination": destination,
                    "RouteType": _NEXT_HOP if hop else _CONNECTED,
                    "NextHop": hop,
                }
                for destination, hop in joined.routes.items()
            ],
        }

    def _publish(self, wish: Json) -> Answer:
        self.publish(*_ids(wish), _options(wish))
        return {}


def _done(call: Callable[[str, str], None]) -> Callable[[Json], Answer]:
    def done(wish: Json) -> Answer:
        call(*_ids(wish))
        return {}

    return done


def _ids(wish: Json) -> tuple[str, str]:
    return text(wish, "NetworkID"), text(wish, "EndpointID")


def _options(wish: Json) -> Mapping[str, object]:
    return _fields(wish.get("Options"))


def _pools(wish: Json, field_name: str) -> list[Pool]:
    told = wish.get(field_name)
    if told is None:
        return []
    if not isinstance(told, list):
        raise RefusedError(f"{field_name} is no array")
    pools = map(_fields, told)
    return [Pool(text(pool, "Pool"), text(pool, "Gateway")) for pool in pools]


def _fields(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
