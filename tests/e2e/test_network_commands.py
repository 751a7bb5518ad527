"""Our own command line on networks: it does what docker's does, and draws a map."""

import json

import pytest

from support.lab import Lab

pytestmark = pytest.mark.privileged


def test_a_network_from_create_to_rm(lab: Lab) -> None:
    boxship, docker = lab.boxship, lab.docker
    pool = ("--subnet=10.77.0.0/24", "--gateway=10.77.0.254", "--ip-range=10.77.0.64/26")
    identifier = boxship("network", "create", *pool, "--label=a=b", "shop")
    lab.run("box")

    assert boxship("network", "connect", "--alias=www", "--ip=10.77.0.70", "shop", "box") == ""
    assert lab.box("box").address("shop") == "10.77.0.70"
    for words in (("network", "ls"), ("network", "ls", "-q", "--no-trunc")):
        assert boxship(*words) == docker(*words)
    template = "{{range .IPAM.Config}}{{.Subnet}} {{.Gateway}} {{.IPRange}}{{end}} {{.Labels}}"
    shown = ("network", "inspect", "-f", template, identifier[:12])
    assert boxship(*shown) == docker(*shown)
    (ours,), (theirs,) = (json.loads(client("inspect", "shop")) for client in (boxship, docker))
    ours.pop("Status", None)  # newer than docker's client
    assert ours == theirs
    used = boxship.run("network", "rm", "shop")
    assert (used.code, "active endpoints" in used.err) == (1, True)

    assert boxship("network", "disconnect", "shop", "box") == ""
    assert boxship("network", "rm", "shop") == "shop"
    assert boxship.run("network", "inspect", "shop").code == 1
    boxship("network", "create", "unused")
    assert boxship("network", "prune", "-f") == "Deleted Networks:\nunused\n"


def test_errors_are_dockers(lab: Lab) -> None:
    lab.network("shop")
    lab.run("box", "--network=shop")
    for words in (
        ("create", "shop"),
        ("create", "--subnet=10.0.0.0/33", "x"),
        ("connect", "nix", "box"),
        ("connect", "shop", "nix"),
        ("connect", "shop", "box"),
        ("disconnect", "shop", "nix"),
        ("inspect", "nix"),
        ("rm", "bridge"),
    ):
        ours, theirs = (client.run("network", *words) for client in (lab.boxship, lab.docker))
        assert (ours.code, ours.out) == (theirs.code, theirs.out), words
        # After several names docker's client says "exit status 1" on a line of its own.
        assert ours.err.splitlines()[0] == theirs.err.splitlines()[0], words


def test_port(lab: Lab) -> None:
    lab.run("web", "-p", "6080:80", "-p", "127.0.0.1:7000-7002:7000-7002/udp")
    for words in (("web",), ("web", "80"), ("web", "7001/udp")):
        assert lab.boxship("port", *words) == lab.docker("port", *words)
    assert lab.boxship("port", "web", "7001/udp") == "127.0.0.1:7001"


def test_map(lab: Lab) -> None:
    lab.network("back", "--internal", "--subnet=10.77.1.0/24")
    lab.network("shop", "--subnet=10.77.0.0/24")
    lab.run("web", "--network=shop", "-p", "6080:80", "--network-alias=www")
    lab.docker("network", "connect", "back", "web")
    lab.run("side", "--network=container:web")

    drawn = lab.boxship("network", "map", "--width=100", "shop", "back")

    web = lab.box("web")
    assert f"web  {web.address('shop')}  0.0.0.0:6080->80/tcp" in drawn
    assert f"web  {web.address('back')}\n" in drawn
    assert "internal: no way out or in" in drawn
    assert drawn.count("shared with side") == 2
    assert lab.is_dockerd or "also called www" in drawn, "dockerd keeps it to itself"
    networks = {
        one["name"]: one for one in json.loads(lab.boxship("network", "map", "--format=json"))
    }
    assert {"bridge", "host", "none", "shop", "back"} <= networks.keys()
    assert networks["shop"]["subnets"] == ["10.77.0.0/24"]


@pytest.mark.boxshipd
def test_the_map_shows_who_may_come_and_where_to_go(lab: Lab) -> None:
    lab.boxship(
        "run", "-d", "--name=web", "-p=6080:80,source=10.9.0.0/16", "--egress=allow=10.0.0.0/8:443",
        "busybox", "sleep", "100000",
    )  # fmt: skip

    drawn = lab.boxship("network", "map", "--width=100", "bridge")

    assert "0.0.0.0:6080->80/tcp (10.9.0.0/16 only)" in drawn
    assert "egress allow=10.0.0.0/8:443" in drawn
