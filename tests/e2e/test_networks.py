"""Networks of users: who reaches whom, by which name, and what changes while containers run."""

from typing import Any

import pytest

from support.lab import Box, Lab
from support.machines import OUTSIDE4
from support.places import echoes

pytestmark = pytest.mark.privileged


def test_containers_of_a_network_reach_one_another(lab: Lab) -> None:
    lab.network("shop")
    web, client = lab.run("web", "--network=shop"), lab.run("client", "--network=shop")
    with web.serving("web", 80):
        assert client.ask(web.address(), 80) == f"web {client.address()}"


def test_a_container_reaches_out_under_the_machines_address(lab: Lab) -> None:
    """On the default bridge and on a network of the user's."""
    lab.network("shop")
    with lab.outside.serving("world", 80):
        for network in ("bridge", "shop"):
            box = lab.run(f"on-{network}", f"--network={network}")
            assert box.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"
            box.remove()


def test_ping(lab: Lab) -> None:
    box = lab.run("box")
    box.exec("ping", "-c", "1", "-W", "2", box.gateway())
    box.exec("ping", "-c", "1", "-W", "2", OUTSIDE4)


def test_networks_do_not_reach_one_another(lab: Lab) -> None:
    """By address, both ways, and not by the other network's gateway either, but for what is
    published there."""
    lab.network("red")
    lab.network("blue")
    red, blue = lab.run("red", "--network=red"), lab.run("blue", "--network=blue", "-p", "8080:80")
    plain = lab.run("plain")
    boxes = (red, blue, plain)
    for server in boxes:
        with server.serving(server.name, 80), server.serving("udp", 53, udp=True):
            for client in boxes:
                same = client is server
                assert client.reaches(server.address(), 80) == same, (client.name, server.name)
                assert client.reaches(server.address(), 53, udp=True) == same
    with blue.serving("blue", 80):
        assert red.ask(red.gateway(), 8080).startswith("blue ")
        assert red.ask(blue.gateway(), 8080).startswith("blue ")
        assert red.ask(lab.machine.address, 8080).startswith("blue ")
        assert not red.reaches(blue.gateway(), 80)


def test_connect_and_disconnect_a_running_container(lab: Lab) -> None:
    """Both by the real client; the container's process notices nothing but a new interface."""
    lab.network("front")
    lab.network("back")
    web, base = lab.run("web", "--network=front"), lab.run("base", "--network=back")
    pid = web.seen["State"]["Pid"]
    with base.serving("base", 5432):
        assert not web.reaches(base.address(), 5432)
        lab.docker("network", "connect", "--alias", "shopfront", "back", "web")
        web.read()
        assert sorted(web.interfaces()) == ["eth0", "eth1", "lo"]
        assert web.ask(base.address(), 5432) == f"base {web.address('back')}"
        assert "shopfront" in web.endpoint("back")["Aliases"]
        assert web.address("back") in base.exec("nslookup", "shopfront")
        lab.docker("network", "disconnect", "back", "web")
        web.read()
        assert sorted(web.interfaces()) == ["eth0", "lo"]
        assert list(web.settings["Networks"]) == ["front"]
        assert not web.reaches(base.address(), 5432)
    assert web.seen["State"]["Pid"] == pid


def test_disconnected_from_all_and_connected_again(lab: Lab) -> None:
    lab.network("shop")
    box = lab.run("box", "--network=shop")
    lab.docker("network", "disconnect", "shop", "box")
    box.read()
    assert list(box.interfaces()) == ["lo"]
    lab.docker("network", "connect", "--ip", "", "shop", "box")
    box.read()
    assert len(box.interfaces()) == 2
    box.exec("ping", "-c", "1", "-W", "2", box.gateway())


def test_connected_while_stopped(lab: Lab) -> None:
    """Takes effect with the next start; so does a disconnect."""
    lab.network("shop")
    lab.network("back")
    lab.docker("create", "--name", "box", "--network=shop", "busybox", "sleep", "1000000")
    lab.docker("network", "connect", "back", "box")
    lab.docker("start", "box")
    settings = lab.inspect("box")["NetworkSettings"]["Networks"]
    assert sorted(settings) == ["back", "shop"]
    assert all(endpoint["IPAddress"] for endpoint in settings.values())
    lab.docker("kill", "box")
    lab.docker("network", "disconnect", "back", "box")
    lab.docker("start", "box")
    assert list(lab.inspect("box")["NetworkSettings"]["Networks"]) == ["shop"]


