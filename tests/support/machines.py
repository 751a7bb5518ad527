"""Machines as network namespaces, on a wire to a world.

    machine ── eth0 198.51.100.10 ┐
                                  ├── lan, a bridge in the world, 198.51.100.1 ── (the real network)
    peer ───── eth0 198.51.100.20 ┘

A daemon that has networks runs in one of the machines: its interfaces, firewall rules and ports are
that machine's, and the host's own stay as they are. The other machine is who calls from outside.
"""

import itertools
import json
import os
import re
import subprocess
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from support import residue
from support.places import Place

NAMESPACES = residue.NAMESPACES
PREFIX = residue.NAMESPACE

NET4, NET6 = "198.51.100", "2001:db8:77::"
OUTSIDE4, OUTSIDE6 = f"{NET4}.1", f"{NET6}1"
"""The world's own addresses: the gateway of all machines, and who is far away."""

_UPLINK4 = "100.127.{}.{}"
_numbers = itertools.count(1)


class World:
    """The world and its machines; `with` makes them, and takes all of them away."""

    def __init__(self, *, online: bool = False) -> None:
        """``online`` gives it a way out through the host's own network, by masquerading there."""
        self._online = online
        self._machines = itertools.count(10, 10)
        self._number = next(_numbers)
        self.name = f"{PREFIX}{self._number}-world"
        self.place = Place(str(NAMESPACES / self.name))
        self._undo = ExitStack()

    def __enter__(self) -> Self:
        with self._undo:
            _make(self.name, self._undo)
            _batch(
                self.name,
                "link add lan type bridge",
                "link set lan up",
                f"address add {OUTSIDE4}/24 dev lan",
                f"address add {OUTSIDE6}/64 dev lan nodad",
            )
            if self._online:
                self._go_online()
            self._undo = self._undo.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._undo.close()

    def machine(self) -> "Machine":
        """One more machine, on the wire and up."""
        number = next(self._machines)
        name = f"{PREFIX}{self._number}-{number}"
        _make(name, self._undo)
        made = Machine(name, number)
        wire = f"m{number}"
        _batch(
            self.name,
            f"link add {wire} type veth peer name eth0 netns {name}",
            f"link set {wire} master lan up",
        )
        _batch(
            name,
            "link set eth0 up",
            f"address add {made.address}/24 dev eth0",
            f"address add {made.address6}/64 dev eth0 nodad",
            f"route add default via {OUTSIDE4}",
            f"route add ::/0 via {OUTSIDE6}",
        )
        return made

    def _go_online(self) -> None:
        here, there = (_UPLINK4.format(os.getpid() % 254, number) for number in (1, 2))
        wire = f"bxw{os.getpid()}"
        table = f"bxworld{os.getpid()}"
        _batch(
            self.name,
            f"link add up0 type veth peer name {wire} netns {os.getpid()}",
            "link set up0 up",
            f"address add {there}/30 dev up0",
        )
        # The veth goes with the world's namespace; the rules are all that stays on the host.
        _call("ip", "address", "add", f"{here}/30", "dev", wire)
        _call("ip", "link", "set", wire, "up")
        _batch(self.name, f"route add default via {here}")
        _call("nft", _masquerade(table, f"{there}/32"))
        self._undo.callback(_call, "nft", f"delete table ip {table}")
        # Where a dockerd runs, or has run, the host drops what it forwards unless told otherwise.
        for direction in ("-i", "-o"):
            rule = ("FORWARD", direction, wire, "-j", "ACCEPT")
            _call("iptables", "-I", *rule)
            self._undo.callback(_call, "iptables", "-D", *rule)
        self.place.run("nft", _masquerade("world", f"{NET4}.0/24 oifname up0"))
        self.place.run("sysctl", "-qw", "net.ipv4.ip_forward=1")


