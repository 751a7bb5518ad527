"""Many clients, and several daemons on one machine."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from support.api import Api
from support.engine import Engine
from support.lab import Box, Lab
from support.machines import OUTSIDE4

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

ALLOWED = {200, 201, 204, 304, 400, 403, 404, 409}
"""Docker's; 500 as well, but only with words for what a client did."""


def test_clients_that_fight_over_networks_and_ports(lab: Lab) -> None:
    """Whatever the order, each answer is one of Docker's, nothing hangs and nothing is left."""
    surprises: list[str] = []
    lock = threading.Lock()

    def work(seed: int) -> None:
        chooser, api = random.Random(seed), Api(lab.engine.socket, timeout=60)
        for _ in range(60):
            box, network = chooser.choice(["red", "green"]), chooser.choice(["one", "two"])
            wish = {"Container": box}
            match chooser.randrange(8):
                case 0:
                    reply = api.post("/networks/create", {"Name": network, "CheckDuplicate": True})
                case 1:
                    reply = api.delete(f"/networks/{network}")
                case 2:
                    reply = api.post(f"/networks/{network}/connect", wish)
                case 3:
                    reply = api.post(f"/networks/{network}/disconnect", wish)
                case 4:
                    ports = {"80/tcp": [{"HostPort": chooser.choice(["6080", "6081", ""])}]}
                    mode = chooser.choice(["bridge", network])
                    host = {"NetworkMode": mode, "PortBindings": ports}
                    body = {"Image": "busybox", "Cmd": ["sleep", "1000"], "HostConfig": host}
                    reply = api.post("/containers/create", body, name=box)
                case 5 | 6:
                    reply = api.post(f"/containers/{box}/start")
                case _:
                    reply = api.delete(f"/containers/{box}", force=1)
            told = reply.status == 500 and any(
                words in reply.message
                for words in ("already allocated", "is not connected", "is marked")
            )
            if reply.status not in ALLOWED and not told:
                with lock:
                    surprises.append(f"{reply.status} {reply.message}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert surprises == []
    assert not [line for line in lab.engine.log().splitlines() if "Traceback" in line]


@pytest.fixture
def second(lab: Lab) -> Iterator[Engine]:
    """Another daemon on the lab's machine. Its default bridge and its rules stay as Docker's do;
    they are taken away here."""
    links, tables = set(lab.machine.interfaces()), set(_tables(lab))
    with Engine(namespace=lab.machine.path) as engine:
        engine.load("busybox")
        yield engine
    for link in set(lab.machine.interfaces()) - links:
        lab.machine.run("ip", "link", "delete", link)
    for table in set(_tables(lab)) - tables:
        lab.machine.run("nft", "delete", *table.split())


def _tables(lab: Lab) -> list[str]:
    return lab.machine.run("nft", "list", "tables").splitlines()


def test_two_daemons_on_one_machine(lab: Lab, second: Engine) -> None:
    """Each has a bridge, a table and subnets of its own; a port is one engine's alone."""
    ours = lab.run("box", "-p", "6080:80")
    second.docker("run", "-d", "--name=box", "-p", "7080:80", "busybox", "sleep", "1000000")
    theirs = Box(lab, "box", second)
    assert ours.address() != theirs.address()
    with ours.serving("ours", 80), theirs.serving("theirs", 80), lab.outside.serving("world", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("ours ")
        assert lab.peer.ask(lab.machine.address, 7080).startswith("theirs ")
        for box in (ours, theirs):
            assert box.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"
        assert not ours.reaches(theirs.address(), 80)
        assert not theirs.reaches(ours.address(), 80)
    done = second.docker.run("run", "-d", "-p", "6080:80", "busybox", "sleep", "1000")
    assert done.code == 125
    assert "in use" in done.err


def test_one_of_two_daemons_stops(lab: Lab, second: Engine) -> None:
    """The other's containers go on being reached and reaching out."""
    ours = lab.run("box", "-p", "6080:80")
    second.docker("run", "--rm", "busybox", "true")
    second.stop()
    with ours.serving("ours", 80), lab.outside.serving("world", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("ours ")
        assert ours.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"


def test_pools_keep_clear_of_the_machines_routes(lab: Lab) -> None:
    """What the machine reaches elsewhere is not taken for a network; asking for it is refused with
    the route's name."""
    first = lab.network("first")
    subnet = lab.inspect_network(first)["IPAM"]["Config"][0]["Subnet"]
    lab.docker("network", "rm", "first")
    lab.machine.run("ip", "route", "add", subnet, "via", lab.peer.address)
    try:
        lab.network("second")
        assert lab.inspect_network("second")["IPAM"]["Config"][0]["Subnet"] != subnet
    finally:
        lab.machine.run("ip", "route", "delete", subnet)


@pytest.mark.option("NetworkingConfig.EndpointsConfig.*.GwPriority")
def test_the_way_out_is_that_of_the_highest_priority(lab: Lab) -> None:
    lab.network("plain")
    lab.network("vip", "--subnet=10.77.0.0/24")
    box = lab.run("box", "--network=name=plain", "--network=name=vip,gw-priority=100")
    assert "default via 10.77.0.1" in box.run("ip", "route")
    lab.docker("network", "disconnect", "vip", "box")
    assert f"default via {lab.box('box').gateway('plain')}" in box.run("ip", "route")


def test_by_docker_py(lab: Lab) -> None:
    import docker

    client = docker.DockerClient(f"unix://{lab.engine.socket}")
    try:
        network = client.networks.create("shop", driver="bridge", labels={"a": "b"})
        container = client.containers.run(
            "busybox", ["sleep", "1000"], name="web", network="shop", detach=True,
            ports={"80/tcp": 6080, "53/udp": ("127.0.0.1", 6053)},
        )  # fmt: skip
        container.reload()
        assert container.ports["80/tcp"][0]["HostPort"] == "6080"
        assert container.ports["53/udp"] == [{"HostIp": "127.0.0.1", "HostPort": "6053"}]
        network.reload()
        assert [found.name for found in network.containers] == ["web"]
        network.disconnect(container)
        network.connect(container, aliases=["www"])
        with lab.box("web").serving("web", 80):
            assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        container.remove(force=True)
        network.remove()
    finally:
        client.close()
