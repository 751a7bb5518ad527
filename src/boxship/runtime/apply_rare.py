"""Steps that hardly any container has; see ``apply.py``, which loads this when one comes up."""

import os
import socket

from boxship.kernel import namespaces, netlink, processes
from boxship.runtime import staging, steps
from boxship.runtime.apply import Setup
from boxship.runtime.userns import owners

_OFFSETS = "/proc/self/timens_offsets"


def map_owners(setup: Setup, step: steps.CopyTree, tree: int) -> None:
    """Give a detached copy the owners of a user namespace made for its maps."""
    namespace = owners(setup, step.uid_map, step.gid_map)
    staging.map_owners(tree, namespace, step.source, recursive=step.map_recursive)


def new_time_namespace(_: Setup, step: steps.NewTimeNamespace) -> None:
    """Make the namespace, which is for children at first; set its clocks; enter it ourselves."""
    namespaces.unshare(namespaces.CLONE_FLAGS["time"])
    text = ""
    for clock, (seconds, nanoseconds) in (
        ("monotonic", step.monotonic),
        ("boottime", step.boottime),
    ):
        if seconds or nanoseconds:
            text += f"{clock} {seconds} {nanoseconds}\n"
    if text:
        _write_offsets(text)
    fd = namespaces.open_namespace("/proc/self/ns/time_for_children")
    try:
        namespaces.setns(fd, namespaces.CLONE_FLAGS["time"])
    finally:
        os.close(fd)


def _write_offsets(text: str) -> None:
    # While we are not dumpable our files in /proc are the host's root's, which we may not be.
    processes.set_dumpable(True)
    try:
        fd = os.open(_OFFSETS, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(fd, text.encode())
        finally:
            os.close(fd)
    finally:
        processes.set_dumpable(False)


def hold_host_network(setup: Setup, _: steps.HoldHostNetwork) -> None:
    """A socket stays in the namespace it was made in."""
    setup.host_network = netlink.open_route().detach()


def move_interfaces(setup: Setup, step: steps.MoveInterfaces) -> None:
    """Move each and give it back what the kernel takes from it on the way: addresses, being up."""
    here = namespaces.open_namespace("/proc/self/ns/net")
    with socket.socket(fileno=setup.host_network) as host, netlink.open_route() as own:
        setup.host_network = -1
        try:
            for old, new in step.interfaces:
                addresses = netlink.permanent_addresses(host, netlink.index_of(host, old))
                netlink.move_link(host, old, new, here)
                index = netlink.index_of(own, new)
                for address in addresses:
                    netlink.add_address(own, index, address)
                netlink.set_up(own, index)
        finally:
            os.close(here)
