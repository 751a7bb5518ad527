"""The daemon killed while it changes networks: nothing half-made stays, and traffic goes on.

strace kills it at one of the system calls of an operation. The next daemon must find endpoints and
kernel in agreement, whatever became of the operation, and be able to take all of it away again; a
connection between two other containers must not notice.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.engine import Engine
from support.lab import Box, Lab
from support.places import echoes
from support.tracing import Operation, count_calls, how_many, kill_at, points
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POINTS = how_many(3)


@pytest.fixture
def lab() -> Iterator[Lab]:
    """One of the test's own: its daemon is another one at the end."""
    with Lab("boxshipd") as made:
        made.network("alpha", "--subnet=10.61.0.0/24")
        made.network("beta", "--subnet=10.62.0.0/24")
        yield made
        made.clear()


def create(engine: Engine) -> None:
    engine.docker("create", "--name", "victim", "--network", "alpha", "busybox", "sleep", "10000")


def start(engine: Engine) -> None:
    engine.api.start("victim")


def connect(engine: Engine) -> None:
    engine.docker("network", "connect", "beta", "victim")


def disconnect(engine: Engine) -> None:
    engine.docker("network", "disconnect", "beta", "victim")


def remove(engine: Engine) -> None:
    engine.api.remove("victim")


BEFORE: Mapping[Operation, list[Operation]] = {
    start: [create],
    connect: [create, start],
    disconnect: [create, start, connect],
    remove: [create, start, connect],
}


@pytest.mark.parametrize("operation", BEFORE, ids=lambda operation: operation.__name__)
@pytest.mark.timeout(600)
def test_whole_or_undone(lab: Lab, tmp_path: Path, operation: Operation) -> None:
    engine = lab.engine
    with two_that_talk(lab) as server:
        prepare(engine, operation)
        calls = count_calls(engine, operation, tmp_path / "trace")
        clear(engine)
        for point in points(calls, POINTS):
            prepare(engine, operation)
            kill_at(engine, operation, point, tmp_path / "trace")
            engine.start()
            check_agreement(lab, server)
            clear(engine)


def prepare(engine: Engine, operation: Operation) -> None:
    for earlier in BEFORE[operation]:
        earlier(engine)


@contextmanager
def two_that_talk(lab: Lab) -> Iterator[Box]:
    """A connection between two containers, which has to outlive every daemon."""
    server, client = lab.run("server", "--network=alpha"), lab.run("client", "--network=alpha")
    with server.serving("server", 7000), client.connect(server.address(), 7000) as connection:
        assert connection.recv(200).startswith(b"server ")
        assert echoes(connection, b"before\n")
        yield server
        assert echoes(connection, b"after\n")


def check_agreement(lab: Lab, server: Box) -> None:
    """What inspect says of the victim is what the kernel has; its names are known at once."""
    listed = lab.engine.api.get("/containers/json", all=1, filters='{"name":["victim"]}').json()
    assert len(listed) <= 1
    if listed and listed[0]["State"] == "running":
        victim = lab.box("victim")
        networks = victim.settings["Networks"]
        wanted = sorted(f"{one['IPAddress']}/24" for one in networks.values())
        found = [a for name, own in victim.interfaces().items() if name != "lo" for a in own]
        assert sorted(found) == wanted
        assert victim.reaches(server.address(), 7000)
        assert server.address() in server_seen_by(victim)
        for name in networks:
            assert victim.id in lab.inspect_network(name)["Containers"]
    else:
        for name in ("alpha", "beta"):
            known = {c["Name"] for c in lab.inspect_network(name)["Containers"].values()}
            assert "victim" not in known
    endpoints = [
        endpoint
        for container in lab.engine.api.get("/containers/json").json()
        for endpoint in container["NetworkSettings"]["Networks"].values()
    ]
    eventually(lambda: len(ports_of(lab)) == len(endpoints), "no stray interface on a bridge")


def ports_of(lab: Lab) -> list[str]:
    """What is plugged into bridges; sandboxes that stand ready are not."""
    rows = json.loads(lab.machine.run("ip", "-json", "link", "show", "type", "veth"))
    return [row["ifname"] for row in rows if "master" in row]


