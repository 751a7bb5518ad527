"""Containers connected and disconnected while they run, and what they see of it."""

import pytest

from support.lab import Lab
from support.waiting import eventually

pytestmark = pytest.mark.privileged


def default_route(lab: Lab, name: str) -> str:
    routes = lab.docker("exec", name, "ip", "route").splitlines()
    return next((line.split()[4] for line in routes if line.startswith("default")), "")


def hosts_of(lab: Lab, name: str) -> list[str]:
    return lab.docker("exec", name, "cat", "/etc/hosts").splitlines()


def test_a_container_that_lost_all_networks_gets_one_after_a_restart(lab: Lab) -> None:
    lab.network("shop")
    lab.run("web", "--network=shop")
    lab.docker("network", "disconnect", "shop", "web")
    assert lab.box("web").settings["Networks"] == {}
    lab.docker("restart", "--time=0", "web")
    assert set(lab.box("web").interfaces()) == {"lo"}
    lab.docker("network", "connect", "bridge", "web")
    box = lab.box("web")
    assert box.interfaces()["eth0"] == [f"{box.address()}/16"]
    assert default_route(lab, "web") == "eth0"


@pytest.mark.boxshipd
def test_a_hosts_file_that_has_grown_is_left_alone(lab: Lab) -> None:
    """A container can write into it as much as the disk takes, and the daemon reads it."""
    lab.network("shop", "--subnet=10.71.0.0/24")
    lab.network("stock")
    web = lab.run("web", "--network=shop")
    web.exec("sh", "-c", r"printf '10.9.9.9 \377\n' >>/etc/hosts")
    lab.docker("network", "connect", "stock", "web")
    assert web.try_exec("grep", "-q", "10.9.9.9 .$", "/etc/hosts").code == 0
    web.exec("truncate", "-s", "2M", "/etc/hosts")
    lab.docker("network", "disconnect", "stock", "web")
    assert web.exec("stat", "-c", "%s", "/etc/hosts") == str(2 << 20)


@pytest.mark.boxshipd
def test_hosts_follow_and_keep_what_somebody_wrote(lab: Lab) -> None:
    """dockerd 20.10 looks for the line of a network by the container's name alone."""
    lab.network("shop", "--subnet=10.71.0.0/24")
    lab.network("stock", "--subnet=10.72.0.0/24")
    lab.run("web", "--network=shop", "--hostname=web.example")
    lab.docker("exec", "web", "sh", "-c", "echo '10.9.9.9 mine' >>/etc/hosts")
    lab.docker("network", "connect", "--ip=10.72.0.9", "stock", "web")
    assert "10.72.0.9\tweb.example web" in hosts_of(lab, "web")
    lab.docker("network", "disconnect", "stock", "web")
    lines = hosts_of(lab, "web")
    assert "10.72.0.9\tweb.example web" not in lines
    assert "10.71.0.2\tweb.example web" in lines
    assert "10.9.9.9 mine" in lines


def test_resolver_comes_with_the_first_network_that_has_names(lab: Lab) -> None:
    lab.network("shop")
    lab.run("db", "--network=shop")
    lab.run("web")
    assert "127.0.0.11" not in lab.docker("exec", "web", "cat", "/etc/resolv.conf")
    lab.docker("network", "connect", "shop", "web")
    assert "nameserver 127.0.0.11" in lab.docker("exec", "web", "cat", "/etc/resolv.conf")
    assert lab.box("db").address() in lab.docker("exec", "web", "nslookup", "db")


@pytest.mark.boxshipd
def test_the_default_route_follows_priorities(lab: Lab) -> None:
    lab.network("alpha")
    lab.network("beta")
    first = ("--network=name=alpha,gw-priority=-1", "--network=name=beta")
    lab.run("web", *first)
    assert default_route(lab, "web") == "eth1"
    lab.docker("network", "disconnect", "beta", "web")
    assert default_route(lab, "web") == "eth0"
    lab.docker("network", "connect", "--gw-priority=5", "beta", "web")
    assert default_route(lab, "web") == "eth1"


