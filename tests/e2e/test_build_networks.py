"""Networks of a build's steps: on a machine with neighbours, whose state is compared afterwards."""

import pytest

from support.cli import Cli
from support.lab import Lab
from support.machines import OUTSIDE4

pytestmark = pytest.mark.privileged


def said(lab: Lab, network: str, *script: str) -> str:
    """What a step says on a network; the classic builder prints it between its own lines."""
    text = "FROM busybox\n" + "".join(f"RUN {line}\n" for line in script)
    classic = {"DOCKER_HOST": f"unix://{lab.engine.socket}", "DOCKER_BUILDKIT": "0"}
    build = ("build", "--no-cache", f"--network={network}", "-")
    done = Cli(lab.docker.program, classic).run(*build, stdin=text)
    assert done.code == 0, done
    return done.out


def test_a_step_reaches_out_under_the_machines_address(lab: Lab) -> None:
    with lab.outside.serving("world", 80):
        ask = f"nc {OUTSIDE4} 80 </dev/null"
        assert f"world {lab.machine.address}" in said(lab, "default", ask, ask)
        assert f"world {lab.machine.address}" in said(lab, "host", ask)
        assert "nobody" in said(lab, "none", f"{ask} || echo nobody")


def test_a_step_on_a_users_network_knows_its_names(lab: Lab) -> None:
    lab.network("shop")
    web = lab.run("web", "--network=shop")
    with web.serving("web", 80):
        assert "web " in said(lab, "shop", "nc web 80 </dev/null")
    assert set(lab.inspect_network("shop")["Containers"]) == {web.id}
    web.remove()


def test_addresses_come_free_again(lab: Lab) -> None:
    """As many steps as there are addresses, and then some."""
    lab.network("small", "--subnet=10.77.0.0/29")
    lines = ["ip -4 addr show eth0 | grep inet"] * 9
    assert said(lab, "small", *lines).count("inet 10.77.0.") == 9
    lab.docker("network", "rm", "small")
