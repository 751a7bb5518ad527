"""Networks driven by a plugin, and addresses given by one, with Docker's own client."""

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from support.fakeplugin import Answers, FakePlugin, Json, serving
from support.lab import Lab
from support.waiting import eventually

pytestmark = pytest.mark.privileged


class Wires:
    """A network driver: a bridge for each network, a veth pair for each endpoint."""

    def __init__(self, lab: Lab) -> None:
        self._machine = lab.machine
        self.join: Json = {}
        self.skips_gateway = False

    def _ip(self, *words: str) -> None:
        self._machine.run("ip", *words)

    def answers(self) -> Answers:
        return {
            "NetworkDriver.GetCapabilities": lambda _: {"Scope": "local", "GwAllocChecker": True},
            "NetworkDriver.GwAllocCheck": lambda _: {"SkipIPv4": self.skips_gateway},
            "NetworkDriver.CreateNetwork": self._create,
            "NetworkDriver.DeleteNetwork": self._delete,
            "NetworkDriver.CreateEndpoint": lambda _: {
                "Interface": {"MacAddress": "02:42:0a:63:00:aa"}
            },
            "NetworkDriver.DeleteEndpoint": lambda _: {},
            "NetworkDriver.Join": self._join,
            "NetworkDriver.EndpointOperInfo": lambda _: {"Value": {}},
            "NetworkDriver.Leave": lambda _: {},
            "NetworkDriver.RevokeExternalConnectivity": lambda _: {},
        }

    def _create(self, wish: Json) -> Json:
        if "refuse" in wish["Options"]["com.docker.network.generic"]:
            return {"Err": "out of wires"}
        self._ip("link", "add", _bridge(wish), "type", "bridge")
        if gateway := wish["IPv4Data"][0]["Gateway"]:
            self._ip("address", "add", gateway, "dev", _bridge(wish))
        self._ip("link", "set", _bridge(wish), "up")
        return {}

    def _delete(self, wish: Json) -> Json:
        self._ip("link", "del", _bridge(wish))
        return {}

    def _join(self, wish: Json) -> Json:
        if self.join:
            return self.join
        outer, inner = f"o{wish['EndpointID'][:8]}", f"i{wish['EndpointID'][:8]}"
        self._ip("link", "add", outer, "type", "veth", "peer", "name", inner)
        self._ip("link", "set", outer, "master", _bridge(wish), "up")
        return {
            "InterfaceName": {"SrcName": inner, "DstPrefix": "wire"},
            "Gateway": "10.99.0.1",
            "StaticRoutes": [
                {"Destination": "10.98.0.0/16", "RouteType": 0, "NextHop": "10.99.0.7"},
                {"Destination": "10.97.0.0/16", "RouteType": 1},
            ],
        }


def _bridge(wish: Json) -> str:
    return f"w{wish['NetworkID'][:8]}"


class Addresses:
    """An address management that counts from .50 on."""

    def __init__(self) -> None:
        self.given: set[str] = set()
        self.pools: list[str] = []

    def answers(self) -> Answers:
        return {
            "IpamDriver.GetCapabilities": lambda _: {},
            "IpamDriver.GetDefaultAddressSpaces": lambda _: {"LocalDefaultAddressSpace": "here"},
            "IpamDriver.RequestPool": self._pool,
            "IpamDriver.ReleasePool": self._release_pool,
            "IpamDriver.RequestAddress": self._address,
            "IpamDriver.ReleaseAddress": self._release,
        }

    def _pool(self, wish: Json) -> Json:
        assert wish["AddressSpace"] == "here"
        self.pools.append("pool-1")
        return {"PoolID": "pool-1", "Pool": wish["Pool"] or "10.96.0.0/24", "Data": None}

    def _release_pool(self, wish: Json) -> Json:
        self.pools.remove(wish["PoolID"])
        return {}

    def _address(self, wish: Json) -> Json:
        hosts = (str(host) for host in list(IPv4Network("10.96.0.0/24").hosts())[49:])
        address = wish["Address"] or next(host for host in hosts if host not in self.given)
        self.given.add(address)
        return {"Address": f"{address}/24"}

    def _release(self, wish: Json) -> Json:
        self.given.remove(wish["Address"])
        return {}


@contextmanager
def plugged(lab: Lab, name: str, implements: str, answers: Answers) -> Iterator[FakePlugin]:
    own = Path("/run/docker") if lab.is_dockerd else lab.engine.exec
    directory = own / "plugins"
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}.sock"
    try:
        with serving(str(path), implements, answers) as plugin:
            yield plugin
    finally:
        path.unlink()


