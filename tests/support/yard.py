"""A machine with a bridge of each sort, stations on them, and a peer outside."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_address, ip_network
from types import TracebackType
from typing import Self

from boxship.net.firewall.facts import Bridge, Fact, Station
from boxship.net.firewall.firewall import Firewall
from support.machines import NAMESPACES, PREFIX, World
from support.places import Place
from support.waiting import eventually

BRIDGES = {
    "a": Bridge("br-a", (ip_network("10.1.0.0/24"), ip_network("fd01::/64"))),
    "b": Bridge("br-b", (ip_network("10.2.0.0/24"), ip_network("fd02::/64"))),
    "i": Bridge("br-i", (ip_network("10.3.0.0/24"), ip_network("fd03::/64")), internal=True),
    "q": Bridge("br-q", (ip_network("10.4.0.0/24"), ip_network("fd04::/64")), icc=False),
    "r": Bridge("br-r", (ip_network("10.5.0.0/24"), ip_network("fd05::/64")), routed=(4, 6)),
}


class StationPlace(Place):
    """A container's namespace, with what the firewall knows of it."""

    def __init__(self, name: str, number: int, station: int) -> None:
        super().__init__(str(NAMESPACES / name))
        self.name = name
        self.address = f"10.{number}.0.{station}"
        self.address6 = f"fd0{number}::{station}"
        self.mac = f"02:42:0a:{number:02x}:00:{station:02x}"
        self.fact = Station("", "", self.mac, ())

    def as_fact(self, bridge: Bridge, interface: str) -> Station:
        addresses = (ip_address(self.address), ip_address(self.address6))
        self.fact = Station(bridge.interface, interface, self.mac, addresses)
        return self.fact


class Yard:
    """``machine`` has a firewall and bridges, ``peer`` is a host beside it."""

    def __init__(self) -> None:
        self._undo = ExitStack()
        self.world = World()
        self.stations: dict[str, StationPlace] = {}
        self.facts: list[Fact] = list(BRIDGES.values())
        self.firewall = Firewall()

    def __enter__(self) -> Self:
        with self._undo:
            self._undo.enter_context(self.world)
            self.machine, self.peer = self.world.machine(), self.world.machine()
            self.machine.run(
                "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"
            )
            for number, (letter, bridge) in enumerate(BRIDGES.items(), 1):
                self._bridge(number, letter, bridge)
            # The peer knows the way to our networks, as a neighbour with bad intentions would.
            for number in range(1, 6):
                route = ("route", "add", f"10.{number}.0.0/24", "via", self.machine.address)
                self.peer.run("ip", *route)
                route = ("route", "add", f"fd0{number}::/64", "via", self.machine.address6)
                self.peer.run("ip", *route)
            self.machine.inside(self.firewall.open)
            self._undo.callback(self.firewall.close, remove=True)
            # Until the kernel has made sure of its link-local addresses, packets get lost.
            for place in (self.machine, self.peer):
                eventually(partial(_settled, place), "addresses")
            self._undo = self._undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def reset(self, *more: Fact) -> None:
        """Have the bridges, the stations and ``more`` hold, and nothing else."""
        self.machine.inside(lambda: self.firewall.replace([*self.facts, *more]))

    def _bridge(self, number: int, letter: str, bridge: Bridge) -> None:
        name = bridge.interface
        lines = [
            f"link add {name} type bridge",
            f"link set {name} up",
            f"address add 10.{number}.0.1/24 dev {name}",
            f"address add fd0{number}::1/64 dev {name} nodad",
        ]
        for station in (2, 3):
            place = StationPlace(f"{PREFIX}{letter}{station}", number, station)
            _run("ip", "netns", "add", place.name)
            place.run("sysctl", "-qw", "net.ipv6.conf.default.dad_transmits=0")
            self._undo.callback(_run, "ip", "netns", "delete", place.name)
            wire = f"v{letter}{station}"
            lines += [
                f"link add {wire} type veth peer name eth0 netns {place.name}",
                f"link set {wire} master {name} up",
                f"link set {wire} type bridge_slave hairpin on",
            ]
            self.stations[f"{letter}{station}"] = place
            self.facts.append(place.as_fact(bridge, wire))
        batch("\n".join(lines), self.machine.name)
        for station in (2, 3):
            place = self.stations[f"{letter}{station}"]
            batch(
                f"link set lo up\nlink set eth0 address {place.mac}\nlink set eth0 up\n"
                f"address add {place.address}/24 dev eth0\n"
                f"address add {place.address6}/64 dev eth0 nodad\n"
                f"route add default via 10.{number}.0.1\nroute add ::/0 via fd0{number}::1",
                place.name,
            )


def reached(place: Place, address: str, port: int) -> bool:
    """Whether a `Server` answers there; waits as long as a busy machine may take for it."""
    try:
        return bool(place.ask(address, port))
    except OSError:
        return False


def nobody_reaches(*attempts: tuple[Place, str, int]) -> bool:
    """Whether none gets an answer from an address and port; all try, and wait, at once."""
    with ThreadPoolExecutor(len(attempts)) as pool:
        return not any(pool.map(lambda one: one[0].reaches(*one[1:]), attempts))


def batch(lines: str, namespace: str) -> None:
    """Have ip carry out lines in a namespace."""
    command = ["ip", "-netns", namespace, "-batch", "-"]
    subprocess.run(command, input=lines, text=True, check=True)


def _settled(place: Place) -> bool:
    return not place.run("ip", "-6", "address", "show", "tentative")


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
