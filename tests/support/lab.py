"""A machine with an engine, its neighbour, and the world beyond: where networks are tested."""

import json
from contextlib import ExitStack
from difflib import unified_diff
from types import TracebackType
from typing import Any, Self

from support.cli import Cli, Done
from support.dockerd import Dockerd
from support.engine import Engine
from support.machines import Machine, World
from support.places import Place
from support.waiting import eventually

IDLE = ("sleep", "1000000")


class Box(Place):
    """A running container; a place as well, its network namespace."""

    def __init__(self, lab: "Lab", name: str, engine: Engine | None = None) -> None:
        """``engine`` is whose container it is, if not the lab's."""
        self._engine = engine or lab.engine
        self.name = name
        self.read()

    def read(self) -> None:
        """Look at it again: after a restart, a connect, a disconnect."""
        self.seen = self._engine.api.inspect(self.name)
        self.id = str(self.seen["Id"])
        self.path = f"/proc/{self.seen['State']['Pid']}/ns/net"

    @property
    def settings(self) -> Any:
        """``NetworkSettings``."""
        return self.seen["NetworkSettings"]

    def endpoint(self, network: str = "") -> Any:
        """Its endpoint in a network; without a name, in the only one."""
        networks = self.settings["Networks"]
        if not network:
            (network,) = networks
        return networks[network]

    def address(self, network: str = "") -> str:
        return str(self.endpoint(network)["IPAddress"])

    def address6(self, network: str = "") -> str:
        return str(self.endpoint(network)["GlobalIPv6Address"])

    def gateway(self, network: str = "") -> str:
        return str(self.endpoint(network)["Gateway"])

    def port(self, inside: str) -> int:
        """The host's port of ``80/tcp``, the first if there are several."""
        return int(self.settings["Ports"][inside][0]["HostPort"])

    def exec(self, *command: str) -> str:
        return self._engine.docker("exec", self.name, *command)

    def try_exec(self, *command: str) -> Done:
        return self._engine.docker.run("exec", self.name, *command)

    def interfaces(self) -> dict[str, list[str]]:
        """Its interfaces, each with its addresses, as the kernel tells them."""
        rows = json.loads(self.run("ip", "-json", "address"))
        return {
            row["ifname"]: [
                f"{found['local']}/{found['prefixlen']}"
                for found in row["addr_info"]
                if found["scope"] != "link"
            ]
            for row in rows
        }

    def remove(self) -> None:
        self._engine.api.remove(self.id)


class Lab:
    """`with Lab(kind) as lab:` makes all of it; ``kind`` is boxshipd or dockerd."""

    def __init__(self, kind: str, *flags: str, online: bool = False) -> None:
        self.is_dockerd = kind == "dockerd"
        self._flags = flags
        self._stack = ExitStack()
        self.world = World(online=online)

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self.world)
            self.outside = self.world.place
            self.machine: Machine = self.world.machine()
            self.peer: Machine = self.world.machine()
            make = Dockerd if self.is_dockerd else Engine
            self.engine = make(*self._flags, namespace=self.machine.path)
            self._stack.enter_context(self.engine)
            self.engine.load("busybox")
            if not self.is_dockerd:
                # The first network with IPv6 has the host forward it from then on.
                self.network("first", "--ipv6")
                self.docker("network", "rm", "first")
            self.fresh = self.machine.state()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def docker(self) -> Cli:
        return self.engine.docker

    @property
    def boxship(self) -> Cli:
        return self.engine.boxship

    def run(self, name: str, *options: str, command: tuple[str, ...] = IDLE) -> Box:
        """`docker run --detach`."""
        self.docker("run", "--detach", "--name", name, *options, "busybox", *command)
        return self.box(name)

    def box(self, name: str) -> Box:
        """A container that runs."""
        return Box(self, name)

    def refused(self, *arguments: str) -> str:
        """What `docker` says as it fails."""
        done = self.docker.run(*arguments)
        assert done.code != 0, f"{' '.join(arguments)}: went through: {done.out}"
        return done.err.strip()

    def network(self, name: str, *options: str) -> str:
        """`docker network create`; its id."""
        return self.docker("network", "create", *options, name)

    def inspect(self, container: str) -> Any:
        return self.engine.api.inspect(container)

    def inspect_network(self, name: str) -> Any:
        reply = self.engine.api.get(f"/networks/{name}")
        assert reply.status == 200, reply.body
        return reply.json()

    def comes_back(self, rules: list[str]) -> None:
        """Wait until the machine's firewall is as it was."""
        eventually(lambda: self.machine.state()["firewall"] == rules, "the rules", timeout=5)

    def settle_addresses(self) -> None:
        """Give dockerd's IPv6 gateways the time in which the kernel looks for duplicates."""
        if self.is_dockerd:
            tentative = ("ip", "-6", "address", "show", "tentative")
            eventually(lambda: not self.machine.run(*tentative), "no tentative address")

    def reached_soon(self, place: Place, port: int) -> None:
        """Wait until a port of the machine answers."""
        eventually(lambda: place.reaches(self.machine.address, port), "an answer", timeout=5)

    def has_no_more_than(self, interfaces: list[str]) -> None:
        """Wait until the machine has none but these; others may still be on their way out."""
        if not self.is_dockerd:
            eventually(lambda: set(self.machine.interfaces()) <= set(interfaces), "their end")

    def clear(self) -> None:
        """Remove all containers and networks, and see that the machine is as it was at first."""
        self.empty()
        if not self.is_dockerd:
            before, self.fresh = self.fresh, self.machine.state()
            self.is_again(before)
            self.fresh = before

    def empty(self) -> None:
        """Remove all containers and networks."""
        api = self.engine.api
        for container in api.get("/containers/json", all=1).json():
            api.remove(container["Id"])
        for network in api.get("/networks", filters='{"type":["custom"]}').json():
            reply = api.delete(f"/networks/{network['Id']}")
            assert reply.status == 204, reply.body

    def is_again(self, before: dict[str, list[str]]) -> None:
        """Wait until the machine is as it was; tell what is not."""
        try:
            eventually(lambda: self.machine.state() == before, "the machine", timeout=3)
        except AssertionError:
            now = self.machine.state()
            news = {
                kind: list(unified_diff(was, now[kind], lineterm="", n=0))[:20]
                for kind, was in before.items()
                if was != now[kind]
            }
            assert not news, f"the machine is not as it was: {news}"
