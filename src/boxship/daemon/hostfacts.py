"""What the machine is and can, for ``/info``; looked at once, when the daemon starts."""

import os
import re

from boxship.api.facts import HostFacts
from boxship.runtime.cgroups.layout import Layout, host_layout

_OS_RELEASE = re.compile(r"""^(\w+)=["']?(.*?)["']?$""", re.MULTILINE)


def look() -> HostFacts:
    """Read what the kernel and the distribution say of themselves."""
    system = os.uname()
    layout = host_layout()
    release = os_release(_read("/etc/os-release") or _read("/usr/lib/os-release"))
    return HostFacts(
        name=system.nodename,
        kernel=system.release,
        machine=system.machine,
        operating_system=release.get("PRETTY_NAME", "Linux"),
        os_version=release.get("VERSION_ID", ""),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        cgroup_version=layout.version,
        controllers=_controllers(layout),
        swap_limit=layout.swap_accounting,
        oom_kill_disable=layout.version == 1 and "memory" in _controllers(layout),
        cpu_quota=_has_cpu_quota(layout),
        ip_forwarding=_read("/proc/sys/net/ipv4/ip_forward").strip() == "1",
        seccomp=os.path.exists("/proc/sys/kernel/seccomp"),
    )


def os_release(text: str) -> dict[str, str]:
    """Read an ``os-release`` file."""
    return dict(_OS_RELEASE.findall(text))


def _controllers(layout: Layout) -> frozenset[str]:
    if layout.version == 2:
        return frozenset(layout.unified_controllers)
    return frozenset(c for hierarchy in layout.hierarchies for c in hierarchy.controllers)


def _has_cpu_quota(layout: Layout) -> bool:
    if layout.version == 2:
        return "cpu" in layout.unified_controllers
    cpu = layout.hierarchy_of("cpu")
    return cpu is not None and os.path.exists(f"{cpu.mount}/cpu.cfs_quota_us")


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
