"""Address management by plugins: ``IpamDriver.*``, typed.

Pools and addresses are text with a prefix (``10.1.0.0/16``, ``10.1.0.5/16``) in answers; an address
that is asked for has none.
"""

from collections.abc import Mapping
from ipaddress import ip_interface, ip_network

import msgspec
from msgspec import Struct

from boxship.plugin.client import Nothing, PluginClient
from boxship.plugin.errors import PluginRefusedError

ADDRESS_TYPE = "RequestAddressType"
GATEWAY = "com.docker.network.gateway"
"""The value of :data:`ADDRESS_TYPE` for a gateway's address; also a gateway in a pool's data."""
MAC = "com.docker.network.endpoint.macaddress"


class IpamCapabilities(Struct, frozen=True):
    """What a driver wants to be told."""

    requires_mac_address: bool = msgspec.field(default=False, name="RequiresMACAddress")


class Pool(Struct, frozen=True):
    """A pool that was given."""

    id: str = msgspec.field(default="", name="PoolID")
    subnet: str = msgspec.field(default="", name="Pool")
    data: dict[str, str] = msgspec.field(default_factory=dict, name="Data")


class _Spaces(Struct, frozen=True, rename="pascal"):
    local_default_address_space: str = ""
    global_default_address_space: str = ""


class _RequestPool(Struct, frozen=True, rename="pascal"):
    address_space: str
    pool: str
    sub_pool: str
    options: dict[str, str]
    v6: bool


class _PoolId(Struct, frozen=True):
    id: str = msgspec.field(name="PoolID")


class _RequestAddress(Struct, frozen=True):
    id: str = msgspec.field(name="PoolID")
    address: str = msgspec.field(name="Address")
    options: dict[str, str] = msgspec.field(name="Options")


class _ReleaseAddress(Struct, frozen=True):
    id: str = msgspec.field(name="PoolID")
    address: str = msgspec.field(name="Address")


class _Address(Struct, frozen=True, rename="pascal"):
    address: str = ""


class IpamDriver:
    """Asks a plugin about addresses. Errors of all calls as of :meth:`PluginClient.ask`."""

    def __init__(self, client: PluginClient) -> None:
        self._client = client
        self._space: str | None = None
        self._capabilities: IpamCapabilities | None = None

    async def capabilities(self) -> IpamCapabilities:
        """Return what the driver wants; who does not know the call wants nothing."""
        if self._capabilities is None:
            try:
                self._capabilities = await self._client.ask(
                    "IpamDriver.GetCapabilities", {}, IpamCapabilities
                )
            except PluginRefusedError:
                self._capabilities = IpamCapabilities()
        return self._capabilities

    async def request_pool(
        self, subnet: str, part: str, options: Mapping[str, str], *, ipv6: bool
    ) -> Pool:
        """Ask for a pool; an empty ``subnet`` leaves it to the driver."""
        wish = _RequestPool(await self._local_space(), subnet, part, dict(options), ipv6)
        pool = await self._client.ask(
            "IpamDriver.RequestPool", wish, Pool, within=self._client.timeouts.work
        )
        self._check_pool(pool, ipv6=ipv6)
        return pool

    async def release_pool(self, pool_id: str) -> None:
        """Give a pool back."""
        await self._client.ask(
            "IpamDriver.ReleasePool", _PoolId(pool_id), Nothing, within=self._client.timeouts.work
        )

    async def request_address(self, pool_id: str, address: str, options: Mapping[str, str]) -> str:
        """Ask for an address; an empty one leaves it to the driver. It comes with its prefix."""
        wish = _RequestAddress(pool_id, address, dict(options))
        given = await self._client.ask(
            "IpamDriver.RequestAddress", wish, _Address, within=self._client.timeouts.work
        )
        try:
            found = ip_interface(given.address)
        except ValueError:
            raise self._nonsense("RequestAddress", f"{given.address!r} is no address") from None
        if "/" not in given.address:
            raise self._nonsense("RequestAddress", f"{given.address} lacks its prefix")
        if address and str(found.ip) != address:
            raise self._nonsense("RequestAddress", f"asked for {address}, it is {found.ip}")
        return str(found)

    async def release_address(self, pool_id: str, address: str) -> None:
        """Give an address back; ``address`` without its prefix."""
        wish = _ReleaseAddress(pool_id, address)
        await self._client.ask(
            "IpamDriver.ReleaseAddress", wish, Nothing, within=self._client.timeouts.work
        )

    async def _local_space(self) -> str:
        if self._space is None:
            found = await self._client.ask("IpamDriver.GetDefaultAddressSpaces", {}, _Spaces)
            self._space = found.local_default_address_space
        return self._space

    def _check_pool(self, pool: Pool, *, ipv6: bool) -> None:
        try:
            found = ip_network(pool.subnet)
        except ValueError:
            raise self._nonsense("RequestPool", f"{pool.subnet!r} is no subnet") from None
        if (found.version == 6) is not ipv6:
            raise self._nonsense("RequestPool", f"{found} is of the other version of IP")

    def _nonsense(self, method: str, what: str) -> Exception:
        return self._client.nonsense(f"IpamDriver.{method}", what)
