"""What Docker gives a container that asks for nothing in particular."""

from boxship.oci.runtime import (
    Capabilities,
    DeviceRule,
    Linux,
    Mount,
    Namespace,
    Process,
    Resources,
    Root,
    Spec,
)

CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        "CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID",
        "SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE",
    )
)  # fmt: skip

MASKED_PATHS = (
    "/proc/asound",
    "/proc/acpi",
    "/proc/interrupts",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
    "/sys/devices/virtual/powercap",
)

READONLY_PATHS = (
    "/proc/bus",
    "/proc/fs",
    "/proc/irq",
    "/proc/sys",
    "/proc/sysrq-trigger",
)

NAMESPACES = ("mount", "uts", "ipc", "network", "pid")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_STRICT = ("nosuid", "noexec", "nodev")

MOUNTS = (
    Mount("/proc", "proc", "proc", _STRICT),
    Mount("/dev", "tmpfs", "tmpfs", ("nosuid", "strictatime", "mode=755", "size=65536k")),
    Mount(
        "/dev/pts",
        "devpts",
        "devpts",
        ("nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"),
    ),
    Mount("/sys", "sysfs", "sysfs", (*_STRICT, "ro")),
    Mount("/sys/fs/cgroup", "cgroup", "cgroup", ("ro", *_STRICT)),
    Mount("/dev/mqueue", "mqueue", "mqueue", _STRICT),
    Mount("/dev/shm", "tmpfs", "shm", (*_STRICT, "mode=1777", "size=67108864")),
)

DEVICE_RULES = (
    DeviceRule(allow=False, access="rwm"),
    DeviceRule(allow=True, type="c", access="m"),
    DeviceRule(allow=True, type="b", access="m"),
    *(
        DeviceRule(allow=True, type="c", major=major, minor=minor, access="rwm")
        for major, minor in (
            (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None),
        )
    ),
)  # fmt: skip
"""Any node may be made, only the harmless ones may be opened."""

ALL_DEVICES = (DeviceRule(allow=True, access="rwm"),)
"""``--privileged``."""


def default_spec(args: tuple[str, ...], *, terminal: bool = False, root: str = "rootfs") -> Spec:
    """Return a spec for ``args`` as Docker would write it, without seccomp."""
    capabilities = Capabilities(CAPABILITIES, CAPABILITIES, (), CAPABILITIES, ())
    return Spec(
        oci_version="1.2.0",
        process=Process(
            cwd="/",
            args=args,
            env=(f"PATH={PATH}", *(("TERM=xterm",) if terminal else ())),
            terminal=terminal,
            capabilities=capabilities,
            oom_score_adj=0,
        ),
        root=Root(root),
        hostname="boxship",
        mounts=MOUNTS,
        linux=Linux(
            namespaces=tuple(Namespace(kind) for kind in (*NAMESPACES, "cgroup")),
            resources=Resources(devices=DEVICE_RULES),
            masked_paths=MASKED_PATHS,
            readonly_paths=READONLY_PATHS,
            rootfs_propagation="rslave",
        ),
    )