def test_whoever_joined_a_network_loses_it_with_its_owner(lab: Lab) -> None:
    """The namespace goes on for the other one; the address must not, as it is free again."""
    lab.run("owner")
    lab.run("guest", "--network=container:owner")
    assert len(lab.box("guest").interfaces()) == 2
    address = lab.box("owner").address()
    lab.docker("stop", "--time=0", "owner")
    guest = lab.box("guest")
    eventually(lambda: set(guest.interfaces()) == {"lo"}, "the interface to go")
    heir = lab.run("heir")
    assert heir.address() == address
    assert heir.exec("ping", "-c1", "-W2", heir.gateway())


def test_links_follow_the_other_container(lab: Lab) -> None:
    lab.run("db")
    lab.run("web", "--link=db:data")
    address = lab.box("db").address()
    assert any(line.startswith(f"{address}\tdata ") for line in hosts_of(lab, "web"))
    lab.docker("stop", "--time=0", "db")
    lab.run("squatter")
    lab.docker("start", "db")
    moved = lab.box("db").address()
    assert moved != address
    found = [line for line in hosts_of(lab, "web") if "data" in line]
    assert [line.split("\t")[0] for line in found] == [moved]
    lab.docker("rename", "db", "database")
    assert lab.inspect("web")["HostConfig"]["Links"] == ["/database:/web/data"]


def test_links_on_a_network_are_its_endpoints(lab: Lab) -> None:
    lab.network("shop")
    lab.run("db", "--network=shop")
    lab.docker("create", "--name=web", "--network=shop", "--link=db:data", "busybox")
    assert lab.inspect("web")["HostConfig"]["Links"] is None
    assert lab.box("web").endpoint("shop")["Links"] == ["db:data"]


@pytest.mark.boxshipd
def test_a_start_that_fails_leaves_nothing(lab: Lab) -> None:
    lab.network("shop", "--subnet=10.71.0.0/24")
    said = lab.refused("run", "--rm", "--network=shop", "busybox", "/no/such/command")
    assert "/no/such/command" in said
    assert lab.inspect_network("shop")["Containers"] == {}
    assert lab.run("web", "--network=shop").address() == "10.71.0.2"


def test_connected_while_stopped(lab: Lab) -> None:
    lab.network("shop", "--subnet=10.71.0.0/24")
    lab.docker("create", "--name=web", "busybox", "sleep", "1000")
    for _ in range(2):  # of one that does not run it is no error
        lab.docker("network", "connect", "--ip=10.71.0.9", "--alias=www", "shop", "web")
    lab.docker("network", "disconnect", "bridge", "web")
    lab.docker("start", "web")
    box = lab.box("web")
    assert list(box.settings["Networks"]) == ["shop"]
    assert box.interfaces()["eth0"] == ["10.71.0.9/24"]
    lab.docker("stop", "--time=0", "web")
    assert box.endpoint("shop")["IPAMConfig"] == {"IPv4Address": "10.71.0.9"}


@pytest.mark.boxshipd
def test_a_stranger_in_a_namespace_does_not_keep_its_interface(lab: Lab) -> None:
    box = lab.run("web")
    with open(box.path):  # as nsenter does, or a process that left the container's cgroup
        box.remove()
        eventually(lambda: "master" not in lab.machine.run("ip", "link"), "its end", timeout=5)


def test_containers_by_network(lab: Lab) -> None:
    identity = lab.network("shop")
    lab.run("web", "--network=shop")
    lab.run("other")
    for value in ("shop", identity):
        names = lab.docker("ps", "--filter", f"network={value}", "--format", "{{.Names}}")
        assert names == "web", value


def test_a_paused_container_is_connected(lab: Lab) -> None:
    lab.network("shop")
    lab.run("web")
    lab.docker("pause", "web")
    lab.docker("network", "connect", "shop", "web")
    lab.docker("unpause", "web")
    box = lab.box("web")
    assert box.interfaces()["eth1"] == [f"{box.address('shop')}/24"] or lab.is_dockerd
