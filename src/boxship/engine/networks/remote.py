"""Networks whose driver, or whose address management, is a plugin.

::

    create     RequestPool, RequestAddress (gateway) → record decided → CreateNetwork → record
    remove     DeleteNetwork → ReleaseAddress, ReleasePool; what fails is logged, as in Docker
    start      RequestAddress → lease → CreateEndpoint → Join → its interface goes into the sandbox
    end        Leave → DeleteEndpoint → ReleaseAddress, beside everything else

A plugin that gives addresses is believed within its own pool alone: the lease in memory refuses
what another endpoint has. Ends never wait for plugins; an endpoint that a plugin was not told the
end of is its own to clean up, as when a machine loses power.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from ipaddress import IPv4Address, IPv6Address, ip_interface, ip_network
from typing import TYPE_CHECKING, Any

import msgspec

from boxship.base.errors import BoxshipError, InternalError
from boxship.engine.networks.endpoint import EndpointRecord, JoinedInterface, JoinedRoute
from boxship.engine.networks.portwishes import PortWish
from boxship.engine.networks.record import BUILT_IN, NetworkRecord, PoolRecord
from boxship.engine.networks.requests import CreateNetwork, PoolRequest
from boxship.engine.plugins.entry import PluginEntry
from boxship.plugin.capability import Capability
from boxship.plugin.errors import PluginNonsenseError

if TYPE_CHECKING:
    from boxship.engine.networks.making import Surroundings
    from boxship.plugin.ipam import IpamDriver, Pool
    from boxship.plugin.network import EndpointInterface, Joined, NetworkDriver

_log = logging.getLogger(__name__)

IPAM_DRIVERS = ("", "default", "null")
_LAST_WORDS = 2.0
"""Seconds that plugins have to hear of ends when the daemon stops."""
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}


@dataclass(frozen=True)
class Prepared:
    """A wish for a network as far as plugins decide it. ``pools``: their ids by subnet."""

    request: CreateNetwork
    driver: bool = False
    ipam: bool = False
    pools: dict[str, str] = field(default_factory=dict)
    without_gateway: tuple[bool, bool] = (False, False)
    """For IPv4 and IPv6 whether the driver needs no address for a gateway."""

    def within(self, around: "Surroundings") -> "Surroundings":
        """Return the surroundings, with the plugins in it."""
        return replace(
            around,
            remote_driver=self.driver,
            remote_ipam=self.ipam,
            without_gateway=self.without_gateway,
        )

    def record(self, made: NetworkRecord) -> NetworkRecord:
        """Return the record with what plugins have to be told again."""
        return msgspec.structs.replace(made, remote_pools=self.pools) if self.pools else made


class RemoteNetworks:
    """What plugins are asked about networks. Belongs to the event loop."""

    def __init__(self, plugins: PluginEntry) -> None:
        self._plugins = plugins
        self._networks: dict[str, tuple[object, NetworkDriver]] = {}
        self._ipams: dict[str, tuple[object, IpamDriver]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    # ── networks ─────────────────────────────────────────────────────────────────────────────

    @asynccontextmanager
    async def prepared(self, request: CreateNetwork) -> AsyncIterator[Prepared]:
        """Find the plugins of a wish, and have its pools given; they go back on an error.

        NotFoundError: no such driver; errors of asking.
        """
        found = await self._prepared(request)
        try:
            yield found
        except BaseException:
            await self.undo(found)
            raise

    async def _prepared(self, request: CreateNetwork) -> Prepared:
        driver = request.driver not in ("", *BUILT_IN)
        ipam = request.ipam_driver not in IPAM_DRIVERS
        if request.config_only or not (driver or ipam):
            return Prepared(request)
        if driver:
            provider = await self._plugins().provider(Capability.NETWORK, request.driver)
            request = replace(request, driver=provider.name)
        if not ipam:
            skipped = await (await self._network(request.driver)).gateways_skipped(request.options)
            return Prepared(request, True, without_gateway=(skipped.ipv4, skipped.ipv6))
        provider = await self._plugins().provider(Capability.IPAM, request.ipam_driver)
        request = replace(request, ipam_driver=provider.name)
        pools: dict[str, str] = {}
        try:
            given = [
                await self._pool(request, wish, ipv6, pools) for wish, ipv6 in _wishes(request)
            ]
        except BaseException:
            await self.release_pools(request.ipam_driver, pools, ())
            raise
        return Prepared(replace(request, pools=tuple(given)), driver, True, pools)

    async def _pool(
        self, request: CreateNetwork, wish: PoolRequest, ipv6: bool, pools: dict[str, str]
    ) -> PoolRequest:
        """Ask for a pool, and the addresses in it that the network itself needs."""
        names = import_module("boxship.plugin.ipam")
        driver = await self._ipam(request.ipam_driver)
        options = dict(request.ipam_options or {})
        pool: Pool = await driver.request_pool(wish.subnet, wish.ip_range, options, ipv6=ipv6)
        subnet = str(ip_network(pool.subnet))
        pools[subnet] = pool.id
        gateway = wish.gateway or pool.data.get(names.GATEWAY, "").partition("/")[0]
        if wish.gateway or names.GATEWAY not in pool.data:
            kind = {names.ADDRESS_TYPE: names.GATEWAY}
            given = await driver.request_address(pool.id, gateway, options | kind)
            gateway = given.partition("/")[0]
        for address in wish.aux.values():
            await driver.request_address(pool.id, address, options)
        return replace(wish, subnet=subnet, gateway=gateway, chosen=not wish.subnet)

    async def undo(self, prepared: Prepared) -> None:
        """Give back what was given for a network that does not come about."""
        used = [
            (pool.subnet, address)
            for pool in prepared.request.pools
            for address in (pool.gateway, *pool.aux.values())
            if address
        ]
        await self.release_pools(prepared.request.ipam_driver, prepared.pools, used)

    async def create(self, record: NetworkRecord) -> None:
        """Have a network's driver make it. Errors of asking."""
        if record.remote:
            found = import_module("boxship.plugin.network")
            driver = await self._network(record.driver)
            options = {
                found.GENERIC: record.options,
                found.INTERNAL: record.internal,
                found.IPV4: record.enable_ipv4,
                found.IPV6: record.enable_ipv6,
            }
            pools = [found.IpData("", p.subnet, _with_prefix(p), p.aux) for p in record.ipam]
            ipv4 = tuple(pool for pool in pools if ":" not in pool.pool)
            ipv6 = tuple(pool for pool in pools if ":" in pool.pool)
            await driver.create_network(record.id, options, ipv4, ipv6)

    async def delete(self, record: NetworkRecord) -> None:
        """Have a network and its pools removed; what fails is logged."""
        if record.remote:
            try:
                await (await self._network(record.driver)).delete_network(record.id)
            except BoxshipError as error:
                _log.error("network %s: %s", record.name, error)
        used = [(p.subnet, a) for p in record.ipam for a in (p.gateway, *p.aux.values()) if a]
        await self.release_pools(record.ipam_driver, record.remote_pools, used)

    async def release_pools(
        self, ipam: str, pools: dict[str, str], used: Iterable[tuple[str, str]]
    ) -> None:
        """Give addresses and pools back; what fails is logged."""
        try:
            driver = await self._ipam(ipam) if pools else None
        except BoxshipError as error:
            _log.error("IPAM plugin %s keeps %s: %s", ipam, ", ".join(pools), error)
            return
        if driver is None:
            return
        for subnet, address in used:
            await _logged(driver.release_address(pools.get(subnet, ""), address))
        for pool in pools.values():
            await _logged(driver.release_pool(pool))

    def of_driver(self, name: str, networks: Iterable[NetworkRecord]) -> list[str]:
        """Return the networks that a plugin drives or gives addresses to, in words."""
        return [f"network {n.name}" for n in networks if name in (n.driver, n.ipam_driver)]

    # ── endpoints ────────────────────────────────────────────────────────────────────────────

    async def addressed(self, record: NetworkRecord, wish: EndpointRecord) -> EndpointRecord:
        """Return a wish that asks for addresses which the network's plugin gives."""
        if not record.remote_pools:
            return wish
        driver = await self._ipam(record.ipam_driver)
        options = dict(record.ipam_options or {})
        if wish.mac_asked and (await driver.capabilities()).requires_mac_address:
            options[import_module("boxship.plugin.ipam").MAC] = wish.mac_asked
        given: dict[str, str] = {}
        try:
            for key, ipv6 in (("ipv4_asked", False), ("ipv6_asked", True)):
                asked = getattr(wish, key)
                subnet, pool = _pool_for(record, asked, ipv6=ipv6)
                if pool:
                    address = ip_interface(await driver.request_address(pool, asked, options)).ip
                    given[key] = str(address)
                    _check_within(record, address, subnet)
        except BaseException:
            await self.release_addresses(record, given.values())
            raise
        return msgspec.structs.replace(wish, **given)

    async def joined(
        self,
        record: NetworkRecord,
        endpoint: EndpointRecord,
        container_id: str,
        ports: Sequence[PortWish] = (),
    ) -> EndpointRecord:
        """Have a leased endpoint made and joined; return it with what that gave."""
        if not record.remote or endpoint.joined is not None:
            return endpoint
        found = import_module("boxship.plugin.network")
        driver = await self._network(record.driver)
        options = {**(endpoint.driver_opts or {}), found.PORT_MAP: _port_map(ports)}
        has = found.EndpointInterface(endpoint.ipv4, endpoint.ipv6, endpoint.mac)
        given = await driver.create_endpoint(record.id, endpoint.endpoint_id, options, has)
        try:
            key = f"/var/run/docker/netns/{container_id[:12]}"
            joined = await driver.join(record.id, endpoint.endpoint_id, key, options)
            told = await driver.operational_info(record.id, endpoint.endpoint_id)
            await driver.program(record.id, endpoint.endpoint_id, options)
            mac = str(told.get(found.MAC, "") or "")
            endpoint = msgspec.structs.replace(endpoint, mac=endpoint.mac or given.mac_address)
            filled = _filled(endpoint, given, joined, internal=record.internal)
            return msgspec.structs.replace(filled, mac=filled.mac or mac)
        except BaseException:
            self._spawn(_logged(driver.delete_endpoint(record.id, endpoint.endpoint_id)))
            raise

    def left(self, record: NetworkRecord, endpoint: EndpointRecord) -> None:
        """Tell plugins that an endpoint has ended, beside everything else."""
        if record.remote or record.remote_pools:
            self._spawn(self._left(record, endpoint))

    async def _left(self, record: NetworkRecord, endpoint: EndpointRecord) -> None:
        if record.remote and endpoint.joined is not None:
            try:
                driver = await self._network(record.driver)
            except BoxshipError as error:
                _log.error("network %s: %s", record.name, error)
            else:
                ids = (record.id, endpoint.endpoint_id)
                await _logged(driver.revoke(*ids))
                await _logged(driver.leave(*ids))
                await _logged(driver.delete_endpoint(*ids))
        if record.remote_pools:
            await self.release_addresses(record, (endpoint.ipv4, endpoint.ipv6))

    async def release_addresses(self, record: NetworkRecord, addresses: Iterable[str]) -> None:
        """Give addresses back to the plugin they are of; what fails is logged."""
        for text in filter(None, addresses):
            address = ip_interface(text).ip
            for subnet, pool in record.remote_pools.items():
                if address in ip_network(subnet):
                    await _logged(self._release(record.ipam_driver, pool, str(address)))

    async def _release(self, ipam: str, pool: str, address: str) -> None:
        await (await self._ipam(ipam)).release_address(pool, address)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def settled(self) -> None:
        """Wait until plugins have heard of everything that has ended."""
        if self._ending:
            await asyncio.wait(set(self._ending))

    async def close(self) -> None:
        """Let plugins hear of ends for a moment more."""
        tasks = set(self._ending)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST_WORDS)
            for task in late:
                task.cancel()

    # ── drivers ──────────────────────────────────────────────────────────────────────────────

    async def _network(self, name: str) -> "NetworkDriver":
        provider = await self._plugins().provider(Capability.NETWORK, name)
        known = self._networks.get(name)
        if known is None or known[0] is not provider:
            driver = import_module("boxship.plugin.network").NetworkDriver(provider.client)
            known = self._networks[name] = (provider, driver)
        return known[1]

    async def _ipam(self, name: str) -> "IpamDriver":
        provider = await self._plugins().provider(Capability.IPAM, name)
        known = self._ipams.get(name)
        if known is None or known[0] is not provider:
            driver = import_module("boxship.plugin.ipam").IpamDriver(provider.client)
            known = self._ipams[name] = (provider, driver)
        return known[1]


