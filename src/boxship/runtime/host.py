"""What a plan has to know of the machine: looked up once, handed to the pure planner."""

import os

from boxship.base.frozen import dataclass
from boxship.kernel.credentials import capget
from boxship.runtime.capabilities import ALL
from boxship.runtime.cgroups.layout import Layout, host_layout

_SECURITY_MODULES = (
    ("apparmor", "/sys/kernel/security/apparmor/profiles"),
    ("selinux", "/sys/fs/selinux/enforce"),
)
_RESCTRL = "/sys/fs/resctrl"


@dataclass(frozen=True, slots=True)
class Host:
    """``machine`` as in ``uname -m``; ``capabilities`` are those we may give away."""

    layout: Layout
    machine: str = "x86_64"
    kernel: tuple[int, int] = (5, 12)
    capabilities: int = ALL
    kcore: bool = True
    """Whether the kernel has /proc/kcore, which /dev/core would lead to."""
    root: bool = True
    """Whether we are; without it, user namespaces are mapped by newuidmap."""
    security_modules: tuple[str, ...] = ()
    """Of "apparmor" and "selinux" those that are active."""
    resctrl: str = ""
    """Where resctrl is mounted."""

    @classmethod
    def look(cls) -> "Host":
        """Look at this machine."""
        name = os.uname()
        major, minor = name.release.split("-")[0].split(".")[:2]
        _, permitted, _ = capget()
        return cls(
            host_layout(),
            name.machine,
            (int(major), int(minor)),
            permitted,
            os.path.exists("/proc/kcore"),
            os.geteuid() == 0,
            tuple(name for name, path in _SECURITY_MODULES if os.path.exists(path)),
            _RESCTRL if os.path.exists(f"{_RESCTRL}/schemata") else "",
        )
