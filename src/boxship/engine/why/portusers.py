"""Which processes of the host listen at a port, from ``/proc`` (proc(5)); blocking."""

import contextlib
import ipaddress
import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

_LISTENING = {"tcp": "0A", "udp": "07"}
"""States of ``/proc/net/tcp`` and ``/proc/net/udp``: LISTEN, and unconnected."""


class PortUser(NamedTuple):
    """A process that has the port open; ``pid`` 0: none that can be seen from here."""

    pid: int
    command: str
    address: str


def users(number: int, protocol: str) -> list[PortUser]:
    """Return who listens at a port, in this network namespace; sctp is not looked for."""
    addresses = dict(_sockets(number, protocol))
    if not addresses:
        return []
    found = []
    for pid, inode in _owners(frozenset(addresses)):
        found.append(PortUser(pid, _command(pid), addresses.pop(inode, "another socket of it")))
    found += [PortUser(0, "", address) for address in addresses.values()]
    return found


def _sockets(number: int, protocol: str) -> Iterator[tuple[str, str]]:
    """Give the inode of each socket that listens there, and its address."""
    state = _LISTENING.get(protocol)
    for table in (protocol, f"{protocol}6") if state else ():
        try:
            with open(f"/proc/net/{table}", encoding="ascii") as file:
                rows = [line.split() for line in file.readlines()[1:]]
        except OSError:
            continue
        for row in rows:
            address, _, port = row[1].partition(":")
            if row[3] == state and int(port, 16) == number:
                yield row[9], f"{_address(address)}:{number}"


def _address(text: str) -> str:
    """Read an address as the kernel prints it: words in the order of this machine's bytes."""
    data = bytes.fromhex(text)
    if sys.byteorder == "little":
        data = b"".join(data[i : i + 4][::-1] for i in range(0, len(data), 4))
    address = ipaddress.ip_address(data)
    return f"[{address}]" if address.version == 6 else str(address)


def _owners(inodes: frozenset[str]) -> Iterator[tuple[int, str]]:
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for descriptor in os.listdir(f"/proc/{name}/fd"):
                with contextlib.suppress(OSError):
                    target = os.readlink(f"/proc/{name}/fd/{descriptor}")
                    if inode := wanted.get(target):
                        yield int(name), inode


def _command(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""
