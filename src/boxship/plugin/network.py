"""Network drivers: ``NetworkDriver.*``, typed.

::

    CreateNetwork                         DeleteNetwork
      CreateEndpoint                        DeleteEndpoint
        Join                                  Leave
          ProgramExternalConnectivity           RevokeExternalConnectivity

``Join`` names an interface of the host, which goes into the container's namespace, and its routes.
"""

from collections.abc import Mapping
from ipaddress import ip_address, ip_interface, ip_network
from typing import Any

import msgspec
from msgspec import Struct

from boxship.plugin.client import Nothing, PluginClient
from boxship.plugin.errors import PluginRefusedError

GENERIC = "com.docker.network.generic"
INTERNAL = "com.docker.network.internal"
IPV4, IPV6 = "com.docker.network.enable_ipv4", "com.docker.network.enable_ipv6"
PORT_MAP = "com.docker.network.portmap"
EXPOSED = "com.docker.network.endpoint.exposedports"
MAC = "com.docker.network.endpoint.macaddress"
"""In an endpoint's operational information."""
_NEXT_HOP = 0


class IpData(Struct, frozen=True, rename="pascal"):
    """A network's pool. ``gateway`` has the prefix of the pool."""

    address_space: str = ""
    pool: str = ""
    gateway: str = ""
    aux_addresses: dict[str, str] = msgspec.field(default_factory=dict)


class EndpointInterface(Struct, frozen=True, rename="pascal"):
    """Addresses of an endpoint with their prefixes; empty: not given."""

    address: str = ""
    address_ipv6: str = msgspec.field(default="", name="AddressIPv6")
    mac_address: str = ""


class StaticRoute(Struct, frozen=True, rename="pascal"):
    """A route in the container. Without ``next_hop`` what is there is reached directly."""

    destination: str = ""
    route_type: int = _NEXT_HOP
    next_hop: str = ""


class InterfaceName(Struct, frozen=True, rename="pascal"):
    """An interface of the host, and what its name in the container begins with."""

    src_name: str = ""
    dst_prefix: str = ""
    dst_name: str = ""


class Joined(Struct, frozen=True, rename="pascal"):
    """What a container that joins gets."""

    interface_name: InterfaceName = InterfaceName()
    gateway: str = ""
    gateway_ipv6: str = msgspec.field(default="", name="GatewayIPv6")
    static_routes: tuple[StaticRoute, ...] = ()
    disable_gateway_service: bool = False


class NetworkCapabilities(Struct, frozen=True, rename="pascal"):
    """What a driver is: ``local`` or ``global``, and whether it is asked about gateways."""

    scope: str = "local"
    connectivity_scope: str = ""
    gw_alloc_checker: bool = False


class SkippedGateways(Struct, frozen=True):
    """For which versions of IP a network needs no gateway's address."""

    ipv4: bool = msgspec.field(default=False, name="SkipIPv4")
    ipv6: bool = msgspec.field(default=False, name="SkipIPv6")