def _check_within(record: NetworkRecord, address: IPv4Address | IPv6Address, subnet: str) -> None:
    if address not in ip_network(subnet):
        raise PluginNonsenseError(
            f"IPAM plugin {record.ipam_driver} gives {address}, which is not of {subnet}"
        )


async def _logged(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except BoxshipError as error:
        _log.error("%s", error)


def _wishes(request: CreateNetwork) -> list[tuple[PoolRequest, bool]]:
    """Return the pools to ask for: those of the wish, and one of each family that lacks any."""
    asked = [
        (pool, ":" in (pool.subnet or pool.gateway or pool.ip_range)) for pool in request.pools
    ]
    families = [False] * (request.enable_ipv4 is not False) + [True] * (request.enable_ipv6 is True)
    missing = [family for family in families if family not in [ipv6 for _, ipv6 in asked]]
    return [*asked, *((PoolRequest(), ipv6) for ipv6 in missing)]


def _with_prefix(pool: PoolRecord) -> str:
    return f"{pool.gateway}/{ip_network(pool.subnet).prefixlen}" if pool.gateway else ""


def _pool_for(record: NetworkRecord, asked: str, *, ipv6: bool) -> tuple[str, str]:
    """Return the subnet that an address is to be of, and its pool's id; empty: there is none."""
    found = [(s, i) for s, i in record.remote_pools.items() if (":" in s) is ipv6]
    if asked:
        within = [(s, i) for s, i in found if ip_interface(asked).ip in ip_network(s)]
        return within[0] if within else ("", "")
    return found[0] if found else ("", "")


def _port_map(wishes: Iterable[PortWish]) -> list[dict[str, object]]:
    """Return the ports to be published as libnetwork's ``PortBinding``, one for each port."""
    return [
        {
            "Proto": _PROTOCOLS.get(wish.span.protocol, 0),
            "IP": "",
            "Port": port,
            "HostIP": wish.host_address,
            "HostPort": wish.host_first + offset if wish.exact else wish.host_first,
            "HostPortEnd": wish.host_first + offset if wish.exact else wish.host_last,
        }
        for wish in wishes
        for offset, port in enumerate(range(wish.span.first, wish.span.last + 1))
    ]


def _filled(
    endpoint: EndpointRecord,
    given: "EndpointInterface",
    joined: "Joined",
    *,
    internal: bool,
) -> EndpointRecord:
    name = joined.interface_name
    if not name.src_name and (joined.static_routes or joined.gateway):
        raise InternalError(f"endpoint {endpoint.endpoint_id} has routes and no interface")
    interface = JoinedInterface(
        source=name.src_name,
        prefix=name.dst_prefix,
        routes=tuple(
            JoinedRoute(route.destination, route.next_hop if route.route_type == 0 else "")
            for route in joined.static_routes
        ),
    )
    return msgspec.structs.replace(
        endpoint,
        ipv4=endpoint.ipv4 or given.address,
        ipv6=endpoint.ipv6 or given.address_ipv6,
        gateway="" if internal else joined.gateway,
        ipv6_gateway="" if internal else joined.gateway_ipv6,
        joined=interface,
    )
