"""Random calls of the API against a daemon and a small model: every answer is the model's, and
after every call records, processes, cgroups, mounts, directories and networks are what it says.

`scripts/random-calls` goes on as long as one likes, with examples of its own each time.
"""

import json
import os
import signal
import threading
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from support import residue
from support.lab import Lab
from support.modelled import Container, Model, State
from support.waiting import eventually

pytestmark = [pytest.mark.privileged, pytest.mark.boxshipd]

EXAMPLES = int(os.environ.get("BOXSHIP_RANDOM_EXAMPLES", "0"))
"""Set by the script: so many, and not the same as ever."""
FEW = settings(
    max_examples=EXAMPLES or 5,
    stateful_step_count=40 if EXAMPLES else 16,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    # To make a failure short takes as long again; in the suite the steps are few as it is.
    phases=(Phase.generate, Phase.shrink) if EXAMPLES else (Phase.generate,),
    suppress_health_check=list(HealthCheck),
)
PROGRAMS = {"sleep": ["sleep", "1000"], "fail": ["sh", "-c", "exit 3"]}
NAMES = st.sampled_from(["ada", "bob", "cyd"])
NETWORKS = st.sampled_from(["red", "blue"])
VOLUMES = st.sampled_from(["data", "logs"])
MOST_DAEMONS = 4 if EXAMPLES else 2
"""In one example; to come up takes a daemon longer than all calls."""
MOST_DEATHS = 4
"""Of one container: the pause before its next start doubles each time."""
RACERS = ("start", "stop", "kill", "restart", "remove")


