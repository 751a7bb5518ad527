"""Interfaces that stand on one of the host's: macvlan and ipvlan."""

import errno
import time
from collections.abc import Callable

from boxship.net.host import MARK, Host
from boxship.net.netlink import route
from boxship.net.netlink.sockets import NetlinkError
from boxship.net.nic import Inside, Nic, Plugged, speaks_ipv6, wait_for_ipv6, write_sysctls

_TAKEN = frozenset((errno.EADDRINUSE, errno.EBUSY, errno.EINVAL))
_PATIENCE, _MOMENT = 1.0, 0.005
"""Seconds in all, and between two attempts."""
BEGUN = "bx-begun"
"""The name of one that has just been made. Kernels before 6.14 refuse one that the host has, too:
who asks for ``eth0`` inside gets it by another step."""
_ANNOUNCING = (("net.ipv4.conf.IFNAME.arp_notify", "1"),)
_ANNOUNCING_BOTH = (*_ANNOUNCING, ("net.ipv6.conf.IFNAME.ndisc_notify", "1"))


def add(nic: Nic, host: Host, inside: Inside) -> Plugged:
    """Put an interface into the sandbox; if that fails, nothing is left.

    The kernel announces the addresses: IPv4 ones when the interface comes up, so they are given
    before, IPv6 ones when they are given, so they come after. Last comes the mark that it is whole.
    """
    _remove_begun(inside)
    try:
        _once_free(lambda: _make(nic, host, inside))
    except NetlinkError as error:
        error.subject = nic.name  # what was asked for
        raise
    index = inside.links.index_of(BEGUN)
    try:
        inside.links.rename(index, nic.name)
        announcing = _ANNOUNCING_BOTH if speaks_ipv6(nic) else _ANNOUNCING
        inside.run(lambda: write_sysctls(nic, announcing))
        messages = [route.add_address(index, one) for one in nic.addresses if one.version == 4]
        messages.append(route.set_link(index, up=True, operation=f"set up {nic.name}:"))
        messages += [route.add_address(index, one) for one in nic.addresses if one.version == 6]
        marked = route.hardware(alias=MARK)
        messages.append(route.set_link(index, marked, operation=f"mark {nic.name}:"))
        _once_free(lambda: inside.links.socket.request(messages))
        wait_for_ipv6(nic, inside)
        return Plugged(nic.name, inside.links.get(index).mac, "", 0)
    except BaseException:
        inside.links.remove(index, missing_ok=True)
        raise


def _remove_begun(inside: Inside) -> None:
    """Remove what a daemon that was killed had begun to make."""
    if inside.links.find(BEGUN) is not None:
        inside.links.remove(BEGUN)


def _once_free(attempt: Callable[[], object]) -> None:
    """Try again for a moment while the parent is taken, or the MAC address on it.

    A container that starts again asks for what the one before had, whose namespace the kernel may
    still be taking apart. EINVAL is its word for a parent that is in passthru mode.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            attempt()
        except NetlinkError as error:
            if error.errno not in _TAKEN or time.monotonic() > deadline:
                raise
            time.sleep(_MOMENT)
        else:
            return


def _make(nic: Nic, host: Host, inside: Inside) -> None:
    mode, _, flag = nic.mode.partition("/")
    if nic.kind == "macvlan":
        host.links.add_macvlan(
            BEGUN, nic.attach_to, mode=mode or "bridge", mac=nic.mac, mtu=nic.mtu,
            namespace=inside.namespace,
        )  # fmt: skip
    elif nic.kind == "ipvlan":
        host.links.add_ipvlan(
            BEGUN, nic.attach_to, mode=mode or "l2", flag=flag or "bridge", mtu=nic.mtu,
            namespace=inside.namespace,
        )  # fmt: skip
    else:
        raise ValueError(f"{nic.kind!r} is not a kind of interface (veth, macvlan, ipvlan)")
