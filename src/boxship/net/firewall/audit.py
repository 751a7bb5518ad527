"""What stations with an egress policy try, as the kernel reports it (nfnetlink_log.h).

Rules send the first bytes of each new connection to an NFLOG group; here they become reports.
Where more come than can be read, the kernel drops some: the verdict holds all the same.
"""

import logging
import os
import select
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from boxship.net.firewall.facts import Address
from boxship.net.netlink.codec import Answer, Message, attribute, parse, string, u8
from boxship.net.netlink.sockets import NETFILTER, NetlinkSocket
from boxship.net.nftables.numbers import PROTOCOLS

log = logging.getLogger(__name__)

_PACKET, _CONFIGURE = 0x0400, 0x0401
_COMMAND, _MODE, _BIND, _COPY_PACKET = 1, 2, 1, 2
_PAYLOAD, _PREFIX, _LINK_HEADER = 9, 10, 16
_BODY = 4
_COPIED = 128
_MOST_A_SECOND = 2000
_NAMES = {number: name for name, number in PROTOCOLS.items()}
_WITH_PORTS = frozenset((6, 17, 132))
_EXTENSIONS = frozenset((0, 43, 60))
"""IPv6 headers before the transport's: hop-by-hop, routing, destination (RFC 8200)."""
_PORTS = struct.Struct("!HH")


@dataclass(frozen=True, slots=True)
class Report:
    """A connection that a station tried to open."""

    station: Address
    mac: str
    destination: Address
    protocol: str
    """``tcp`` …, or its number."""
    source_port: int
    port: int
    """0 where the protocol has none."""
    verdict: str
    """``allow`` or ``deny``."""


class Audit:
    """A thread that calls ``callback`` with each report of a group, which it has for itself."""

    def __init__(self, group: int, callback: Callable[[Report], None]) -> None:
        """Listen in the calling thread's namespace. ``OSError`` EBUSY: somebody else has it."""
        self._callback = callback
        self._socket = NetlinkSocket(NETFILTER)
        try:
            self._socket.request(_subscription(group))
        except OSError:
            self._socket.close()
            raise
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._work, name="egress-audit", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it, and wait for the end."""
        os.eventfd_write(self._stop, 1)
        self._thread.join()
        self._socket.close()
        os.close(self._stop)

    def _work(self) -> None:
        poll = select.poll()
        for descriptor in (self._socket.fileno(), self._stop):
            poll.register(descriptor, select.POLLIN)
        second = read = 0
        while self._stop not in dict(poll.poll()):
            now = time.monotonic()
            if int(now) != second:
                second, read = int(now), 0
            elif read >= _MOST_A_SECOND:  # a flood is not to keep the daemon from its work
                if self._stopped_within(second + 1 - now):
                    return
                continue
            try:
                answers = self._socket.receive()
            except OSError as error:
                log.warning("some reports of egress rules were lost: %s", error)
                continue
            read += len(answers)
            for report in filter(None, map(read_report, answers)):
                try:
                    self._callback(report)
                except Exception:
                    log.exception("egress audit")

    def _stopped_within(self, seconds: float) -> bool:
        poll = select.poll()
        poll.register(self._stop, select.POLLIN)
        return bool(poll.poll(seconds * 1000))


def read_report(answer: Answer) -> Report | None:
    """Return what a message of the kernel reports; None if it is something else."""
    if answer.kind != _PACKET:
        return None
    found = parse(answer.body, _BODY)
    packet, link = found.get(_PAYLOAD, b""), found.get(_LINK_HEADER, b"")
    if len(packet) < 20:
        return None
    mac = link[6:12].hex(":") if len(link) >= 12 else ""
    verdict = string(found.get(_PREFIX, b""))
    return _of_ipv4(packet, mac, verdict) if packet[0] >> 4 == 4 else _of_ipv6(packet, mac, verdict)


def _of_ipv4(packet: bytes, mac: str, verdict: str) -> Report:
    ends = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
    return _report(ends, packet[9], packet[(packet[0] & 15) * 4 :], mac, verdict)


def _of_ipv6(packet: bytes, mac: str, verdict: str) -> Report | None:
    if len(packet) < 40:
        return None
    ends = IPv6Address(packet[8:24]), IPv6Address(packet[24:40])
    protocol, rest = packet[6], packet[40:]
    while protocol in _EXTENSIONS and len(rest) >= 8:
        protocol, rest = rest[0], rest[8 + rest[1] * 8 :]
    return _report(ends, protocol, rest, mac, verdict)


def _report(
    ends: tuple[Address, Address], protocol: int, rest: bytes, mac: str, verdict: str
) -> Report:
    has_ports = protocol in _WITH_PORTS and len(rest) >= _PORTS.size
    source_port, port = _PORTS.unpack_from(rest) if has_ports else (0, 0)
    name = _NAMES.get(protocol, str(protocol))
    return Report(ends[0], mac, ends[1], name, source_port, port, verdict)


def _subscription(group: int) -> list[Message]:
    """Ask for a group's packets, their first bytes included."""
    head = bytes((0, 0)) + struct.pack("!H", group)
    mode = struct.pack("!IBx", _COPIED, _COPY_PACKET)
    return [
        Message(_CONFIGURE, 0, head + u8(_COMMAND, _BIND), "listen to NFLOG group", str(group)),
        Message(_CONFIGURE, 0, head + attribute(_MODE, mode), "set up NFLOG group", str(group)),
    ]
