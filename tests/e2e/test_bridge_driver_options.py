"""Options of the bridge driver, by what they do to packets."""

import json
from collections.abc import Iterator

import pytest

from support.lab import Box, Lab
from support.machines import OUTSIDE4

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

OPTION = "com.docker.network."
BRIDGE = OPTION + "bridge."


@pytest.fixture
def world(lab: Lab) -> Iterator[Lab]:
    """The lab, with a server far away that says who asks."""
    with lab.outside.serving("world", 80):
        yield lab


def box_on(lab: Lab, *options: str, run: tuple[str, ...] = ()) -> Box:
    """A container on a new network with these options, to which the world knows a route."""
    words = [word for option in options for word in ("--opt", option)]
    lab.network("shop", "--subnet=10.66.0.0/24", *words)
    lab.outside.run("ip", "route", "replace", "10.66.0.0/24", "via", lab.machine.address)
    return lab.run("web", "--network=shop", *run)


def test_a_routed_network_speaks_with_its_own_addresses(world: Lab) -> None:
    web = box_on(world, f"{BRIDGE}gateway_mode_ipv4=routed", run=("-p", "81:80"))
    assert web.ask(OUTSIDE4, 80) == f"world {web.address()}"
    with web.serving("published", 80), web.serving("not", 99):
        assert world.outside.reaches(web.address(), 80)
        assert not world.outside.reaches(web.address(), 99)


@pytest.mark.parametrize("interfaces", ["eth0", "eth9"])
def test_from_trusted_interfaces_published_ports_are_open_at_containers(
    lab: Lab, interfaces: str
) -> None:
    web = box_on(lab, f"{BRIDGE}trusted_host_interfaces={interfaces}", run=("-p", "81:80"))
    with web.serving("published", 80), web.serving("not", 99):
        assert lab.outside.reaches(web.address(), 80) is (interfaces == "eth0")
        assert not lab.outside.reaches(web.address(), 99)


def test_an_unprotected_network_is_open_to_those_who_have_a_route(world: Lab) -> None:
    web = box_on(world, f"{BRIDGE}gateway_mode_ipv4=nat-unprotected")
    assert web.ask(OUTSIDE4, 80) == f"world {world.machine.address}"
    with web.serving("web", 99):
        assert world.outside.reaches(web.address(), 99)


def test_without_masquerading_the_containers_address_goes_out(world: Lab) -> None:
    web = box_on(world, f"{BRIDGE}enable_ip_masquerade=false")
    assert web.ask(OUTSIDE4, 80) == f"world {web.address()}"


def test_an_address_of_the_host_for_what_goes_out(world: Lab) -> None:
    world.machine.run("ip", "address", "add", "198.51.100.77/24", "dev", "eth0")
    try:
        web = box_on(world, f"{OPTION}host_ipv4=198.51.100.77")
        assert web.ask(OUTSIDE4, 80) == "world 198.51.100.77"
    finally:
        world.machine.run("ip", "address", "delete", "198.51.100.77/24", "dev", "eth0")


def test_a_gateway_that_is_somebody_elses(lab: Lab) -> None:
    web = box_on(lab, f"{BRIDGE}inhibit_ipv4=true", f"{BRIDGE}name=shop0")
    assert "inet " not in lab.machine.run("ip", "address", "show", "shop0")
    assert web.gateway() == "10.66.0.1"
    assert "default via 10.66.0.1" in web.run("ip", "route")


def test_an_isolated_network_does_not_reach_the_host(lab: Lab) -> None:
    lab.network("shop", "--internal", "--opt", f"{BRIDGE}gateway_mode_ipv4=isolated")
    web, other = (lab.run(name, "--network=shop") for name in ("web", "other"))
    assert "Gateway" not in lab.inspect_network("shop")["IPAM"]["Config"][0]
    with web.serving("web", 80), lab.machine.serving("host", 81):
        assert other.reaches(web.address(), 80)
        assert not other.reaches(lab.machine.address, 81)


def test_names_of_interfaces(lab: Lab) -> None:
    web = box_on(lab, f"{OPTION}container_iface_prefix=lan", f"{OPTION}driver.mtu=1280")
    assert set(web.interfaces()) == {"lo", "lan0"}
    (link,) = json.loads(web.run("ip", "-json", "link", "show", "lan0"))
    assert link["mtu"] == 1280


def test_the_address_that_ports_are_published_at(lab: Lab) -> None:
    web = box_on(lab, f"{BRIDGE}host_binding_ipv4=127.0.0.1", run=("-p", "6080:80"))
    assert web.settings["Ports"] == {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "6080"}]}
