"""One container that is asked for nearly everything at once, and what each option comes to in it.

All options go into one request, so they are paid for once. A row has a command that is run inside,
and what it says. In a container that asks for nothing it says something else, which is tested too:
a row that cannot fail is of no use.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from support import residue
from support.engine import Engine

pytestmark = pytest.mark.privileged

PARENT = "bx-each-option"
UNIFIED = not Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()
NEXT = "=== next ==="


def group(v1: str, v2: str) -> str:
    """Show a file of the container's cgroup."""
    return f"cat /sys/fs/cgroup/{v2 if UNIFIED else v1}"


def kernel(field: str) -> str:
    return f"sed -n 's/^{field}:[^0-9a-f]*//p' /proc/self/status"


def mounted(place: str, option: str) -> str:
    """Count the options of a mount that begin so."""
    return f"awk '$2==\"{place}\"' /proc/mounts | tr ' ' ',' | tr , '\\n' | grep -c '^{option}'"


REQUEST: dict[str, Any] = {
    "Image": "busybox",
    "Hostname": "box1",
    "Domainname": "example.org",
    "User": "1000:1001",
    "Env": ["A=b c"],
    "Entrypoint": ["sh", "-c"],
    "WorkingDir": "/etc",
    "Volumes": {"/declared": {}},
    "HostConfig": {
        "Binds": ["/proc/version:/bound:ro"],
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["CAP_FSETID"],
        "CgroupParent": f"/{PARENT}",
        "CgroupnsMode": "host",
        "CpuPeriod": 50_000,
        "CpuQuota": 25_000,
        "CpuShares": 512,
        "CpusetCpus": "0",
        "CpusetMems": "0",
        "Devices": [
            {
                "PathOnHost": "/dev/null",
                "PathInContainer": "/dev/nothing",
                "CgroupPermissions": "r",
            }
        ],
        "Dns": ["192.0.2.53"],
        "DnsOptions": ["ndots:3"],
        "DnsSearch": ["example.org"],
        "ExtraHosts": ["elsewhere:192.0.2.1"],
        "GroupAdd": ["77"],
        "Init": True,
        "MaskedPaths": ["/proc/uptime"],
        "Memory": 32 << 20,
        "MemoryReservation": 16 << 20,
        "MemorySwap": 48 << 20,
        "Mounts": [
            {"Type": "tmpfs", "Target": "/scratch", "ReadOnly": True,
             "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o711, "Options": [["exec"]]}},
            {"Type": "bind", "Source": "/proc", "Target": "/alone",
             "BindOptions": {"NonRecursive": True}},
            {"Type": "volume", "Target": "/var", "VolumeOptions": {"NoCopy": True}},
        ],
        "NetworkMode": "none",
        "OomScoreAdj": 500,
        "PidsLimit": 33,
        "ReadonlyPaths": ["/dev/mqueue"],
        "ReadonlyRootfs": True,
        "SecurityOpt": ["no-new-privileges"],
        "ShmSize": 1 << 20,
        "Sysctls": {"net.core.somaxconn": "77"},
        "Tmpfs": {"/small": "size=2m"},
        "Ulimits": [{"Name": "nofile", "Soft": 77, "Hard": 88}],
    },
}  # fmt: skip

EFFECTS = {
    "Hostname": ("hostname", "box1"),
    "Domainname": ("cat /proc/sys/kernel/domainname", "example.org"),
    "User": ("id -u; id -g", "1000 1001"),
    "Env": ('echo "$A"', "b c"),
    "Entrypoint": ("tr '\\0' ' ' </proc/$$/cmdline | cut -c1-6", "sh -c "),
    "Cmd": ("echo $0", "zero"),
    "WorkingDir": ("pwd", "/etc"),
    "Volumes": ("grep -c ' /declared ' /proc/mounts", "1"),
    "HostConfig.Binds": ("cut -d' ' -f1 /bound", "Linux"),
    "HostConfig.CapAdd": (kernel("CapBnd") + " | cut -c13-14", "35"),
    "HostConfig.CapDrop": (kernel("CapBnd") + " | tail -c3", "eb"),
    "HostConfig.CgroupParent": (f"grep -c '/{PARENT}/' /proc/self/cgroup >/dev/null && echo in it",
                                "in it"),
    "HostConfig.CpuPeriod": (group("cpu/cpu.cfs_period_us", "cpu.max") + " | tail -c6", "50000"),
    "HostConfig.CpuQuota": (group("cpu/cpu.cfs_quota_us", "cpu.max") + " | cut -c1-5", "25000"),
    "HostConfig.CpuShares": (group("cpu/cpu.shares", "cpu.weight"), "20" if UNIFIED else "512"),
    "HostConfig.CpusetCpus": (kernel("Cpus_allowed_list"), "0"),
    "HostConfig.CpusetMems": (group("cpuset/cpuset.mems", "cpuset.mems") + ";id -u", "0 1000"),
    "HostConfig.Devices[].PathOnHost": ("stat -c %t:%T /dev/nothing", "1:3"),
    "HostConfig.Devices[].PathInContainer": ("ls /dev/nothing", "/dev/nothing"),
    "HostConfig.Dns": ("grep -w nameserver /etc/resolv.conf", "nameserver 192.0.2.53"),
    "HostConfig.DnsOptions": ("grep -w options /etc/resolv.conf", "options ndots:3"),
    "HostConfig.DnsSearch": ("grep -w search /etc/resolv.conf", "search example.org"),
    "HostConfig.ExtraHosts": ("grep elsewhere /etc/hosts", "192.0.2.1 elsewhere"),
    "HostConfig.GroupAdd": ("id -G", "1001 77"),
    "HostConfig.Init": ("cat /proc/1/comm", "docker-init"),
    "HostConfig.MaskedPaths": ("cat /proc/uptime | wc -c", "0"),
    "HostConfig.Memory": (group("memory/memory.limit_in_bytes", "memory.max"), "33554432"),
    "HostConfig.MemoryReservation": (
        group("memory/memory.soft_limit_in_bytes", "memory.low"), "16777216"
    ),
    "HostConfig.MemorySwap": (
        group("memory/memory.memsw.limit_in_bytes", "memory.swap.max"),
        "16777216" if UNIFIED else "50331648",
    ),
    "HostConfig.Mounts[].Target": ("grep -c ' /scratch tmpfs ' /proc/mounts", "1"),
    "HostConfig.Mounts[].Type": ("awk '$2==\"/scratch\" {print $3}' /proc/mounts", "tmpfs"),
    "HostConfig.Mounts[].Source": ("cut -d' ' -f1 /alone/version", "Linux"),
    "HostConfig.Mounts[].ReadOnly": (mounted("/scratch", "ro$"), "1"),
    "HostConfig.Mounts[].BindOptions.NonRecursive": ("grep -c ' /alone' /proc/mounts", "1"),
    "HostConfig.Mounts[].TmpfsOptions.SizeBytes": (mounted("/scratch", "size=1024k"), "1"),
    "HostConfig.Mounts[].TmpfsOptions.Mode": ("stat -c %a /scratch", "711"),
    "HostConfig.Mounts[].TmpfsOptions.Options": (
        "grep ' /scratch ' /proc/mounts >&3 && " + mounted("/scratch", "noexec"), "0"
    ),
    "HostConfig.Mounts[].VolumeOptions.NoCopy": ("ls /var | wc -l", "0"),
    "HostConfig.NetworkMode": ("ls /sys/class/net; id -u", "lo 1000"),
    "HostConfig.OomScoreAdj": ("cat /proc/self/oom_score_adj", "500"),
    "HostConfig.PidsLimit": (group("pids/pids.max", "pids.max"), "33"),
    "HostConfig.ReadonlyPaths": (mounted("/dev/mqueue", "ro$"), "1"),
    "HostConfig.ReadonlyRootfs": (mounted("/", "ro$"), "1"),
    "HostConfig.SecurityOpt": (kernel("NoNewPrivs"), "1"),
    "HostConfig.ShmSize": (mounted("/dev/shm", "size=1024k"), "1"),
    "HostConfig.Sysctls": ("cat /proc/sys/net/core/somaxconn", "77"),
    "HostConfig.Tmpfs": (mounted("/small", "size=2048k"), "1"),
    "HostConfig.Ulimits[].Name": ("ulimit -n", "77"),
    "HostConfig.Ulimits[].Soft": ("ulimit -S -n", "77"),
    "HostConfig.Ulimits[].Hard": ("ulimit -H -n", "88"),
}  # fmt: skip
"""Option, command, what it says."""


def said(engine: Engine, first: tuple[str, ...], last: str, **request: Any) -> dict[str, str]:
    """What each command says in a container that is made so, in one line."""
    script = f"; echo '{NEXT}'; ".join(command for command, _ in EFFECTS.values())
    whole = f"{{ {script}; }} 2>&1 3>/dev/null; true"
    container = engine.api.create("all", **request, Cmd=[*first, whole, last])
    try:
        engine.api.start(container)
        assert engine.api.wait(container) == 0
        parts = engine.api.logs(container).decode().split(NEXT)
    finally:
        engine.api.remove(container)
    return {option: oneline(part) for option, part in zip(EFFECTS, parts, strict=True)}


def oneline(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.option(*EFFECTS)
def test_what_each_comes_to(engine: Engine) -> None:
    try:
        found = said(engine, (), "zero", **REQUEST)
    finally:
        for hierarchy in residue.hierarchies():
            with suppress(FileNotFoundError):
                Path(hierarchy, PARENT).rmdir()
    assert found == {option: oneline(says) for option, (_, says) in EFFECTS.items()}


def test_without_asking_it_is_not_so(engine: Engine) -> None:
    found = said(engine, ("ash", "-c"), "nought", HostConfig={"NetworkMode": "host"})
    assert not {option for option, (_, says) in EFFECTS.items() if found[option] == oneline(says)}