class _Network(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")


class _CreateNetwork(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")
    options: dict[str, Any] = msgspec.field(name="Options")
    ipv4: tuple[IpData, ...] = msgspec.field(name="IPv4Data")
    ipv6: tuple[IpData, ...] = msgspec.field(name="IPv6Data")


class _Endpoint(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")
    endpoint: str = msgspec.field(name="EndpointID")


class _CreateEndpoint(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")
    endpoint: str = msgspec.field(name="EndpointID")
    options: dict[str, Any] = msgspec.field(name="Options")
    interface: EndpointInterface = msgspec.field(name="Interface")


class _Created(Struct, frozen=True, rename="pascal"):
    interface: EndpointInterface | None = None


class _Join(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")
    endpoint: str = msgspec.field(name="EndpointID")
    sandbox: str = msgspec.field(name="SandboxKey")
    options: dict[str, Any] = msgspec.field(name="Options")


class _Program(Struct, frozen=True):
    network: str = msgspec.field(name="NetworkID")
    endpoint: str = msgspec.field(name="EndpointID")
    options: dict[str, Any] = msgspec.field(name="Options")


class _Info(Struct, frozen=True, rename="pascal"):
    value: dict[str, Any] = msgspec.field(default_factory=dict)


class _Discovery(Struct, frozen=True, rename="pascal"):
    discovery_type: int
    discovery_data: dict[str, Any]


class NetworkDriver:
    """Asks a plugin about networks. Errors of all calls as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client
        self._capabilities: NetworkCapabilities | None = None

    async def capabilities(self) -> NetworkCapabilities:
        """Return what the driver is; who does not know the call is a local one."""
        if self._capabilities is None:
            try:
                self._capabilities = await self._client.ask(
                    "NetworkDriver.GetCapabilities", {}, NetworkCapabilities
                )
            except PluginRefusedError:
                self._capabilities = NetworkCapabilities()
        return self._capabilities

    async def gateways_skipped(self, options: Mapping[str, str]) -> SkippedGateways:
        """Ask which gateways a network does not need, if the driver wants to be asked."""
        if not (await self.capabilities()).gw_alloc_checker:
            return SkippedGateways()
        wish = {"Options": {GENERIC: dict(options)}}
        return await self._client.ask("NetworkDriver.GwAllocCheck", wish, SkippedGateways)

    async def create_network(
        self,
        network: str,
        options: Mapping[str, Any],
        ipv4: tuple[IpData, ...],
        ipv6: tuple[IpData, ...],
    ) -> None:
        """Have a network made."""
        wish = _CreateNetwork(network, dict(options), ipv4, ipv6)
        await self._work("CreateNetwork", wish)

    async def delete_network(self, network: str) -> None:
        """Have it removed."""
        await self._work("DeleteNetwork", _Network(network))

    async def create_endpoint(
        self, network: str, endpoint: str, options: Mapping[str, Any], has: EndpointInterface
    ) -> EndpointInterface:
        """Have an endpoint made; return what the driver adds to its addresses."""
        wish = _CreateEndpoint(network, endpoint, dict(options), has)
        answer = await self._client.ask(
            "NetworkDriver.CreateEndpoint", wish, _Created, within=self._client.timeouts.work
        )
        given = answer.interface or EndpointInterface()
        for field in ("address", "address_ipv6", "mac_address"):
            if getattr(given, field) and getattr(has, field):
                raise self._nonsense("CreateEndpoint", f"it changes {field}, which was given")
        for text in filter(None, (given.address, given.address_ipv6)):
            self._check("CreateEndpoint", text, ip_interface)
        return given

    async def delete_endpoint(self, network: str, endpoint: str) -> None:
        """Have it removed."""
        await self._work("DeleteEndpoint", _Endpoint(network, endpoint))

    async def join(
        self, network: str, endpoint: str, sandbox: str, options: Mapping[str, Any]
    ) -> Joined:
        """Have a container join; ``sandbox`` tells its namespace from others."""
        wish = _Join(network, endpoint, sandbox, dict(options))
        joined = await self._client.ask(
            "NetworkDriver.Join", wish, Joined, within=self._client.timeouts.work
        )
        self._check_joined(joined)
        return joined

    async def leave(self, network: str, endpoint: str) -> None:
        """It has left."""
        await self._work("Leave", _Endpoint(network, endpoint))

    async def operational_info(self, network: str, endpoint: str) -> dict[str, Any]:
        """Return what the driver says of an endpoint."""
        wish = _Endpoint(network, endpoint)
        try:
            return (await self._client.ask("NetworkDriver.EndpointOperInfo", wish, _Info)).value
        except PluginRefusedError as error:
            if error.status != 404:
                raise
            return {}

    async def program(self, network: str, endpoint: str, options: Mapping[str, Any]) -> None:
        """The container's ports are to be published; drivers need not know this call."""
        wish = _Program(network, endpoint, dict(options))
        await self._optional("ProgramExternalConnectivity", wish)

    async def revoke(self, network: str, endpoint: str) -> None:
        """They are not published any more; drivers need not know this call."""
        await self._optional("RevokeExternalConnectivity", _Endpoint(network, endpoint))

    async def discovered(self, kind: int, data: Mapping[str, Any], *, gone: bool = False) -> None:
        """Tell of a node (``kind`` 1) that has come or gone."""
        wish = _Discovery(kind, dict(data))
        await self._optional("DiscoverDelete" if gone else "DiscoverNew", wish)

    async def _work(self, method: str, wish: object) -> None:
        await self._client.ask(
            f"NetworkDriver.{method}", wish, Nothing, within=self._client.timeouts.work
        )

    async def _optional(self, method: str, wish: object) -> None:
        try:
            await self._work(method, wish)
        except PluginRefusedError as error:
            if error.status != 404:
                raise

    def _check_joined(self, joined: Joined) -> None:
        name = joined.interface_name
        if "/" in name.src_name or len(name.src_name) > 15 or len(name.dst_prefix) > 12:
            raise self._nonsense("Join", f"{name.src_name!r} is no interface's name")
        for gateway in filter(None, (joined.gateway, joined.gateway_ipv6)):
            self._check("Join", gateway, ip_address)
        for route in joined.static_routes:
            self._check("Join", route.destination, ip_network)
            if route.route_type == _NEXT_HOP:
                self._check("Join", route.next_hop, ip_address)

    def _check(self, method: str, text: str, read: Any) -> None:
        try:
            read(text)
        except ValueError as error:
            raise self._nonsense(method, str(error)) from None

    def _nonsense(self, method: str, what: str) -> Exception:
        return self._client.nonsense(f"NetworkDriver.{method}", what)