class Calls(RuleBasedStateMachine):
    """One example; the lab is everybody's."""

    lab: ClassVar[Lab]

    def __init__(self) -> None:
        super().__init__()
        self.engine, self.api = self.lab.engine, self.lab.engine.api
        self.model = Model()
        self.daemons = 1

    @initialize(policy=st.sampled_from(["no", "always"]))
    def begin(self, policy: str) -> None:
        self.make_network("red")
        self.create("ada", "sleep", policy, "red", "data")
        self.start("ada")

    def teardown(self) -> None:
        self.lab.empty()
        for volume in self.api.get("/volumes").json()["Volumes"]:
            assert self.api.delete(f"/volumes/{volume['Name']}").status == 204
        eventually(lambda: not self.engine.remains(), "the end of what containers leave")

    def call(self, wanted: int, method: str, path: str, body: object = None, **query: Any) -> Any:
        reply = self.api.request(method, path, body, query=query)
        assert reply.status == wanted, f"{method} {path} {query}: {reply.status} {reply.body!r}"
        return reply

    # ── containers ───────────────────────────────────────────────────────────────────────────

    @rule(
        name=NAMES,
        program=st.sampled_from(sorted(PROGRAMS)),
        policy=st.sampled_from(["no", "always", "on-failure"]),
        network=st.one_of(st.just(""), NETWORKS),
        volume=st.one_of(st.just(""), VOLUMES),
    )
    def create(self, name: str, program: str, policy: str, network: str, volume: str) -> None:
        if program == "fail" and policy == "always":
            policy = "no"  # it would be started again for ever
        made = Container(program, policy, {network} - {""}, volume)
        if not made.networks <= self.model.networks:
            network, made.networks = "", set()
        retries = 1 if policy == "on-failure" else 0
        host = {
            "NetworkMode": network or "none",
            "RestartPolicy": {"Name": policy, "MaximumRetryCount": retries},
            "Binds": [f"{volume}:/data"] if volume else [],
        }
        body = {
            "Image": "busybox",
            "Cmd": PROGRAMS[program],
            "StopSignal": "SIGKILL",
            "HostConfig": host,
        }
        self.call(self.model.create(name, made), "POST", "/containers/create", body, name=name)

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        self.call(self.model.start(name), "POST", f"/containers/{name}/start")
        self.settle(name)

    @rule(name=NAMES)
    def stop(self, name: str) -> None:
        self.call(self.model.stop(name), "POST", f"/containers/{name}/stop")

    @rule(name=NAMES)
    def kill(self, name: str) -> None:
        self.call(self.model.kill(name), "POST", f"/containers/{name}/kill")

    @rule(name=NAMES)
    def restart(self, name: str) -> None:
        self.call(self.model.restart(name), "POST", f"/containers/{name}/restart")
        self.settle(name)

    @rule(name=NAMES)
    def pause(self, name: str) -> None:
        self.call(self.model.pause(name), "POST", f"/containers/{name}/pause")

    @rule(name=NAMES)
    def unpause(self, name: str) -> None:
        self.call(self.model.unpause(name), "POST", f"/containers/{name}/unpause")

    @rule(name=NAMES)
    def exec(self, name: str) -> None:
        body = {"Cmd": ["true"], "AttachStdout": True}
        wanted = self.model.exec(name)
        reply = self.call(wanted, "POST", f"/containers/{name}/exec", body)
        if wanted == 201:
            self.call(200, "POST", f"/exec/{reply.json()['Id']}/start", {})

    @rule(name=NAMES, new=NAMES)
    def rename(self, name: str, new: str) -> None:
        if name != new:
            self.call(self.model.rename(name, new), "POST", f"/containers/{name}/rename", name=new)

    @rule(name=NAMES, force=st.booleans())
    def remove(self, name: str, force: bool) -> None:
        wanted = self.model.remove(name, force=force)
        self.call(wanted, "DELETE", f"/containers/{name}", force=int(force))

    # ── networks and volumes ─────────────────────────────────────────────────────────────────

    @rule(name=NETWORKS)
    def make_network(self, name: str) -> None:
        self.call(self.model.make_network(name), "POST", "/networks/create", {"Name": name})

    @rule(name=NETWORKS)
    def remove_network(self, name: str) -> None:
        self.call(self.model.remove_network(name), "DELETE", f"/networks/{name}")

    @rule(network=NETWORKS, name=NAMES)
    def connect(self, network: str, name: str) -> None:
        found = self.model.containers.get(name)
        if found is not None and not (found.networks and found.networks <= self.model.networks):
            return  # without any it is on "none", which goes with no other
        path, body = f"/networks/{network}/connect", {"Container": name}
        self.call(self.model.connect(network, name), "POST", path, body)

    @rule(name=VOLUMES)
    def make_volume(self, name: str) -> None:
        self.call(self.model.make_volume(name), "POST", "/volumes/create", {"Name": name})

    @rule(name=VOLUMES)
    def remove_volume(self, name: str) -> None:
        self.call(self.model.remove_volume(name), "DELETE", f"/volumes/{name}")

    # ── what nobody asks for ─────────────────────────────────────────────────────────────────

    @precondition(lambda self: self.mortal())
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """Somebody on the host kills a container's first process."""
        name = data.draw(st.sampled_from(self.mortal()))
        before = self.inspect(name)["State"]
        os.kill(before["Pid"], signal.SIGKILL)
        self.model.die(name)
        wanted = self.model.containers[name].state

        def is_over() -> bool:
            now = self.inspect(name)["State"]
            return bool(now["Status"] == wanted and now["Pid"] != before["Pid"])

        eventually(is_over, f"{name} to be {wanted} again")

    @precondition(lambda self: self.daemons < MOST_DAEMONS)
    @rule()
    def new_daemon(self) -> None:
        """The daemon is killed, and another comes up."""
        self.daemons += 1
        self.engine.kill()
        self.engine.start()
        for found in self.model.containers.values():
            if found.policy == "always" and found.state is State.EXITED:
                ready = found.networks <= self.model.networks
                found.state = State.RUNNING if ready else State.EXITED
        for name in self.model.containers:
            self.settle(name)

    @rule(name=NAMES, first=st.sampled_from(RACERS), second=st.sampled_from(RACERS))
    def race(self, name: str, first: str, second: str) -> None:
        """Two calls at once: either order is right, half of one is not."""
        replies: list[int] = []

        def act(verb: str) -> None:
            if verb == "remove":
                reply = self.api.delete(f"/containers/{name}", force=1)
            else:
                reply = self.api.post(f"/containers/{name}/{verb}")
            replies.append(reply.status)

        threads = [threading.Thread(target=act, args=(verb,)) for verb in (first, second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert set(replies) <= {204, 304, 404, 409}, (name, first, second, replies)
        self.believe(name, removed="remove" in (first, second))

    def believe(self, name: str, *, removed: bool) -> None:
        """Take over what a race has led to, if it is somewhere one may be."""
        found = self.model.containers.get(name)
        if found is None:
            return
        if removed:
            # Whoever came first, a removal by force is carried out.
            del self.model.containers[name]
            return
        self.settle(name)
        found.state = State(self.inspect(name)["State"]["Status"])
        if found.program == "fail":
            assert not found.alive

    # ── what there is ────────────────────────────────────────────────────────────────────────

    def mortal(self) -> list[str]:
        """Those that run, and would not have to wait long for their next start."""
        found = self.model.containers.items()
        return sorted(
            name
            for name, each in found
            if each.state is State.RUNNING and each.deaths < MOST_DEATHS
        )

    def inspect(self, name: str) -> Any:
        return self.call(200, "GET", f"/containers/{name}/json").json()

    def settle(self, name: str) -> None:
        """Wait for what happens by itself: a program that fails ends, and is tried again."""
        found = self.model.containers.get(name)
        if found is None:
            return
        settled = {"created", "exited", "paused"}
        if found.program == "sleep":
            settled.add("running")
        eventually(lambda: self.inspect(name)["State"]["Status"] in settled, f"{name} to settle")

    @invariant()
    def is_as_the_model_says(self) -> None:
        rows = self.call(200, "GET", "/containers/json", all=1).json()
        shown = {row["Names"][0][1:]: row["State"] for row in rows}
        assert shown == {name: c.state.value for name, c in self.model.containers.items()}
        volumes = self.call(200, "GET", "/volumes").json()["Volumes"]
        assert {volume["Name"] for volume in volumes} == self.model.volumes
        custom = json.dumps({"type": ["custom"]})
        networks = self.call(200, "GET", "/networks", filters=custom).json()
        assert {network["Name"] for network in networks} == self.model.networks

    @invariant()
    def the_machine_is_as_the_model_says(self) -> None:
        seen = {name: self.inspect(name) for name in self.model.containers}
        alive = {name: each for name, each in seen.items() if self.model.containers[name].alive}
        ids = {each["Id"] for each in seen.values()}
        live = {each["Id"] for each in alive.values()}
        wanted = {
            "processes": {each["State"]["Pid"] for each in alive.values()},
            "cgroups": live,
            "mounts of others": set[object](),
            "run directories": live,
            "snapshots": ids,
            "container directories": ids,
            "interfaces": {
                (each["Id"], network)
                for name, each in alive.items()
                for network in self.model.containers[name].networks
            },
        }
        try:
            # What goes in the background goes soon.
            eventually(lambda: self.found(live) == wanted, "the machine", timeout=10)
        except AssertionError:
            found = self.found(live)
            wrong = {kind: found[kind] ^ wanted[kind] for kind in wanted}
            assert not any(wrong.values()), {kind: odd for kind, odd in wrong.items() if odd}

    def found(self, live: set[str]) -> dict[str, set[Any]]:
        """What the kernel and the disk have of containers."""
        engine = self.engine
        groups = [
            entry
            for root in residue.hierarchies()
            for entry in Path(f"{root}{engine.cgroup_parent}").glob("*/")
        ]
        return {
            "processes": {
                int(pid) for group in groups for pid in _read(group / "cgroup.procs").split()
            },
            "cgroups": {group.name for group in groups},
            "mounts of others": _ids(engine.mounts()) - live,
            "run directories": _names(engine.exec / "c"),
            "snapshots": _names(engine.data / "snapshots"),
            "container directories": _names(engine.data / "containers"),
            "interfaces": self.plugged(),
        }

    def plugged(self) -> set[tuple[str, str]]:
        """Whose interfaces are on the machine's bridges, and on which."""
        links = json.loads(self.lab.machine.run("ip", "-json", "link"))
        ends = {link["ifname"] for link in links if link.get("master", "").startswith("br-")}
        plugged = set()
        for name in self.model.networks:
            network = self.call(200, "GET", f"/networks/{name}").json()
            for container, endpoint in (network["Containers"] or {}).items():
                end = f"veth{endpoint['EndpointID'][:7]}"
                if end in ends:
                    ends.remove(end)
                    plugged.add((container, name))
        return plugged | {("nobody", end) for end in ends}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""  # it has just gone


def _names(directory: Path) -> set[str]:
    return {entry.name for entry in directory.glob("*")}


def _ids(paths: list[str]) -> set[str]:
    parts = {part for path in paths for part in path.split("/")}
    return {part for part in parts if len(part) == 64}


@pytest.mark.timeout(100_000 if EXAMPLES else 300)
def test_random_calls() -> None:
    with Lab("boxshipd") as lab:
        Calls.lab = lab
        run_state_machine_as_test(Calls, settings=FEW)
