"""Ports and rules of containers that exist: changed, refused, kept by a later daemon."""

import pytest

from support.lab import IDLE, Lab
from support.machines import OUTSIDE4
from support.names import Nameserver, addresses
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]


def ports_of(lab: Lab, name: str) -> dict[str, list[str]]:
    """What the next start publishes."""
    bindings = lab.inspect(name)["HostConfig"]["PortBindings"]
    return {key: [end["HostPort"] for end in ends] for key, ends in bindings.items()}


def update_fails(lab: Lab, *arguments: str) -> str:
    done = lab.boxship.run("update", *arguments)
    assert done.code != 0
    return done.err


def test_a_change_that_is_refused_changes_nothing(lab: Lab) -> None:
    """The port is another container's: neither the limits nor the other ports have changed."""
    lab.run("first", "-p", "6080:80")
    web = lab.run("web", "-p", "9090:80", "--cpu-shares=512")
    change = ("--publish-add", "9091:80", "--publish-add", "6080:80", "--publish-rm", "9090")
    said = update_fails(lab, *change, "--cpu-shares", "256", "web")
    assert "port is already allocated" in said
    assert "first" in said, "the holder's name"
    with web.serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 9090).startswith("web ")
        assert not lab.peer.reaches(lab.machine.address, 9091)
    assert ports_of(lab, "web") == {"80/tcp": ["9090"]}
    assert lab.inspect("web")["HostConfig"]["CpuShares"] == 512
    with lab.machine.serving("program", 9091):  # nobody holds it
        pass
    assert "publishes no port 70" in update_fails(lab, "--publish-rm", "70", "web")
    assert "99999" in update_fails(lab, "--publish-add", "99999:80", "web")


def test_a_hole_in_a_range(lab: Lab) -> None:
    web = lab.run("web", "-p", "7000-7010:80-90")
    lab.boxship("update", "--publish-rm", "7004-7005", "web")
    with web.serving("web", *range(80, 91)):
        answered = [
            port for port in range(7000, 7011) if lab.peer.reaches(lab.machine.address, port)
        ]
    assert answered == [*range(7000, 7004), *range(7006, 7011)]
    assert "84/tcp" not in ports_of(lab, "web")
    assert "0.0.0.0:7000-7003->80-83/tcp, 0.0.0.0:7006-7010->86-90/tcp" in lab.boxship("ps")


def test_a_port_moves_from_one_to_another(lab: Lab) -> None:
    """Given up and taken within one request, and between two containers."""
    one, two = lab.run("one", "-p", "6080:80"), lab.run("two")
    lab.boxship("update", "--publish-rm", "6080", "--publish-add", "6080:81", "one")
    with one.serving("one", 81):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("one ")
    lab.boxship("update", "--publish-rm", "6080", "one")
    lab.boxship("update", "--publish-add", "6080:80", "two")
    with two.serving("two", 80):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("two ")


def test_one_that_does_not_run(lab: Lab) -> None:
    lab.docker("create", "--name=web", "-p", "9090:80", "busybox", *IDLE)
    lab.boxship("update", "--publish-add", "8080:80", "--publish-rm", "9090", "web")
    assert ports_of(lab, "web") == {"80/tcp": ["8080"]}
    lab.docker("start", "web")
    with lab.box("web").serving("web", 80):
        assert lab.peer.ask(lab.machine.address, 8080).startswith("web ")


def test_one_whose_network_is_gone(lab: Lab) -> None:
    lab.network("gone")
    lab.docker("create", "--name=web", "--network=gone", "-p", "9090:80", "busybox", *IDLE)
    lab.docker("network", "rm", "gone")
    lab.boxship("update", "--publish-add", "8080:80", "web")
    assert ports_of(lab, "web") == {"80/tcp": ["9090", "8080"]}


def test_rules_that_nobody_would_keep_are_refused(lab: Lab) -> None:
    lab.network("lan", "--driver=macvlan")
    done = lab.boxship.run("run", "--rm", "--network=lan", "--egress=deny", "busybox", "true")
    assert "egress rules cannot be kept on network lan" in done.err
    lab.boxship("run", "-d", "--name=box", "--egress=deny", "busybox", *IDLE)
    assert "on network lan" in lab.docker.run("network", "connect", "lan", "box").err


def test_networks_of_a_running_container(lab: Lab) -> None:
    lab.network("old")
    lab.network("new")
    lab.run("web", "--network=old", "-p", "6080:80")
    lab.boxship("update", "--network-add", "new", "--network-rm", "old", "web")
    assert list(lab.inspect("web")["NetworkSettings"]["Networks"]) == ["new"]
    assert lab.boxship.run("update", "--network-add", "nix", "--cpu-shares", "9", "web").code != 0


