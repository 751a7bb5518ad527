"""The kernel's switches below ``/proc/sys/net`` that networks need. Blocking."""

import os


def _path(name: str) -> str:
    return f"/proc/sys/net/{name}"


def _read(name: str) -> str:
    with open(_path(name), encoding="ascii") as file:
        return file.read().strip()


def _write(name: str, value: str) -> bool:
    """Set a sysctl; False: it had that value."""
    if _read(name) == value:
        return False
    with open(_path(name), "w", encoding="ascii") as file:
        file.write(value)
    return True


def set_ipv6(interface: str, *, on: bool) -> None:
    """Without IPv6 a bridge has no link-local address, either, by which its ports reach the host.

    With it, nobody on the bridge is to tell the host where its routers are.
    """
    if not os.path.exists(_path(f"ipv6/conf/{interface}")):
        return  # a kernel without IPv6
    _write(f"ipv6/conf/{interface}/disable_ipv6", "0" if on else "1")
    if on:
        _write(f"ipv6/conf/{interface}/accept_ra", "0")
        _write(f"ipv6/conf/{interface}/accept_dad", "0")


def forward_ipv4() -> bool:
    """Have the host forward IPv4; False: it does already."""
    return _write("ipv4/ip_forward", "1")


def forward_ipv6() -> bool:
    """Forward IPv6 without making the host deaf to its routers.

    A host that forwards takes no router advertisements (``accept_ra`` 1 means "unless I forward"),
    and so would lose its default route when that expires; 2 means "all the same".
    """
    if not os.path.exists(_path("ipv6")) or _read("ipv6/conf/all/forwarding") == "1":
        return False
    for interface in os.listdir(_path("ipv6/conf")):
        if interface != "all" and _read(f"ipv6/conf/{interface}/accept_ra") == "1":
            _write(f"ipv6/conf/{interface}/accept_ra", "2")
    return _write("ipv6/conf/all/forwarding", "1")
