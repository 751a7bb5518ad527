"""Plugins written with the base classes, asked by the engine's own side."""

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

import pytest

from boxship.plugin.activation import activate
from boxship.plugin.capability import Capability
from boxship.plugin.client import PluginClient
from boxship.plugin.endpoint import Endpoint
from boxship.plugin.errors import PluginRefusedError
from boxship.plugin.ipam import IpamDriver
from boxship.plugin.log import LogPlugin as LogAsker
from boxship.plugin.network import EndpointInterface, IpData, NetworkDriver, StaticRoute
from boxship.plugin.sdk.addresses import AddressPlugin, AddressPool
from boxship.plugin.sdk.logs import Entry, Logged, LogPlugin
from boxship.plugin.sdk.networks import Interface, Joined, NetworkPlugin, Pool
from boxship.plugin.sdk.serving import Part, PluginServer, RefusedError
from boxship.runtime.logs import driver
from boxship.runtime.logs.plugin import open_driver
from boxship.runtime.messages import LogFacts, LogTarget


@contextmanager
def served(tmp_path: Path, part: Part, capability: Capability) -> Iterator[PluginClient]:
    server = PluginServer(str(tmp_path / "own.sock"), [part])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        client = PluginClient("own", Endpoint(path=str(tmp_path / "own.sock")))
        assert asyncio.run(activate(client)) == {capability}
        yield client
    finally:
        server.shutdown()
        thread.join()
        server.close()


class Shelf(LogPlugin):
    reads = True

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[Entry] = []
        self.ended: list[str] = []

    def begin(self, container: Logged) -> None:
        if container.options.get("full"):
            raise RefusedError("the disk is full")

    def write(self, container: Logged, entry: Entry) -> None:
        assert container.name == "web"
        self.kept.append(entry)

    def end(self, container: Logged) -> None:
        self.ended.append(container.id)

    def read(self, container: Logged, config: Mapping[str, object]) -> Iterator[Entry]:
        assert (container.id, config) == ("c1", {"Tail": 2})
        yield from self.kept


def test_a_log_plugin_keeps_lines_and_gives_them_back(tmp_path: Path) -> None:
    shelf = Shelf()
    lines = [Entry("stdout", 5, b"one"), Entry("stderr", 1 << 60, b"\xff" * 200, goes_on=True)]

    def target(**options: str) -> LogTarget:
        facts = LogFacts(container_id="c1", container_name="web")
        address, pipes = str(tmp_path / "own.sock"), str(tmp_path / "pipes")
        return LogTarget(
            driver="own", options=options, facts=facts, address=address, directory=pipes
        )

    async def read(client: PluginClient) -> list[Entry]:
        asker = LogAsker(client)
        assert await asker.reads()
        info = {"ContainerID": "c1", "ContainerName": "/web"}
        return [entry async for entry in asker.read(info, {"Tail": 2})]

    with served(tmp_path, shelf, Capability.LOG) as client:
        sender = open_driver(target())
        piece = driver.Partial("a", 1, False)
        sender.send([driver.Entry("stdout", 5, b"one")])
        sender.send([driver.Entry("stderr", 1 << 60, b"\xff" * 200, piece)])
        sender.close()  # returns when the plugin has read everything
        assert (shelf.kept, shelf.ended) == (lines, ["c1"])
        assert asyncio.run(read(client)) == lines
        with pytest.raises(driver.DeliveryError, match="the disk is full"):
            open_driver(target(full="yes"))


class Wires(NetworkPlugin):
    def __init__(self) -> None:
        self.told: list[object] = []

    def create_network(
        self, network: str, options: Mapping[str, object], ipv4: list[Pool], ipv6: list[Pool]
    ) -> None:
        if "bad" in options:
            raise RefusedError("no such option: bad")
        self.told.append((network, options, ipv4, ipv6))

    def delete_network(self, network: str) -> None:
        self.told.append(("delete", network))

    def create_endpoint(
        self, network: str, endpoint: str, options: Mapping[str, object], has: Interface
    ) -> Interface:
        self.told.append((endpoint, has))
        return Interface(mac="02:00:00:00:00:01")

    def join(
        self, network: str, endpoint: str, sandbox: str, options: Mapping[str, object]
    ) -> Joined:
        return Joined(
            "w0", "wire", "10.9.0.1", routes={"10.8.0.0/16": "10.9.0.7", "10.7.0.0/16": ""}
        )

    def leave(self, network: str, endpoint: str) -> None:
        self.told.append(("leave", network, endpoint))


