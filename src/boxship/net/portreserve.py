"""Ports of the host that are given away: who has which, and that no other program gets them.

A published port is served by the kernel's address translation, which asks nobody: without more, a
program of the host could listen on the same port and never hear of a client. Hence a socket is
bound to each, which does not listen. Programs that come later get EADDRINUSE, and so do we when
one has been there first. An interval of more than :data:`MOST_SOCKETS` ports is compared with the
sockets that are there at that moment instead, as ten thousand descriptors for one range are too
many; a program that comes later isn't kept away from those.

Sockets are bound in the network namespace of the calling thread.
"""

import contextlib
import errno
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from boxship.net import sockdiag

MOST_SOCKETS = 64
ANY = {4: "0.0.0.0", 6: "::"}
_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, socket.IPPROTO_SCTP),
}
_UNSUPPORTED = (errno.EPROTONOSUPPORT, errno.EAFNOSUPPORT, errno.ESOCKTNOSUPPORT)
_SMALLEST_BUFFER = 1
Owner = str
_K = TypeVar("_K")


class PortUnavailableError(Exception):
    """A port can't be had.

    ``holder`` is the owner that has it here, or empty: some program does, or the address isn't one
    of this host (``error`` is the system's number).
    """

    def __init__(self, protocol: str, address: str, port: int, holder: Owner, error: int) -> None:
        super().__init__(f"{protocol} {address} {port}: {holder or errno.errorcode[error]}")
        self.protocol, self.address, self.port = protocol, address, port
        self.holder, self.error = holder, error


class NoFreePortError(Exception):
    """All ports of an interval are taken, or there are not as many free ones in a row."""


@dataclass(frozen=True)
class HostInterval:
    """Ports ``first`` to ``last`` of one protocol on one address, which may be ``0.0.0.0``."""

    protocol: str
    address: str
    first: int
    last: int

    def overlap(self, other: "HostInterval") -> int:
        """Return the lowest port they have in common; 0: none."""
        first = max(self.first, other.first)
        if first > min(self.last, other.last) or self.protocol != other.protocol:
            return 0
        return first if same_address(self.address, other.address) else 0


@dataclass(frozen=True, eq=False)
class _Held:
    interval: HostInterval
    owner: Owner
    sockets: tuple[socket.socket, ...]

    def close(self) -> None:
        for one in self.sockets:
            one.close()


class _Ledger:
    """What is given away. Short intervals are found by their ports, the few long ones one by one;
    a start among a thousand containers then costs what the first one did."""

    def __init__(self) -> None:
        self._owners: dict[Owner, list[_Held]] = {}
        self._ports: dict[tuple[str, int], list[_Held]] = {}
        self._long: list[_Held] = []

    def __iter__(self) -> Iterator[_Held]:
        return (held for each in self._owners.values() for held in each)

    def of(self, owner: Owner) -> list[_Held]:
        return list(self._owners.get(owner, ()))

    def add(self, held: _Held) -> None:
        self._owners.setdefault(held.owner, []).append(held)
        if _too_long(held.interval):
            self._long.append(held)
            return
        for key in _keys(held.interval):
            self._ports.setdefault(key, []).append(held)

    def remove(self, held: _Held) -> None:
        _drop(self._owners, held.owner, held)
        if _too_long(held.interval):
            self._long.remove(held)
            return
        for key in _keys(held.interval):
            _drop(self._ports, key, held)

    def in_the_way(self, interval: HostInterval) -> tuple[int, Owner] | None:
        """Return the lowest port of an interval that is taken, and whose it is."""
        if _too_long(interval):
            others: Iterable[_Held] = self
        else:
            near = (self._ports.get(key, ()) for key in _keys(interval))
            others = (*self._long, *(held for each in near for held in each))
        taken = [(port, held.owner) for held in others if (port := held.interval.overlap(interval))]
        return min(taken, default=None)


def _keys(interval: HostInterval) -> Iterator[tuple[str, int]]:
    return ((interval.protocol, port) for port in range(interval.first, interval.last + 1))


def _drop(index: dict[_K, list[_Held]], key: _K, held: _Held) -> None:
    index[key].remove(held)
    if not index[key]:
        del index[key]


