"""The daemon's options about networks, looked at from containers and from the host's kernel."""

import json
from collections.abc import Iterator

import pytest

from support.engine import Engine
from support.lab import Lab
from support.machines import Machine, World

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POOL = "base=10.201.0.0/16,size=26"
OPTIONS = (
    *("--bip=10.200.0.1/16", "--fixed-cidr=10.200.5.0/24", "--default-gateway=10.200.0.254"),
    *("--ipv6", "--fixed-cidr-v6=fd00:dead::/64", "--mtu=1400", "--icc=false", "--ip=127.0.0.1"),
    *("--default-address-pool", POOL),
    *("--default-network-opt", "bridge=com.docker.network.driver.mtu=1300"),
)


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab("boxshipd", *OPTIONS) as lab:
        yield lab


def test_the_default_bridge_is_as_the_options_say(lab: Lab) -> None:
    seen = lab.inspect_network("bridge")
    assert seen["EnableIPv6"]
    assert seen["IPAM"]["Config"] == [
        {
            "Subnet": "10.200.0.0/16",
            "IPRange": "10.200.5.0/24",
            "Gateway": "10.200.0.1",
            "AuxiliaryAddresses": {"DefaultGatewayIPv4": "10.200.0.254"},
        },
        {"Subnet": "fd00:dead::/64", "IPRange": "fd00:dead::/64", "Gateway": "fd00:dead::1"},
    ]
    bridge = seen["Options"]["com.docker.network.bridge.name"]
    shown = lab.machine.run("ip", "-brief", "address", "show", bridge)
    assert {"10.200.0.1/16", "fd00:dead::1/64"} <= set(shown.split())
    first, second = lab.run("first"), lab.run("second")
    assert [first.address(), second.address()] == ["10.200.5.0", "10.200.5.1"]
    assert first.address6() == "fd00:dead::2"
    assert first.gateway() == "10.200.0.254"
    assert "mtu 1400" in first.run("ip", "link", "show", "eth0")
    with second.serving("second", 80):
        assert not first.reaches(second.address(), 80)
        assert lab.machine.reaches(second.address(), 80)
    lab.docker("rm", "--force", "first", "second")


def test_info_tells_of_pools_and_firewall(lab: Lab) -> None:
    info = lab.engine.api.get("/info").json()
    assert info["DefaultAddressPools"] == [{"Base": "10.201.0.0/16", "Size": 26}]
    assert lab.docker("info", "--format", "{{.FirewallBackend.Driver}}") == "nftables"
    assert "macvlan" in info["Plugins"]["Network"]


def test_other_networks_are_as_the_options_say(lab: Lab) -> None:
    lab.network("shop")
    assert lab.inspect_network("shop")["IPAM"]["Config"] == [
        {"Subnet": "10.201.0.0/26", "Gateway": "10.201.0.1"}
    ]
    web = lab.run("web", "--network=shop")
    assert "mtu 1300" in web.run("ip", "link", "show", "eth0")
    lab.docker("rm", "--force", "web")
    lab.docker("network", "rm", "shop")


def test_a_host_that_was_no_router_becomes_one_for_our_networks_alone() -> None:
    with World() as world:
        machine = world.machine()
        switch = "net.ipv4.ip_forward"
        machine.run("sysctl", "-w", f"{switch}=0")
        engine = Engine(namespace=machine.path)
        with engine:
            for _ in range(2):  # a killed daemon's successor knows, too
                assert machine.run("sysctl", "-n", switch).strip() == "1"
                assert "elements = { ipv4 }" in _fence(machine)
                engine.kill()
                engine.start()
            engine.add_flags("--ip-forward-no-drop")
            engine.stop()
            engine.start()
            assert "elements" not in _fence(machine)


def _fence(machine: Machine) -> str:
    rules = machine.run("nft", "list", "ruleset")
    return rules[rules.index("set fence") :].partition("}\n\n")[0].partition("\n\n")[0]


def test_a_bridge_of_somebody_else() -> None:
    with World() as world:
        machine = world.machine()
        machine.run("ip", "link", "add", "br0", "type", "bridge")
        machine.run("ip", "address", "add", "10.202.0.1/24", "dev", "br0")
        before = machine.run("ip", "address", "show", "br0")
        with Engine("--bridge=br0", namespace=machine.path) as engine:
            (pool,) = json.loads(
                engine.docker("network", "inspect", "bridge", "--format", "{{json .IPAM.Config}}")
            )
            assert pool == {"Subnet": "10.202.0.0/24", "Gateway": "10.202.0.1"}
            engine.load("busybox")
            assert "inet 10.202.0.2/24" in engine.docker("run", "--rm", "busybox", "ip", "address")
        after = machine.run("ip", "address", "show", "br0")
        assert _lines(after, "inet ") == _lines(before, "inet ")


def _lines(text: str, part: str) -> list[str]:
    return [line for line in text.splitlines() if part in line]


def test_a_bridge_that_is_not_there_ends_the_daemon_with_words() -> None:
    with World() as world:
        engine = Engine("--bridge=br0", namespace=world.machine().path)
        engine.launch()
        assert engine.wait() != 0
        assert "there is no bridge br0 on this host" in engine.log()
        engine.close()
