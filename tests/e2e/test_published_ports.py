"""Published ports: who can reach them, in all forms of `-p`."""

import json
import re

import pytest

from support import residue
from support.lab import Lab
from support.machines import OUTSIDE4
from support.waiting import eventually

pytestmark = pytest.mark.privileged


def test_from_everywhere(lab: Lab) -> None:
    """Loopback, the machine's own address, another machine, the world, another container, and the
    container itself (hairpin)."""
    web, other = lab.run("web", "-p", "6080:80", "-p", "6022:22"), lab.run("other")
    lab.network("blue")
    stranger = lab.run("stranger", "--network=blue")
    with web.serving("web", 80, 22):
        for port in (6080, 6022):
            assert lab.machine.ask("127.0.0.1", port).startswith("web ")
            assert lab.machine.ask(lab.machine.address, port).startswith("web ")
            assert lab.peer.ask(lab.machine.address, port) == f"web {lab.peer.address}"
            assert lab.outside.ask(lab.machine.address, port) == f"web {OUTSIDE4}"
            for container in (other, stranger, web):
                assert container.ask(lab.machine.address, port).startswith("web ")
                assert container.ask(container.gateway(), port).startswith("web ")
        assert not lab.peer.reaches(lab.machine.address, 80)


def test_the_host_reaches_containers_directly(lab: Lab) -> None:
    web = lab.run("web")
    with web.serving("web", 80):
        assert lab.machine.ask(web.address(), 80) == f"web {web.gateway()}"


def test_others_do_not_reach_containers_directly(lab: Lab) -> None:
    """Even if they route there: what isn't published is not for the world (Docker's since 28)."""
    web = lab.run("web")
    lab.peer.run("ip", "route", "add", f"{web.address()}/32", "via", lab.machine.address)
    try:
        with web.serving("web", 8080):
            assert not lab.peer.reaches(web.address(), 8080)
    finally:
        lab.peer.run("ip", "route", "delete", f"{web.address()}/32")


@pytest.mark.option("HostConfig.PortBindings")
def test_one_address_of_the_host_alone(lab: Lab) -> None:
    web = lab.run("web", "-p", "127.0.0.1::80", "-p", f"{lab.machine.address}:7070:70")
    port = web.port("80/tcp")
    assert web.settings["Ports"]["80/tcp"] == [{"HostIp": "127.0.0.1", "HostPort": str(port)}]
    with web.serving("web", 80, 70):
        assert lab.machine.ask("127.0.0.1", port).startswith("web ")
        assert not lab.machine.reaches(lab.machine.address, port)
        assert not lab.peer.reaches(lab.machine.address, port)
        assert lab.peer.ask(lab.machine.address, 7070).startswith("web ")
        assert not lab.machine.reaches("127.0.0.1", 7070)


def test_udp(lab: Lab) -> None:
    box = lab.run("box", "-p", "5353:53/udp", "-p", "5353:54/tcp")
    with box.serving("datagrams", 53, udp=True), box.serving("streams", 54):
        assert lab.peer.ask_udp(lab.machine.address, 5353) == f"datagrams {lab.peer.address}"
        assert lab.machine.ask_udp("127.0.0.1", 5353).startswith("datagrams ")
        assert lab.peer.ask(lab.machine.address, 5353).startswith("streams ")


@pytest.mark.option("HostConfig.PublishAllPorts", "ExposedPorts")
def test_random_ports(lab: Lab) -> None:
    """`-p 80`, `-P` with what `--expose` says; other ports for other containers."""
    one = lab.run("one", "-p", "80")
    two = lab.run("two", "-P", "--expose=80", "--expose=90-91/udp")
    assert sorted(two.settings["Ports"]) == ["80/tcp", "90/udp", "91/udp"]
    assert one.port("80/tcp") != two.port("80/tcp")
    assert one.port("80/tcp") >= 32768
    with one.serving("one", 80), two.serving("two", 80), two.serving("two", 91, udp=True):
        assert lab.peer.ask(lab.machine.address, one.port("80/tcp")).startswith("one ")
        assert lab.peer.ask(lab.machine.address, two.port("80/tcp")).startswith("two ")
        assert lab.peer.ask_udp(lab.machine.address, two.port("91/udp")).startswith("two ")


def test_ranges(lab: Lab) -> None:
    """Of the same length one by one; into one port of the container, the first that is free."""
    box = lab.run("box", "-p", "7000-7003:80-83")
    one, two = (lab.run(name, "-p", "7100-7101:80") for name in ("one", "two"))
    assert box.port("82/tcp") == 7002
    assert {one.port("80/tcp"), two.port("80/tcp")} == {7100, 7101}
    with box.serving("box", 83), two.serving("two", 80):
        assert lab.peer.ask(lab.machine.address, 7003).startswith("box ")
        assert not lab.peer.reaches(lab.machine.address, 7002)
        assert lab.peer.ask(lab.machine.address, two.port("80/tcp")).startswith("two ")
    refused = lab.refused("run", "-d", "-p", "7100-7101:80", "busybox", "true")
    assert "all ports are allocated" in refused


@pytest.mark.boxshipd
def test_ten_thousand_ports(lab: Lab) -> None:
    """One interval of one map; neither a process nor a socket for each."""
    box = lab.run("box", "-p", "20000-30000:20000-30000")
    with box.serving("box", 20000, 25000, 30000):
        for port in (20000, 25000, 30000):
            assert lab.peer.ask(lab.machine.address, port).startswith("box ")
            assert lab.machine.ask("127.0.0.1", port).startswith("box ")
        assert not lab.peer.reaches(lab.machine.address, 30001)
    rules = lab.machine.run("nft", "list", "ruleset")
    assert len(rules.splitlines()) < 1000
    assert "20000-30000" in rules
    family = residue.descendants(lab.engine.pid)
    inside = set(lab.engine.inhabitants())
    assert len([pid for pid in family if pid not in inside]) < 5, "a process for each port?"
    assert "20000-30000->20000-30000/tcp" in lab.docker("ps", "--format={{.Ports}}")


