"""A batch of changes that the kernel carries out whole or not at all (linux/netfilter/nfnetlink.h).

::

    BATCH_BEGIN   nf_tables
    change …      the last one asks for an acknowledgement
    BATCH_END
"""

import struct
from collections.abc import Sequence

from boxship.net.netlink.codec import Message
from boxship.net.netlink.sockets import NETFILTER, NetlinkSocket
from boxship.net.nftables import numbers

_SUBSYSTEM = struct.pack("!BBH", 0, 0, numbers.SUBSYSTEM)
_BEGIN = Message(numbers.BATCH_BEGIN, 0, _SUBSYSTEM, "commit", "nf_tables")
_END = Message(numbers.BATCH_END, 0, _SUBSYSTEM, "commit", "nf_tables")


def open_socket() -> NetlinkSocket:
    """Return a socket to the firewall of the network namespace that the calling thread is in."""
    return NetlinkSocket(NETFILTER)


def commit(socket: NetlinkSocket, changes: Sequence[Message]) -> None:
    """Carry out all of ``changes``, or raise ``NetlinkError`` of the first that is refused.

    After an error nothing has changed. EPERM: CAP_NET_ADMIN is missing; EPROTONOSUPPORT or
    EOPNOTSUPP: the kernel has no nf_tables, or not what the change asks for.
    """
    if changes:
        socket.request([_BEGIN, *changes, _END], acknowledged=len(changes))