def test_a_later_daemon_keeps_the_ports(own_lab: Lab) -> None:
    lab = own_lab
    web = lab.run(
        "web", "-p", "6080:80", "-p", "127.0.0.1::90/udp", "-p", "20000-20100:20000-20100"
    )
    shown = lab.docker("port", "web")
    lab.engine.kill()
    lab.engine.start()
    assert lab.docker("port", "web") == shown
    with pytest.raises(OSError, match="in use"), lab.machine.serving("program", 6080):
        pass
    for port in ("6080", "20050"):
        said = lab.refused("run", "-d", "-p", f"{port}:80", "busybox", *IDLE)
        assert "container web has" in said
    with web.serving("web", 80, 20050):
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        assert lab.peer.ask(lab.machine.address, 20050).startswith("web ")
    lab.docker("rm", "-f", "web")
    with lab.machine.serving("program", 6080, 20050):
        pass


def test_first_rules_bring_a_resolver_along(lab: Lab) -> None:
    """A container on the default bridge asked the host's servers, which rules deny it."""
    with Nameserver(lab.outside, {"good.example": OUTSIDE4}), lab.outside.serving("world", 80):
        box = lab.run("box", "--dns", OUTSIDE4)
        assert f"nameserver {OUTSIDE4}" in box.exec("cat", "/etc/resolv.conf")
        lab.boxship("update", "--egress=allow=good.example:80", "box")
        assert "nameserver 127.0.0.11" in box.exec("cat", "/etc/resolv.conf")
        assert not box.reaches(OUTSIDE4, 80)
        assert addresses(box, "good.example") == [OUTSIDE4]
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        lab.boxship("update", "--egress=allow", "box")
        assert addresses(box, "good.example") == [OUTSIDE4]
    reply = lab.engine.api.post("/containers/box/update", {"Egress": []})
    assert "no rules are given" in reply.message


def test_ps_says_who_else_decides(lab: Lab) -> None:
    """A firewall of the host that refuses what it does not allow; loopback is not its business."""
    lab.run("web", "-p", "6080:80", "-p", "127.0.0.1:6081:81")
    lab.machine.run("nft", "add table ip custom")
    try:
        hook = "{ type filter hook forward priority 0; }"
        lab.machine.run("nft", f"add chain ip custom walls {hook}; add rule ip custom walls drop")
        decided = "0.0.0.0:6080->80/tcp (ip custom walls decides)"
        eventually(lambda: decided in lab.boxship("ps"), "the other firewall's name in ps")
        assert "127.0.0.1:6081->81/tcp\n" in lab.boxship("ps", "--format={{.Ports}}") + "\n"
    finally:
        lab.machine.run("nft", "delete table ip custom")
    eventually(lambda: "decides" not in lab.boxship("ps"), "nobody else to decide")


def test_rules_by_name_on_the_default_bridge(lab: Lab) -> None:
    """It has the engine's resolver for them, and no other server."""
    with Nameserver(lab.outside, {"good.example": OUTSIDE4}), lab.outside.serving("world", 80):
        options = ("--dns", OUTSIDE4, "--egress=allow=*.example:80/tcp")
        lab.boxship("run", "-d", "--name=box", *options, "busybox", *IDLE)
        box = lab.box("box")
        assert "nameserver 127.0.0.11" in box.exec("cat", "/etc/resolv.conf")
        assert not box.reaches(OUTSIDE4, 80)
        assert addresses(box, "good.example") == [OUTSIDE4]
        assert box.ask(OUTSIDE4, 80).startswith("world ")
        audit = lab.boxship("network", "audit", "box")
    assert f"{OUTSIDE4}:80/tcp" in audit
    assert "good.example" in audit
    assert [line.split()[3] for line in audit.splitlines()[1:]].count("allow") >= 1
    assert "allow" not in lab.boxship("network", "audit", "--denied", "box")
    said = lab.boxship.run("run", "--rm", "--net=host", "--egress=deny", "busybox", "true").err
    assert "egress rules and the network mode" in said


def test_ports_come_and_go_with_the_network_that_leads_outside(lab: Lab) -> None:
    lab.network("vault", "--internal")
    lab.network("front")
    web = lab.run("web", "--network=vault", "-p", "6080:80")
    assert lab.docker("port", "web") == ""
    with web.serving("web", 80):
        lab.docker("network", "connect", "front", "web")
        assert lab.docker("port", "web", "80") == "0.0.0.0:6080"
        assert lab.peer.ask(lab.machine.address, 6080).startswith("web ")
        lab.docker("network", "disconnect", "front", "web")
    assert lab.docker("port", "web") == ""
    lab.run("first", "-p", "6080:80")
    done = lab.docker.run("network", "connect", "front", "web")
    assert "port is already allocated" in done.err
    assert list(lab.inspect("web")["NetworkSettings"]["Networks"]) == ["vault"]