@pytest.mark.option(
    "NetworkingConfig.EndpointsConfig.*.IPAMConfig.IPv4Address",
    "NetworkingConfig.EndpointsConfig.*.MacAddress",
)
def test_addresses_and_mac_as_asked(lab: Lab) -> None:
    lab.network(
        "shop", "--subnet=10.77.0.0/24", "--gateway=10.77.0.254", "--ip-range=10.77.0.128/25",
        "--aux-address=printer=10.77.0.128",
    )  # fmt: skip
    first = lab.run("first", "--network=shop")
    fixed = lab.run("fixed", "--network=shop", "--ip=10.77.0.9")
    assert first.interfaces()["eth0"] == ["10.77.0.129/24"]
    assert fixed.interfaces()["eth0"] == ["10.77.0.9/24"]
    assert first.gateway() == fixed.gateway() == "10.77.0.254"
    assert "default via 10.77.0.254 dev eth0" in first.run("ip", "route")
    lab.docker("restart", "-t0", "fixed")
    fixed.read()
    assert fixed.interfaces()["eth0"] == ["10.77.0.9/24"]


@pytest.mark.option("MacAddress")
def test_a_mac_address_as_asked(lab: Lab) -> None:
    lab.engine.api.create(
        "box", Cmd=["sleep", "1000"], MacAddress="02:42:ac:11:aa:bb",
        HostConfig={"NetworkMode": "bridge"},
    )  # fmt: skip
    lab.docker("start", "box")
    box = Box(lab, "box")
    assert "02:42:ac:11:aa:bb" in box.run("ip", "link", "show", "eth0")
    assert box.endpoint()["MacAddress"] == "02:42:ac:11:aa:bb"
    box.exec("ping", "-c", "1", "-W", "2", box.gateway())


def test_inspect_and_ls(lab: Lab) -> None:
    """What `docker network inspect` tells of a network and of who is in it."""
    network = lab.network(
        "shop", "--subnet=10.77.0.0/24", "--label=a=b", "--opt=com.docker.network.bridge.name=shop0"
    )
    box = lab.run("box", "--network=shop")
    seen = lab.inspect_network("shop")
    assert seen["Id"] == network
    assert (seen["Driver"], seen["Scope"], seen["Internal"]) == ("bridge", "local", False)
    assert seen["Labels"] == {"a": "b"}
    assert seen["Options"] == {"com.docker.network.bridge.name": "shop0"}
    assert seen["IPAM"]["Config"][0]["Subnet"] == "10.77.0.0/24"
    (inside,) = seen["Containers"].values()
    assert (inside["Name"], inside["IPv4Address"]) == ("box", "10.77.0.2/24")
    assert inside["MacAddress"] == box.endpoint()["MacAddress"]
    assert "shop0" in lab.machine.interfaces()
    listed = lab.docker("network", "ls", "--filter=label=a", "--format={{.Name}} {{.Driver}}")
    assert listed == "shop bridge"
    every = lab.docker("network", "ls", "--format={{.Name}} {{.Driver}} {{.Scope}}").splitlines()
    assert sorted(every) == sorted(
        ["bridge bridge local", "host host local", "none null local", "shop bridge local"]
    )


def test_prune_takes_what_nobody_uses(lab: Lab) -> None:
    lab.network("used")
    lab.network("idle")
    lab.run("box", "--network=used")
    assert "idle" in lab.docker("network", "prune", "--force")
    assert lab.docker("network", "ls", "-q", "--filter=type=custom").count("\n") == 0
    assert lab.inspect_network("used")["Name"] == "used"


def test_containers_of_host_none_and_another_container(lab: Lab) -> None:
    host, none = lab.run("host", "--network=host"), lab.run("none", "--network=none")
    assert "eth0" in host.interfaces()
    assert host.interfaces()["eth0"][0] == f"{lab.machine.address}/24"
    assert list(none.interfaces()) == ["lo"]
    lab.run("web", "-p", "8080:80")
    beside = lab.run("beside", "--network=container:web")
    with beside.serving("beside", 80):
        assert lab.peer.ask(lab.machine.address, 8080) == f"beside {lab.peer.address}"
        assert lab.run("third", "--network=container:web").ask("127.0.0.1", 80)


