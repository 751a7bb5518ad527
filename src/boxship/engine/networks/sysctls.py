"""The kernel's switches below ``/proc/sys/net`` that networks need. Blocking."""

import os


def _path(name: str) -> str:
    return f"/proc/sys/net/{name}"


def _read(name: str) -> str:
    with open(_path(name), encoding="ascii") as file:
        return file.read().strip()


def _write(name: str, value: str) -> None:
    """Set a sysctl, unless it has that value: it may be read-only."""
    if _read(name) != value:
        with open(_path(name), "w", encoding="ascii") as file:
            file.write(value)


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


_FORWARDING = {4: "ipv4/ip_forward", 6: "ipv6/conf/all/forwarding"}


def forwards(version: int) -> bool:
    """Tell whether the host forwards packets; true where the kernel does not know the version."""
    name = _FORWARDING[version]
    return not os.path.exists(_path(name)) or _read(name) == "1"


def forward(version: int) -> None:
    """Have the host forward packets, without making it deaf to its own routers.

    A host that forwards takes no router advertisements of IPv6 (``accept_ra`` 1 means "unless I
    forward"), and so would lose its default route when that expires; 2 means "all the same".
    """
    if version == 6:
        for interface in os.listdir(_path("ipv6/conf")):
            if interface != "all" and _read(f"ipv6/conf/{interface}/accept_ra") == "1":
                _write(f"ipv6/conf/{interface}/accept_ra", "2")
    _write(_FORWARDING[version], "1")