def server_seen_by(box: Box) -> str:
    return box.exec("nslookup", "server")


def clear(engine: Engine) -> None:
    for one in engine.api.get("/containers/json", all=1, filters='{"name":["victim"]}').json():
        engine.api.remove(one["Id"])


def all_killed(engine: Engine) -> bool:
    """Whether nobody was left to kill: what is killed takes a moment to end, and may fork."""
    left = {*engine.inhabitants(), *engine.processes()}
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return not left


def test_a_machine_that_went_down(lab: Lab) -> None:
    """Records say running, and neither processes nor interfaces nor rules are there any more."""
    lab.run("victim", "--network=alpha", "--ip=10.61.0.9", "--restart=always")
    engine, machine = lab.engine, lab.machine
    engine.kill()
    eventually(lambda: all_killed(engine), "the end of all processes")
    shutil.rmtree(f"{engine.home}/exec", ignore_errors=True)
    machine.run("nft", "flush", "ruleset")
    for knob in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        machine.run("sh", "-c", f"echo 0 >/proc/sys/net/{knob}")
    for name in lab.machine.interfaces():
        if name not in ("lo", "eth0"):
            with suppress(AssertionError):
                machine.run("ip", "link", "delete", name)
    engine.start()
    eventually(lambda: lab.inspect("victim")["State"]["Status"] == "running", "the restart")
    victim = lab.run("witness", "--network=alpha")
    assert lab.box("victim").address() == "10.61.0.9"
    with lab.box("victim").serving("victim", 7000):
        assert victim.ask("10.61.0.9", 7000).startswith("victim ")
    lab.network("six", "--ipv6")  # the lab compares with a machine that had one before


def test_a_macvlan_whose_making_was_cut_short_is_made_anew(lab: Lab) -> None:
    lab.network("wire", "--driver=macvlan", "--subnet=10.63.0.0/24")
    victim = lab.run("victim", "--network=alpha")
    lab.docker("network", "connect", "wire", "victim")
    before = victim.interfaces()
    lab.engine.kill()
    victim.run("ip", "link", "set", "eth1", "alias", "", "down")
    victim.run("ip", "address", "flush", "dev", "eth1")
    lab.engine.start()
    assert before == victim.interfaces()
    assert "UP" in victim.run("ip", "link", "show", "eth1")


@pytest.mark.parametrize("begun", [False, True], ids=["not begun", "begun"])
def test_what_the_kernel_lacks_is_made_and_what_it_has_too_much_goes(lab: Lab, begun: bool) -> None:
    """As after a kill between a connect's record and its interface, or a disconnect's."""
    victim = lab.run("victim", "--network=alpha")
    lab.docker("network", "connect", "beta", "victim")
    engine, machine = lab.engine, lab.machine
    bridge = f"br-{lab.inspect_network('beta')['Id'][:12]}"
    ports = json.loads(machine.run("ip", "-json", "link", "show", "master", bridge))
    engine.kill()
    machine.run("ip", "link", "delete", ports[0]["ifname"])
    machine.run("ip", "link", "add", "stray", "type", "veth", "peer", "name", "lost")
    machine.run("ip", "link", "set", "stray", "master", bridge, "alias", "boxship")
    assert "eth1" not in victim.interfaces()
    if begun:
        machine.run("ip", "link", "add", ports[0]["ifname"], "type", "veth", "peer", "name", "eth1")
        machine.run("ip", "link", "set", "eth1", "netns", str(victim.seen["State"]["Pid"]))
        machine.run("ip", "link", "set", ports[0]["ifname"], "master", bridge, "up")
    engine.start()
    box = lab.box("victim")
    assert box.interfaces()["eth1"] == [f"{box.address('beta')}/24"]
    assert box.exec("ping", "-c1", "-W2", box.gateway("beta"))
    assert box.exec("ping", "-c1", "-W2", box.gateway("alpha"))
    assert "stray" not in machine.run("ip", "link")