def test_a_container_on_a_plugins_network(lab: Lab) -> None:
    with plugged(lab, "wires", "NetworkDriver", Wires(lab).answers()) as plugin:
        lab.docker(
            *("network", "create", "-d", "wires", "--subnet=10.99.0.0/24", "-o", "a=b", "wired")
        )
        made = next(wish for method, wish in plugin.asked if method.endswith("CreateNetwork"))
        assert made["IPv4Data"][0]["Pool"] == "10.99.0.0/24"
        assert made["IPv4Data"][0]["Gateway"] == "10.99.0.1/24"
        assert made["Options"]["com.docker.network.generic"] == {"a": "b"}
        box = lab.run("web", "--network=wired", "-p", "8080:80")
        assert box.interfaces()["wire0"] == [f"{box.address()}/24"]
        assert box.endpoint()["MacAddress"] == "02:42:0a:63:00:aa"
        routes = box.run("ip", "route").splitlines()
        assert any(line.startswith("default via 10.99.0.1 dev wire0") for line in routes)
        assert any(line.startswith("10.98.0.0/16 via 10.99.0.7") for line in routes)
        assert any(line.startswith("10.97.0.0/16 dev wire0") for line in routes)
        box.exec("ping", "-c1", "-W2", "10.99.0.1")
        programmed = next(
            wish for method, wish in plugin.asked if "ProgramExternalConnectivity" in method
        )
        (port,) = programmed["Options"]["com.docker.network.portmap"]
        assert (port["Port"], port["HostPort"], port["Proto"]) == (80, 8080, 6)
        box.remove()
        for method in ("RevokeExternalConnectivity", "Leave", "DeleteEndpoint"):
            plugin.wait_asked(f"NetworkDriver.{method}")
        lab.docker("network", "rm", "wired")
        assert plugin.methods()[-1] == "NetworkDriver.DeleteNetwork"


def test_a_running_container_is_connected_and_disconnected(lab: Lab) -> None:
    with plugged(lab, "wires", "NetworkDriver", Wires(lab).answers()) as plugin:
        lab.docker("network", "create", "-d", "wires", "--subnet=10.99.0.0/24", "wired")
        box = lab.run("web")
        lab.docker("network", "connect", "wired", "web")
        assert "wire0" in box.interfaces()
        lab.docker("network", "disconnect", "wired", "web")
        assert "wire0" not in box.interfaces()
        plugin.wait_asked("NetworkDriver.DeleteEndpoint")
        lab.docker("network", "rm", "wired")


@pytest.mark.boxshipd
def test_one_that_refuses_or_lies_leaves_nothing(lab: Lab) -> None:
    wires = Wires(lab)
    with plugged(lab, "wires", "NetworkDriver", wires.answers()) as plugin:
        said = lab.docker.run("network", "create", "-d", "wires", "-o", "refuse=1", "bad")
        assert (said.code, "out of wires" in said.err) == (1, True)
        assert lab.docker.run("network", "inspect", "bad").code == 1
        said = lab.docker.run("network", "create", "-d", "nowires", "bad")
        assert 'plugin "nowires" not found' in said.err
        lab.docker("network", "create", "-d", "wires", "--subnet=10.99.0.0/24", "wired")
        wires.join = {"InterfaceName": {"SrcName": "nowhere0", "DstPrefix": "eth"}}
        said = lab.docker.run("run", "--rm", "--network=wired", "busybox", "true")
        assert (said.code, "nowhere0" in said.err) == (125, True)
        plugin.wait_asked("NetworkDriver.DeleteEndpoint")
        plugin.asked.clear()
        wires.join = {"InterfaceName": {"SrcName": "../x"}, "Gateway": "here"}
        said = lab.docker.run("run", "--rm", "--network=wired", "busybox", "true")
        assert "answers NetworkDriver.Join with nonsense" in said.err
        plugin.wait_asked("NetworkDriver.DeleteEndpoint")
        lab.docker("network", "rm", "wired")


@pytest.mark.boxshipd
def test_one_that_needs_no_gateway_gets_none(lab: Lab) -> None:
    """Of dockerd since 28: drivers are asked."""
    wires = Wires(lab)
    wires.skips_gateway = True
    with plugged(lab, "wires", "NetworkDriver", wires.answers()) as plugin:
        lab.docker("network", "create", "-d", "wires", "--subnet=10.99.0.0/24", "wired")
        (config,) = lab.inspect_network("wired")["IPAM"]["Config"]
        assert config == {"Subnet": "10.99.0.0/24"}
        made = next(wish for method, wish in plugin.asked if method.endswith("CreateNetwork"))
        assert made["IPv4Data"][0]["Gateway"] == ""
        lab.docker("network", "rm", "wired")


def test_addresses_that_a_plugin_gives(lab: Lab) -> None:
    addresses = Addresses()
    with plugged(lab, "books", "IpamDriver", addresses.answers()) as plugin:
        options = ("--ipam-driver=books", "--ipam-opt=k=v", "--subnet=10.96.0.0/24")
        lab.docker("network", "create", *options, "booked")
        assert addresses.given == {"10.96.0.50"}  # the gateway's
        box = lab.run("web", "--network=booked")
        assert (box.address(), box.gateway()) == ("10.96.0.51", "10.96.0.50")
        other = lab.run("db", "--network=booked", "--ip=10.96.0.77")
        assert other.address() == "10.96.0.77"
        box.exec("ping", "-c1", "-W2", "10.96.0.77")
        box.remove()
        other.remove()
        plugin.wait_asked("IpamDriver.ReleaseAddress")
        lab.docker("network", "rm", "booked")
        plugin.wait_asked("IpamDriver.ReleasePool")
    # It is asked first, and notes it then.
    eventually(lambda: not addresses.pools, "the pool to be released")