@pytest.mark.option("HostConfig.Links")
def test_the_default_bridge_has_no_names_but_links(lab: Lab) -> None:
    lab.run("base", "--env=SECRET=x", "--expose=5432")
    web = lab.run("web", "--link=base:db")
    hosts = web.exec("cat", "/etc/hosts")
    address = lab.inspect("base")["NetworkSettings"]["IPAddress"]
    assert f"{address}\tdb" in hosts
    web.exec("ping", "-c", "1", "-W", "2", "db")
    environment = web.exec("env")
    # Docker 29 has no variables of links any more, and neither have we.
    assert (f"DB_PORT=tcp://{address}:5432" in environment) == lab.is_dockerd
    assert ("DB_ENV_SECRET=x" in environment) == lab.is_dockerd
    assert web.try_exec("ping", "-c", "1", "-W", "2", "base").code in (0, 1)


def test_hosts_resolv_conf_and_hostname(lab: Lab) -> None:
    lab.network("shop")
    box = lab.run(
        "box", "--network=shop", "--hostname=shop.example", "--add-host=api:10.1.2.3",
        "--add-host=host.docker.internal:host-gateway", "--dns-search=example.org",
        "--dns-option=timeout:1",
    )  # fmt: skip
    hosts = box.exec("cat", "/etc/hosts")
    assert f"{box.address()}\tshop.example shop" in hosts
    assert "10.1.2.3\tapi" in hosts
    assert f"{lab.run('plain').gateway()}\thost.docker.internal" in hosts
    resolv = box.exec("cat", "/etc/resolv.conf").splitlines()
    assert "nameserver 127.0.0.11" in resolv
    assert "search example.org" in resolv
    assert any(line.startswith("options ") and "timeout:1" in line for line in resolv)
    assert box.exec("hostname") == "shop.example"


def test_an_internal_network_has_no_way_out(lab: Lab) -> None:
    lab.network("vault", "--internal")
    one, two = lab.run("one", "--network=vault"), lab.run("two", "--network=vault")
    with lab.outside.serving("world", 80), one.serving("one", 80):
        assert not one.reaches(OUTSIDE4, 80)
        assert two.ask(one.address(), 80) == f"one {two.address()}"
        assert two.exec("nslookup", "one").count(one.address()) == 1


def test_no_traffic_between_containers_when_icc_is_off(lab: Lab) -> None:
    lab.network("quiet", "--opt=com.docker.network.bridge.enable_icc=false")
    one, two = lab.run("one", "--network=quiet"), lab.run("two", "--network=quiet")
    with lab.outside.serving("world", 80), one.serving("one", 80):
        assert not two.reaches(one.address(), 80)
        assert two.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"


@pytest.mark.boxshipd
def test_bytes_are_counted_by_network_and_container(lab: Lab) -> None:
    """A container on two networks has a count on each; that of a network is its containers'."""
    lab.network("red")
    lab.network("blue")
    both, red = lab.run("both", "--network=red"), lab.run("red", "--network=red")
    lab.docker("network", "connect", "blue", "both")
    blue = lab.run("blue", "--network=blue")
    both.read()

    def traffic(network: str) -> Any:
        return lab.engine.api.get(f"/networks/{network}?verbose=true").json()["Traffic"]

    before = {network: traffic(network) for network in ("red", "blue")}
    assert set(before["red"]["Containers"]) == {both.id, red.id}
    assert set(before["blue"]["Containers"]) == {both.id, blue.id}
    text = bytes(50_000)
    with red.serving("red", 80), both.connect(red.address(), 80) as stream:
        assert stream.recv(200).endswith(b"\n")  # the greeting
        assert echoes(stream, text)
    after = {network: traffic(network) for network in ("red", "blue")}

    def more(network: str, what: str, box: Box | None = None) -> int:
        counts = [
            each[network]["Containers"][box.id] if box else each[network]["Total"]
            for each in (before, after)
        ]
        return int(counts[1][what] - counts[0][what])

    assert len(text) <= more("red", "rx_bytes", red) <= 2 * len(text)
    assert len(text) <= more("red", "tx_bytes", both) <= 2 * len(text)
    assert 2 * len(text) <= more("red", "rx_bytes") <= 4 * len(text)
    assert more("blue", "rx_bytes") < len(text)
    stats = lab.engine.api.get(f"/containers/{both.id}/stats?stream=0&one-shot=1").json()
    assert stats["networks"]["eth0"]["tx_bytes"] >= after["red"]["Containers"][both.id]["tx_bytes"]
