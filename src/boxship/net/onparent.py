"""Interfaces that stand on one of the host's: macvlan and ipvlan."""

from boxship.net.host import Host
from boxship.net.netlink import route
from boxship.net.nic import Inside, Nic, Plugged, speaks_ipv6, wait_for_ipv6, write_sysctls

_ANNOUNCING = (("net.ipv4.conf.IFNAME.arp_notify", "1"),)
_ANNOUNCING_BOTH = (*_ANNOUNCING, ("net.ipv6.conf.IFNAME.ndisc_notify", "1"))


def add(nic: Nic, host: Host, inside: Inside) -> Plugged:
    """Put an interface into the sandbox; if that fails, nothing is left.

    The kernel announces the addresses: IPv4 ones when the interface comes up, so they are given
    before, IPv6 ones when they are given, so they come after.
    """
    _make(nic, host, inside)
    try:
        index = inside.links.index_of(nic.name)
        announcing = _ANNOUNCING_BOTH if speaks_ipv6(nic) else _ANNOUNCING
        inside.run(lambda: write_sysctls(nic, announcing))
        messages = [route.add_address(index, one) for one in nic.addresses if one.version == 4]
        messages.append(route.set_link(index, up=True, operation=f"set up {nic.name}:"))
        messages += [route.add_address(index, one) for one in nic.addresses if one.version == 6]
        inside.links.socket.request(messages)
        wait_for_ipv6(nic, inside)
        return Plugged(nic.name, inside.links.get(index).mac, "", 0)
    except BaseException:
        inside.links.remove(nic.name, missing_ok=True)
        raise


def _make(nic: Nic, host: Host, inside: Inside) -> None:
    mode, _, flag = nic.mode.partition("/")
    if nic.kind == "macvlan":
        host.links.add_macvlan(
            nic.name, nic.attach_to, mode=mode or "bridge", mac=nic.mac, mtu=nic.mtu,
            namespace=inside.namespace,
        )  # fmt: skip
    elif nic.kind == "ipvlan":
        host.links.add_ipvlan(
            nic.name, nic.attach_to, mode=mode or "l2", flag=flag or "bridge", mtu=nic.mtu,
            namespace=inside.namespace,
        )  # fmt: skip
    else:
        raise ValueError(f"{nic.kind!r} is not a kind of interface (veth, macvlan, ipvlan)")
