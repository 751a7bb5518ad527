"""Kernel parameters of the network namespace that the calling thread is in."""

import os
from collections.abc import Iterable

IFNAME = "IFNAME"
"""Stands for the interface's name in a parameter's."""

_WRONG = frozenset(("", ".", ".."))


def write_all(parameters: Iterable[tuple[str, str]], interface: str = "") -> None:
    """Set parameters such as ``("net.ipv4.conf.IFNAME.rp_filter", "2")``.

    ``OSError`` names the parameter: ENOENT if there is none, EINVAL if it doesn't take the value.
    """
    for name, value in parameters:
        try:
            fd = os.open(path_of(name, interface), os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.write(fd, value.encode())
            finally:
                os.close(fd)
        except OSError as error:
            number = error.errno or 0
            raise OSError(number, f"{os.strerror(number)}: {value!r}", name) from None


def path_of(name: str, interface: str = "") -> str:
    """Return the file of a parameter of the network; ``ValueError`` names what is none."""
    # The interface is put in after splitting, since its name may have dots: eth0.50.
    words = [interface if word == IFNAME else word for word in name.split(".")]
    if words[0] != "net" or len(words) < 3 or any(word in _WRONG or "/" in word for word in words):
        raise ValueError(f"{name!r} is not a parameter of the network, as net.ipv4.conf.IFNAME.…")
    return "/proc/sys/" + "/".join(words)


def has_ipv6() -> bool:
    """Tell whether this kernel speaks IPv6 at all."""
    return os.path.exists("/proc/sys/net/ipv6")
