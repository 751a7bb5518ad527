"""Docker's daemon and ours on one machine: each engine's containers reach out and are reached."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from support.dockerd import Dockerd
from support.lab import Box, Lab
from support.machines import OUTSIDE4
from support.programs import needs

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd, needs("dockerd")]


@pytest.fixture(scope="module")
def _both(_lab: Lab) -> Iterator[tuple[Lab, Dockerd]]:
    """dockerd comes second, with the policy that it sets where it is the first to forward."""
    with Dockerd(namespace=_lab.machine.path) as dockerd:
        dockerd.load("busybox")
        _lab.machine.run("iptables", "-P", "FORWARD", "DROP")
        yield _lab, dockerd


@pytest.fixture
def both(_both: tuple[Lab, Dockerd]) -> Iterator[tuple[Lab, Dockerd]]:
    yield _both
    for engine in (_both[0].engine, _both[1]):
        for container in engine.api.get("/containers/json", all=1).json():
            engine.api.remove(container["Id"])
        engine.docker("network", "prune", "-f")


def _run(lab: Lab, engine: Dockerd, name: str, *options: str) -> Box:
    engine.docker("run", "-d", "--name", name, *options, "busybox", "sleep", "1000000")
    return Box(lab, name, engine)


def test_both_serve_and_reach_out(both: tuple[Lab, Dockerd]) -> None:
    lab, dockerd = both
    ours = lab.run("ours", "-p", "6080:80")
    theirs = _run(lab, dockerd, "theirs", "-p", "7080:80")
    with ExitStack() as stack:
        for place, name in ((ours, "ours"), (theirs, "theirs"), (lab.outside, "world")):
            stack.enter_context(place.serving(name, 80))
        for place in (lab.peer, lab.machine):
            assert place.ask(lab.machine.address, 6080).startswith("ours ")
            assert place.ask(lab.machine.address, 7080).startswith("theirs ")
        assert lab.machine.ask("127.0.0.1", 6080).startswith("ours ")
        assert lab.machine.ask("127.0.0.1", 7080).startswith("theirs ")
        for box in (ours, theirs):
            assert box.ask(OUTSIDE4, 80) == f"world {lab.machine.address}"
            assert box.ask(lab.machine.address, 6080).startswith("ours ")
            assert box.ask(lab.machine.address, 7080).startswith("theirs ")
        assert not theirs.reaches(ours.address(), 80)


def test_ours_do_not_reach_theirs(both: tuple[Lab, Dockerd]) -> None:
    """What dockerd keeps from strangers it keeps from our containers."""
    lab, dockerd = both
    ours, theirs = lab.run("ours"), _run(lab, dockerd, "theirs")
    with theirs.serving("theirs", 80):
        assert not ours.reaches(theirs.address(), 80)


def test_subnets_differ(both: tuple[Lab, Dockerd]) -> None:
    """Ours take what is free on the machine; a bridge of the other engine is taken."""
    lab, dockerd = both
    dockerd.docker("network", "create", "theirs")
    lab.network("ours")
    subnets = [
        engine.api.get(f"/networks/{name}").json()["IPAM"]["Config"][0]["Subnet"]
        for engine, names in ((lab.engine, ("bridge", "ours")), (dockerd, ("bridge", "theirs")))
        for name in names
    ]
    assert len(set(subnets)) == 4


def test_a_port_of_the_others_container_is_in_use(both: tuple[Lab, Dockerd]) -> None:
    lab, dockerd = both
    _run(lab, dockerd, "theirs", "-p", "7080:80")
    assert "in use" in lab.refused("run", "-d", "-p", "7080:80", "busybox", "sleep", "1000")