def test_a_network_plugin_makes_networks_and_endpoints(tmp_path: Path) -> None:
    wires = Wires()

    async def use(client: PluginClient) -> None:
        asker = NetworkDriver(client)
        generic = "com.docker.network.generic"
        pool = IpData(pool="10.9.0.0/16", gateway="10.9.0.1/16")
        await asker.create_network("n", {generic: {"a": "b"}}, (pool,), ())
        has = EndpointInterface(address="10.9.0.2/16")
        given = await asker.create_endpoint("n", "e", {}, has)
        assert given == EndpointInterface(mac_address="02:00:00:00:00:01")
        joined = await asker.join("n", "e", "/key", {})
        assert (joined.interface_name.src_name, joined.gateway) == ("w0", "10.9.0.1")
        assert joined.static_routes == (
            StaticRoute("10.8.0.0/16", 0, "10.9.0.7"),
            StaticRoute("10.7.0.0/16", 1),
        )
        assert await asker.operational_info("n", "e") == {}
        await asker.program("n", "e", {})
        await asker.revoke("n", "e")
        await asker.leave("n", "e")
        await asker.delete_endpoint("n", "e")
        await asker.delete_network("n")
        with pytest.raises(PluginRefusedError, match="no such option: bad"):
            await asker.create_network("m", {generic: {"bad": "1"}}, (), ())

    with served(tmp_path, wires, Capability.NETWORK) as client:
        asyncio.run(use(client))
    assert wires.told == [
        ("n", {"a": "b"}, [Pool("10.9.0.0/16", "10.9.0.1/16")], []),
        ("e", Interface("10.9.0.2/16")),
        ("leave", "n", "e"),
        ("delete", "n"),
    ]


class Counter(AddressPlugin):
    wants_mac = True

    def __init__(self) -> None:
        self.free = [str(host) for host in ip_network("10.6.0.0/29").hosts()]

    def request_pool(
        self, subnet: str, part: str, options: Mapping[str, str], *, ipv6: bool
    ) -> AddressPool:
        if ipv6:
            raise RefusedError("IPv4 alone")
        return AddressPool("p", subnet or "10.6.0.0/29", {"part": part} | dict(options))

    def release_pool(self, pool: str) -> None:
        assert pool == "p"

    def request_address(self, pool: str, address: str, options: Mapping[str, str]) -> str:
        self.free.remove(address or self.free[0])
        return f"{address or '10.6.0.1'}/29"

    def release_address(self, pool: str, address: str) -> None:
        self.free.append(address)


def test_an_address_plugin_gives_and_takes(tmp_path: Path) -> None:
    counter = Counter()

    async def use(client: PluginClient) -> None:
        asker = IpamDriver(client)
        assert (await asker.capabilities()).requires_mac_address
        pool = await asker.request_pool("", "10.6.0.0/30", {"k": "v"}, ipv6=False)
        assert (pool.id, pool.subnet) == ("p", "10.6.0.0/29")
        assert pool.data == {"part": "10.6.0.0/30", "k": "v"}
        assert await asker.request_address("p", "", {}) == "10.6.0.1/29"
        assert await asker.request_address("p", "10.6.0.5", {}) == "10.6.0.5/29"
        await asker.release_address("p", "10.6.0.1")
        await asker.release_pool("p")
        with pytest.raises(PluginRefusedError, match="IPv4 alone"):
            await asker.request_pool("", "", {}, ipv6=True)

    with served(tmp_path, counter, Capability.IPAM) as client:
        asyncio.run(use(client))
    assert counter.free == ["10.6.0.2", "10.6.0.3", "10.6.0.4", "10.6.0.6", "10.6.0.1"]


def test_a_plugin_that_lacks_a_call_is_not_made() -> None:
    class Half(AddressPlugin):
        def release_pool(self, pool: str) -> None:
            """Nothing."""

    with pytest.raises(TypeError, match=r"abstract methods? .*request_pool"):
        Half()  # type: ignore[abstract]
