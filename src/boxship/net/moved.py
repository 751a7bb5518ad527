"""Interfaces of the host's that somebody else made, moved into a sandbox."""

from boxship.net.host import Host
from boxship.net.netlink import route
from boxship.net.nic import Inside, Nic, Plugged, wait_for_ipv6, write_sysctls


def add(nic: Nic, host: Host, inside: Inside) -> Plugged:
    """Move ``nic.attach_to`` into the sandbox under its name there, up, with its addresses.

    What it has on the host (addresses, routes) stays behind. If it fails half-way the interface
    goes with the sandbox. ``NetlinkError``: there is none of that name.
    """
    link = host.links.get(nic.attach_to)
    host.links.move(link.ifindex, inside.namespace, nic.name)
    index = inside.links.index_of(nic.name)
    inside.run(lambda: write_sysctls(nic))
    messages = []
    if nic.mac and nic.mac != link.mac:
        messages.append(
            route.set_link(index, route.hardware(mac=nic.mac), operation=f"set up {nic.name}:")
        )
    messages += [route.add_address(index, one) for one in nic.addresses]
    messages.append(route.set_link(index, up=True, operation=f"set up {nic.name}:"))
    inside.links.socket.request(messages)
    wait_for_ipv6(nic, inside)
    return Plugged(nic.name, inside.links.get(index).mac, "", 0)
