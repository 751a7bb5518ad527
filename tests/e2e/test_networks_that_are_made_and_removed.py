"""Networks as objects: by the docker client, after kills of the daemon, after a reboot."""

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from support.engine import Engine
from support.machines import Machine, World
from support.tracing import Operation, count_calls, how_many, kill_at, points
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

POINTS = how_many(3)
DEFAULT = {"bridge", "host", "none"}


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    with World() as world:
        yield world.machine()


@pytest.fixture(scope="module")
def shared(machine: Machine) -> Iterator[Engine]:
    with Engine(namespace=machine.path) as engine:
        yield engine


@pytest.fixture
def own(machine: Machine) -> Iterator[Engine]:
    """A daemon to do violence to; without a default bridge, so that there is less to start."""
    with Engine("--bridge=none", namespace=machine.path) as engine:
        yield engine
        engine.docker("network", "prune", "--force")
        assert bridges(machine) == set()


@pytest.fixture
def engine(shared: Engine) -> Iterator[Engine]:
    yield shared
    shared.docker("network", "prune", "--force")
    assert names(shared) == DEFAULT


def names(engine: Engine) -> set[str]:
    return {network["Name"] for network in engine.api.get("/networks").json()}


def bridges(machine: Machine) -> set[str]:
    """Bridges of user-defined networks."""
    rows = json.loads(machine.run("ip", "-json", "link", "show", "type", "bridge"))
    return {row["ifname"] for row in rows if row.get("ifname", "").startswith("br-")}


def test_the_clients_tables(engine: Engine) -> None:
    identity = engine.docker("network", "create", "--label", "a=b", "shop")
    listed = engine.docker("network", "ls", "--filter", "type=custom")
    assert [line.split() for line in listed.splitlines()] == [
        ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"],
        [identity[:12], "shop", "bridge", "local"],
    ]
    assert engine.docker("network", "ls", "--quiet", "--filter", "label=a=b") == identity[:12]
    template = "{{.Name}} {{.Driver}} {{(index .IPAM.Config 0).Gateway}} {{.Labels.a}}"
    assert engine.docker("network", "inspect", "--format", template, "shop").startswith(
        "shop bridge 172.18."
    )
    assert engine.docker("network", "rm", "shop") == "shop"
    done = engine.docker.run("network", "inspect", "shop")
    assert (done.code, done.out.strip()) == (1, "[]")
    assert done.err.strip() == "Error response from daemon: network shop not found"


def test_docker_py(engine: Engine) -> None:
    client = docker.DockerClient(base_url=f"unix://{engine.socket}")
    try:
        pool = docker.types.IPAMPool(
            subnet="10.9.0.0/24", gateway="10.9.0.1", aux_addresses={"printer": "10.9.0.9"}
        )
        ipam = docker.types.IPAMConfig(pool_configs=[pool])
        made = client.networks.create("shop", driver="bridge", ipam=ipam, labels={"a": "b"})
        assert made.attrs["IPAM"]["Config"] == [{k: v for k, v in pool.items() if v}]
        assert client.networks.list(filters={"label": "a=b"}) == [made]
        with pytest.raises(docker.errors.APIError) as refusal:
            client.networks.create("shop", check_duplicate=True)
        assert refusal.value.status_code == 409
        made.remove()
        with pytest.raises(docker.errors.NotFound):
            made.reload()
    finally:
        client.close()


def test_prunes(engine: Engine) -> None:
    engine.docker("network", "create", "a")
    engine.docker("network", "create", "--label", "keep", "b")
    pruned = engine.docker("network", "prune", "--force", "--filter", "label!=keep")
    assert pruned.splitlines() == ["Deleted Networks:", "a"]
    pruned = engine.docker("system", "prune", "--force")
    assert pruned.splitlines()[:2] == ["Deleted Networks:", "b"]


def test_events(engine: Engine) -> None:
    since = engine.docker("info", "--format", "{{.SystemTime}}")
    engine.docker("network", "create", "shop")
    engine.docker("network", "rm", "shop")
    until = engine.docker("info", "--format", "{{.SystemTime}}")
    told = engine.docker(
        *("events", "--since", since, "--until", until, "--filter", "type=network"),
        *("--format", "{{.Action}} {{.Actor.Attributes.name}} {{.Actor.Attributes.type}}"),
    )
    assert told.splitlines() == ["create shop bridge", "destroy shop bridge"]


def test_a_network_made_of_another_ones_configuration(engine: Engine) -> None:
    engine.docker("network", "create", "--config-only", "--subnet", "10.66.0.0/24", "template")
    engine.docker("network", "create", "--config-from", "template", "shop")
    seen = engine.api.get("/networks/shop").json()
    assert seen["ConfigFrom"] == {"Network": "template"}
    assert seen["IPAM"]["Config"] == [{"Subnet": "10.66.0.0/24", "Gateway": "10.66.0.1"}]
    done = engine.docker.run("network", "rm", "template")
    assert 'configuration network "template" is in use' in done.err
    engine.docker("network", "rm", "shop", "template")


def test_clients_that_make_and_remove_one_network_at_once(engine: Engine, machine: Machine) -> None:
    replies: list[int] = []

    def make() -> None:
        replies.append(engine.api.post("/networks/create", {"Name": "shop"}).status)

    def remove() -> None:
        replies.append(engine.api.delete("/networks/shop").status)

    at_once(*[make] * 4)
    assert sorted(replies) == [201, 409, 409, 409]
    replies.clear()
    at_once(*[remove] * 4)
    assert sorted(replies) == [204, 404, 404, 404]
    assert bridges(machine) == set()


def at_once(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)


def create(engine: Engine) -> None:
    assert engine.api.post("/networks/create", {"Name": "victim"}).status == 201


def remove(engine: Engine) -> None:
    assert engine.api.delete("/networks/victim").status == 204


BEFORE: dict[Operation, list[Operation]] = {create: [], remove: [create]}


@pytest.mark.parametrize("operation", BEFORE, ids=lambda operation: operation.__name__)
def test_killed_at_any_point_a_network_is_whole_or_gone(
    own: Engine, machine: Machine, tmp_path: Path, operation: Operation
) -> None:
    def begin() -> None:
        if "victim" in names(own):
            remove(own)
        for earlier in BEFORE[operation]:
            earlier(own)

    begin()
    calls = count_calls(own, operation, tmp_path / "trace")
    for point in points(calls, POINTS):
        begin()
        kill_at(own, operation, point, tmp_path / "trace")
        own.start()
        listed = own.api.get("/networks", filters='{"name":["victim"]}').json()
        assert bridges(machine) == {f"br-{network['Id'][:12]}" for network in listed}
    begin()


def test_after_a_reboot_bridges_are_made_again_with_the_same_addresses(
    own: Engine, machine: Machine
) -> None:
    own.docker("network", "create", "--ipv6", "shop")
    (bridge,) = bridges(machine)
    before = machine.run("ip", "-brief", "address", "show", bridge)
    own.kill()
    machine.run("ip", "link", "delete", bridge)
    own.start()
    eventually(lambda: bridge in bridges(machine), "the bridge")
    after = machine.run("ip", "-brief", "address", "show", bridge)
    assert after.split()[2:] == before.split()[2:]
