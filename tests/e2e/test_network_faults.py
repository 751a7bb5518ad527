"""Networks when things break: the daemon killed, interfaces and rules taken away, no nftables."""

import os
import sys
from contextlib import suppress

import pytest

from support import without
from support.engine import Engine
from support.lab import Box, Lab
from support.machines import OUTSIDE4, World
from support.names import addresses, ask
from support.places import echoes
from support.waiting import eventually

ROUNDS = int(os.environ.get("BOXSHIP_ROUNDS", "20"))
"""More by BOXSHIP_ROUNDS, to look for smaller leaks."""

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


@pytest.fixture
def lab(own_lab: Lab) -> Lab:
    return own_lab


@pytest.fixture
def shop(lab: Lab) -> tuple[Box, Box]:
    """Two containers of one network; the first is published."""
    lab.network("shop")
    return lab.run("web", "--network=shop", "-p", "6080:80"), lab.run("client", "--network=shop")


def test_a_killed_daemon_stops_no_traffic(lab: Lab, shop: tuple[Box, Box]) -> None:
    """An open connection goes on, new ones are made, out and between containers as well; with the
    next daemon nothing is doubled."""
    web, client = shop
    before = lab.machine.state()
    with (
        web.serving("web", 80),
        lab.outside.serving("world", 80),
        lab.peer.connect(lab.machine.address, 6080) as stream,
    ):
        assert stream.recv(100).startswith(b"web ")
        assert echoes(stream, b"before\n")
        lab.engine.kill()
        stream.sendall(b"while it is dead\n")
        eventually(lambda: b"dead" in stream.recv(1000), "the echo")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        assert lab.machine.ask("127.0.0.1", 6080).startswith("web ")
        assert client.ask(web.address(), 80).startswith("web ")
        assert client.ask(OUTSIDE4, 80).startswith("world ")
        lab.engine.start()
        stream.sendall(b"and after\n")
        eventually(lambda: b"after" in stream.recv(1000), "the echo")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
    lab.is_again(before)


def test_names_are_back_with_the_next_daemon(lab: Lab, shop: tuple[Box, Box]) -> None:
    """By itself: nobody has to ask it for anything. How soon, the benchmark tells."""
    web, client = shop
    lab.engine.kill()
    with pytest.raises(OSError):
        ask(client, "web", timeout=0.05)
    lab.engine.launch()

    def known() -> bool:
        with suppress(OSError):
            return ask(client, "web", timeout=0.05).addresses == (web.address(),)
        return False

    eventually(known, "the names")
    eventually(lab.engine.answers, "the daemon")


def test_all_is_known_after_a_kill(lab: Lab, shop: tuple[Box, Box]) -> None:
    """Ports and addresses are taken, and can be given back."""
    web, client = shop
    lab.engine.kill()
    lab.engine.start()
    assert web.seen["NetworkSettings"] == lab.inspect("web")["NetworkSettings"]
    third = lab.run("third", "--network=shop")
    assert third.address() not in {web.address(), client.address()}
    assert "already allocated" in lab.refused("run", "-p", "6080:80", "busybox", "true")
    assert addresses(third, "web") == [web.address()]
    lab.docker("rm", "-f", "web")
    lab.run("new", "-p", "6080:80")


def test_containers_that_ended_meanwhile(lab: Lab, shop: tuple[Box, Box]) -> None:
    """Their ports and addresses are free at once."""
    web, _ = shop
    lab.engine.kill()
    os.kill(int(web.seen["State"]["Pid"]), 9)
    lab.engine.start()
    eventually(lambda: not lab.inspect("web")["State"]["Running"], "its end to be known")
    again = lab.run("again", "--network=shop", "-p", "6080:80")
    with again.serving("again", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("again ")


def test_bridge_and_rules_that_are_gone_come_back(lab: Lab, shop: tuple[Box, Box]) -> None:
    """As after a boot: nothing is in the kernel, all is in the records."""
    lab.docker("kill", "web", "client")
    lab.engine.stop()
    for link in lab.machine.interfaces():
        with suppress(AssertionError):  # an interface of a container that has just ended
            lab.machine.run("ip", "link", "delete", link)
    assert lab.machine.interfaces() == []
    lab.machine.run("nft", "flush", "ruleset")
    lab.engine.start()
    lab.docker("start", "web", "client")
    web, client = lab.box("web"), lab.box("client")
    with web.serving("web", 80):
        assert client.ask(web.address(), 80).startswith("web ")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        assert addresses(client, "web") == [web.address()]


@pytest.mark.timeout(600)
def test_rounds_of_networks_leave_nothing(lab: Lab) -> None:
    """Create, connect, disconnect, remove; descriptors are counted, the machine is compared."""

    def rounds(count: int) -> None:
        api = lab.engine.api
        box = {"Container": "box"}
        for _ in range(count):
            network = api.post("/networks/create", {"Name": "round"}).json()["Id"]
            assert api.post(f"/networks/{network}/connect", box).status == 200
            assert api.post(f"/networks/{network}/disconnect", box).status == 200
            assert api.delete(f"/networks/{network}").status == 204

    box = lab.run("box")
    rounds(2)
    before, descriptors = lab.machine.state(), _held(lab)
    inside = box.interfaces()
    rounds(ROUNDS)
    lab.is_again(before)
    eventually(lambda: _held(lab) <= descriptors, "its descriptors")
    assert box.interfaces() == inside


@pytest.mark.timeout(600)
def test_rounds_of_containers_leave_nothing(lab: Lab) -> None:
    def rounds(count: int) -> None:
        for _ in range(count):
            host = {"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostPort": "6080"}]}}
            lab.engine.api.create("box", Cmd=["true"], HostConfig=host)
            lab.engine.api.start("box")
            lab.engine.api.wait("box")
            lab.engine.api.remove("box")

    rounds(5)
    descriptors = _held(lab)
    rounds(ROUNDS)
    lab.is_again(lab.fresh)
    eventually(lambda: _held(lab) <= descriptors, "its descriptors")


def _held(lab: Lab) -> int:
    """The daemon's descriptors, without the two of each sandbox that it keeps ready."""
    return len(lab.engine.descriptors()) - 2 * len(lab.machine.spares())


def test_without_nftables() -> None:
    """The error names the package; host and none need no rules, and work."""
    with World() as world:
        engine = Engine(namespace=world.machine().path)
        try:
            engine.start(sys.executable, without.__file__)
            engine.load("busybox")
            for mode in ("host", "none"):
                assert engine.docker("run", "--rm", f"--network={mode}", "busybox", "echo", "a")
            done = engine.docker.run("run", "--rm", "busybox", "true")
            assert done.code == 125
            assert "nf_tables" in done.err
            assert "Debian" in done.err, "the package that brings it"
            assert engine.docker("ps", "-aq", "--filter=status=running") == ""
        finally:
            engine.close()