class Machine(Place):
    """A namespace with `eth0` on the world's wire."""

    def __init__(self, name: str, number: int) -> None:
        super().__init__(str(NAMESPACES / name))
        self.name = name
        self.address = f"{NET4}.{number}"
        self.address6 = f"{NET6}{number}"

    def interfaces(self) -> list[str]:
        """Names, without those that it was made with, and without `spares`."""
        rows = self._links()
        own = {"lo", "eth0", *_spares(rows)}
        return sorted(row["ifname"] for row in rows if row["ifname"] not in own)

    def makes(self, *kind: str) -> bool:
        """Whether its kernel has interfaces of this kind (as `ip link` has it) on another one."""
        command = ["ip", "link", "add", "link", "eth0", "name", "probe0", "type", *kind]
        done = subprocess.run(
            ["nsenter", f"--net={self.path}", *command], capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            self.run("ip", "link", "delete", "probe0")
            return True
        assert "Unknown device type" in done.stderr or "not supported" in done.stderr, done.stderr
        return False

    def spares(self) -> list[str]:
        """Interfaces that an engine keeps ready for its next containers: at no bridge yet."""
        return _spares(self._links())

    def _links(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = json.loads(self.run("ip", "-d", "-json", "link"))
        return rows

    def state(self) -> dict[str, list[str]]:
        """All that a daemon changes in it, to compare: links, addresses, routes, rules."""
        return {
            "links": self.interfaces(),
            "addresses": _addresses(self.run("ip", "-o", "address")),
            "routes": _routes(self.run("ip", "route", "show", "table", "all")),
            "firewall": listed_rules(self).splitlines(),
        }


def _spares(rows: list[dict[str, Any]]) -> list[str]:
    return [
        row["ifname"]
        for row in rows
        if row.get("linkinfo", {}).get("info_kind") == "veth"
        and "master" not in row
        and row["ifname"] != "eth0"
    ]


def listed_rules(place: Place, *what: str) -> str:
    """What nft lists, with elements in order: the kernel hashes them with a seed of the day."""
    text = place.run("nft", "--stateless", "list", *(what or ("ruleset",)))
    return re.sub(r"elements = \{ (.*?) \}", _in_order, text, flags=re.DOTALL)


def _in_order(match: re.Match[str]) -> str:
    elements = sorted(" ".join(element.split()) for element in match[1].split(","))
    return "elements = {\n\t\t\t" + ",\n\t\t\t".join(elements) + " }"


def _addresses(text: str) -> list[str]:
    """``IFACE ADDRESS`` each; the kernel's own link-local ones come and go with the links."""
    rows = [line.split() for line in text.splitlines()]
    return sorted(f"{row[1]} {row[3]}" for row in rows if not row[3].startswith("fe80:"))


def _routes(text: str) -> list[str]:
    """Without what the kernel adds by itself, a moment later or once it forwards."""
    lines = text.splitlines()
    return sorted(
        line.replace(" linkdown", "")
        for line in lines
        if "fe80:" not in line and "anycast" not in line
    )


def _make(name: str, undo: ExitStack) -> None:
    _call("ip", "netns", "add", name)
    undo.callback(_call, "ip", "netns", "delete", name)
    # The host's values are inherited; a machine begins as Debian boots.
    _call(
        "nsenter", f"--net={NAMESPACES / name}", "sysctl", "-qw",
        "net.ipv4.ip_forward=0", "net.ipv6.conf.all.forwarding=0",
        "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
        "net.ipv6.conf.default.dad_transmits=0",
    )  # fmt: skip
    _batch(name, "link set lo up")


def _batch(name: str, *lines: str) -> None:
    command = ["ip", "-netns", name, "-batch", "-"]
    done = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{lines}: {done.stderr}"


def _call(*command: str) -> None:
    subprocess.run(command, check=True)


def _masquerade(table: str, source: str) -> str:
    return (
        f"table ip {table} {{ chain out {{ type nat hook postrouting priority srcnat; "
        f"ip saddr {source} masquerade; }}; }}"
    )