class HostPorts:
    """The ports given away by one daemon. Thread-safe."""

    def __init__(self) -> None:
        self._ledger = _Ledger()
        self._lock = threading.Lock()
        self._cursors: dict[str, int] = {}

    def reserve(self, interval: HostInterval, owner: Owner) -> None:
        """Take an interval, or nothing of it. PortUnavailableError names the first that is taken.

        OSError: the kernel refuses for a reason that has nothing to do with the port.
        """
        with self._lock:
            self._reserve(interval, owner)

    def reserve_any(
        self,
        protocol: str,
        addresses: tuple[str, ...],
        within: tuple[int, int],
        count: int,
        owner: Owner,
    ) -> int:
        """Take ``count`` free ports in a row, the same ones on each address; return the first.

        The search goes on where the last one in the same interval ended, so that a port which has
        just been given back rests for as long as possible. NoFreePortError: there are none;
        PortUnavailableError: the address isn't one of this host.
        """  # fmt: skip
        low, high = within
        with self._lock:
            place = f"{protocol} {low}-{high}"
            cursor = self._cursors.get(place, low)
            for start, end in ((cursor, high), (low, min(high, cursor + count - 2))):
                first = self._search(protocol, addresses, (start, end), count, owner)
                if first:
                    after = first + count
                    self._cursors[place] = after if after <= high else low
                    return first
        raise NoFreePortError

    def adopt(self, interval: HostInterval, owner: Owner) -> bool:
        """Take an interval that its owner has had all along; tell whether sockets hold it, too."""
        with self._lock:
            try:
                sockets = tuple(_bind_all(interval))
            except (PortUnavailableError, OSError):
                sockets = ()
            self._ledger.add(_Held(interval, owner, sockets))
            return bool(sockets) or _too_long(interval)

    def release(self, owner: Owner, intervals: Iterable[HostInterval] | None = None) -> None:
        """Give back all that an owner has, or these alone; what it hasn't does not matter."""
        gone = None if intervals is None else set(intervals)
        with self._lock:
            for held in self._ledger.of(owner):
                if gone is None or held.interval in gone:
                    self._give_back(held)

    def close(self) -> None:
        """Give back everything."""
        with self._lock:
            for held in tuple(self._ledger):
                self._give_back(held)

    def _give_back(self, held: _Held) -> None:
        self._ledger.remove(held)
        held.close()

    def _reserve(self, interval: HostInterval, owner: Owner) -> _Held:
        if (taken := self._ledger.in_the_way(interval)) is not None:
            port, holder = taken
            raise PortUnavailableError(
                interval.protocol, interval.address, port, holder, errno.EADDRINUSE
            )
        held = _Held(interval, owner, tuple(_bind_all(interval)))
        self._ledger.add(held)
        return held

    def _search(
        self, protocol: str, addresses: tuple[str, ...], within: tuple[int, int], count: int,
        owner: Owner,
    ) -> int:  # fmt: skip
        first, high = within
        while first + count - 1 <= high:
            intervals = [
                HostInterval(protocol, address, first, first + count - 1) for address in addresses
            ]
            done: list[_Held] = []
            try:
                for interval in intervals:
                    done.append(self._reserve(interval, owner))
            except (PortUnavailableError, OSError) as error:
                for held in done:
                    self._give_back(held)
                if isinstance(error, OSError) or error.error != errno.EADDRINUSE:
                    raise
                first = error.port + 1
            else:
                return first
        return 0


def same_address(one: str, other: str) -> bool:
    """Tell whether both get packets for one address, as two sockets would collide."""
    if one == other:
        return True
    if (":" in one) != (":" in other):
        return False
    return one in ANY.values() or other in ANY.values()


def ephemeral_range() -> tuple[int, int]:
    """Return the ports that the kernel gives to those who don't mind which."""
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range") as file:
            low, high = map(int, file.read().split())
    except (OSError, ValueError):
        return 32768, 60999
    return low, high


def _too_long(interval: HostInterval) -> bool:
    return interval.last - interval.first >= MOST_SOCKETS


def _bind_all(interval: HostInterval) -> Iterator[socket.socket]:
    """Bind a socket to each port; all of them are closed again if one can't be had."""
    if _too_long(interval):
        _check_unused(interval)
        return
    with contextlib.ExitStack() as opened:
        bound = []
        for port in range(interval.first, interval.last + 1):
            one = _bind(interval.protocol, interval.address, port)
            if one is None:
                return
            bound.append(opened.enter_context(contextlib.closing(one)))
        opened.pop_all()
    yield from bound


def _bind(protocol: str, address: str, port: int) -> socket.socket | None:
    """Return a socket that holds the port; None: the machine does not know the protocol at all."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    kind, number = _KINDS[protocol]
    try:
        one = socket.socket(family, kind | socket.SOCK_CLOEXEC, number)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return None
        raise
    try:
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if protocol == "udp":
            # Nobody reads what may get here while the firewall's rules are away.
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALLEST_BUFFER)
        _bind_past_old_connections(one, address, port, protocol)
    except OSError as error:
        one.close()
        if error.errno in (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES):
            raise PortUnavailableError(protocol, address, port, "", error.errno) from None
        raise
    return one


def _bind_past_old_connections(one: socket.socket, address: str, port: int, protocol: str) -> None:
    """Bind; connections of a former server in TIME_WAIT don't count, as for any server.

    SO_REUSEADDR says so to the kernel. It must not stay: with it, a server that sets it (they all
    do) could bind beside us as long as we don't listen.
    """
    try:
        one.bind((address, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE or protocol == "udp":
            raise
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _check_unused(interval: HostInterval) -> None:
    """Raise for the lowest port of the interval that some program's socket is bound to."""
    probe = _bind(interval.protocol, interval.address, interval.first)
    if probe is None:
        return
    probe.close()  # it was about the address, and about what sock_diag does not list
    is_ipv6 = ":" in interval.address
    taken = [
        used.port
        for used in sockdiag.bound(interval.protocol)
        if interval.first <= used.port <= interval.last
        and (
            same_address(used.address, interval.address)
            or (used.both_families and used.address == ANY[6] and not is_ipv6)
        )
    ]
    if taken:
        port = min(taken)
        raise PortUnavailableError(interval.protocol, interval.address, port, "", errno.EADDRINUSE)