def test_docker_port_and_ps(lab: Lab) -> None:
    lab.run("web", "-p", "127.0.0.1:6080:80", "-p", "6053:53/udp", "--expose=99")
    assert lab.docker("port", "web", "80") == "127.0.0.1:6080"
    assert "53/udp -> 0.0.0.0:6053" in lab.docker("port", "web").splitlines()
    shown = lab.docker("ps", "--format={{.Ports}}")
    assert {"99/tcp", "127.0.0.1:6080->80/tcp", "0.0.0.0:6053->53/udp"} <= set(shown.split(", "))


def test_a_port_in_use_is_refused(lab: Lab) -> None:
    """Docker's message, whoever has it; the container stays and starts once the port is free."""
    lab.run("first", "-p", "6080:80")
    said = lab.refused("run", "-d", "--name=second", "-p", "6080:80", "busybox", "sleep", "1000")
    assert re.search(r"Bind for 0\.0\.0\.0:6080 failed: port is already allocated", said)
    if not lab.is_dockerd:
        assert "first" in said, "the holder's name"
    assert lab.inspect("second")["State"]["Status"] == "created"
    lab.docker("rm", "-f", "first")
    lab.docker("start", "second")
    assert lab.inspect("second")["NetworkSettings"]["Ports"]["80/tcp"][0]["HostPort"] == "6080"


def test_a_port_of_another_program_is_refused(lab: Lab) -> None:
    with lab.machine.serving("program", 6080):
        said = lab.refused("run", "-d", "-p", "6080:80", "busybox", "sleep", "1000")
        assert "address already in use" in said
    lab.run("now", "-p", "6080:80")


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("70000:80", "70000"),
        ("80:70000", "70000"),
        ("1.2.3:80:80", "1.2.3"),
        ("80:80/xyz", "xyz"),
        ("7000-7002:80-81", "7000-7002"),
        ("9-3:80", "9-3"),
    ],
)
def test_nonsense_is_refused(lab: Lab, form: str, words: str) -> None:
    assert words in lab.refused("create", "-p", form, "busybox", "true")


def test_ports_are_free_again_after_the_end(lab: Lab) -> None:
    web = lab.run("web", "-p", "6080:80")
    lab.docker("kill", "web")
    assert lab.inspect("web")["NetworkSettings"]["Ports"] == {}
    with lab.machine.serving("program", 6080):
        eventually(lambda: lab.peer.reaches(lab.machine.address, 6080), "the rule to go")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("program ")
    lab.docker("start", "web")
    web.read()
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")


def test_ports_on_a_user_defined_network_follow_connects(lab: Lab) -> None:
    """A container in two networks is reached; the one that it is left with carries its ports."""
    lab.network("front")
    lab.network("back")
    web = lab.run("web", "--network=front", "-p", "6080:80")
    lab.docker("network", "connect", "back", "web")
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        lab.docker("network", "disconnect", "front", "web")
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")


@pytest.mark.option("HostConfig.PortBindings.*[].Sources")
@pytest.mark.boxshipd
def test_sources_that_are_allowed(lab: Lab) -> None:
    """`source=`: others find the port closed."""
    done = lab.boxship.run(
        "run", "-d", "--name=web", "-p", f"6080:80,source={lab.peer.address}/32", "busybox",
        "sleep", "1000",
    )  # fmt: skip
    assert done.code == 0, done.err
    web = lab.box("web")
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 6080) == f"web {lab.peer.address}"
        assert not lab.outside.reaches(lab.machine.address, 6080)
    assert lab.peer.address in lab.boxship("ps")


@pytest.mark.boxshipd
def test_ports_of_a_running_container_change(lab: Lab) -> None:
    web = lab.run("web", "-p", "9090:80")
    with web.serving("web", 80):
        lab.boxship("update", "--publish-add", "8080:80", "--publish-rm", "9090", "web")
        assert lab.peer.ask(lab.machine.address, 8080).startswith("web ")
        assert not lab.peer.reaches(lab.machine.address, 9090)
    assert json.loads(lab.docker("inspect", "web", "-f", "{{json .NetworkSettings.Ports}}"))[
        "80/tcp"
    ][0] == {"HostIp": "0.0.0.0", "HostPort": "8080"}
    lab.docker("restart", "-t0", "web")
    web.read()
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 8080).startswith("web ")


def test_fifty_containers_at_once(lab: Lab) -> None:
    count = 50
    from concurrent.futures import ThreadPoolExecutor

    def start(number: int) -> None:
        body = {"PortBindings": {"80/tcp": [{"HostPort": str(7000 + number)}]}}
        name = f"box-{number}"
        lab.engine.api.create(
            name,
            Cmd=["sleep", "1000"],
            ExposedPorts={"80/tcp": {}},
            HostConfig={"NetworkMode": "bridge", **body},
        )
        lab.engine.api.start(name)

    with ThreadPoolExecutor(8) as clients:
        list(clients.map(start, range(count)))
    boxes = [lab.box(f"box-{number}") for number in range(count)]
    assert len({box.address() for box in boxes}) == count
    for number in (0, 25, 49):
        with boxes[number].serving(f"box-{number}", 80):
            assert lab.peer.ask(lab.machine.address, 7000 + number).startswith(f"box-{number} ")
