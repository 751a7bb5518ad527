"""Flags that set one field of the create request each, as a table.

``{"Config": {…}, "HostConfig": {…}}`` below are the request's fields as an untouched command line
sends them; a row of ``PLAIN`` replaces one of them by the flag's value as it is.
"""

from enum import Enum
from typing import Any, NamedTuple

from boxship.cli.flags import Values


class Get(Enum):
    """How the value is taken from the command line."""

    TEXT = "text"
    ON = "on"
    NUMBER = "number"
    LIST = "list"  # null when empty
    SLICE = "slice"  # [] when empty


class Setting(NamedTuple):
    flag: str
    field: str
    get: Get
    only_if_given: bool = False  # left out of the request otherwise


CONFIG = (
    Setting("hostname", "Hostname", Get.TEXT),
    Setting("domainname", "Domainname", Get.TEXT),
    Setting("user", "User", Get.TEXT),
    Setting("tty", "Tty", Get.ON),
    Setting("interactive", "OpenStdin", Get.ON),
    Setting("workdir", "WorkingDir", Get.TEXT),
    Setting("stop-signal", "StopSignal", Get.TEXT, only_if_given=True),
    Setting("stop-timeout", "StopTimeout", Get.NUMBER, only_if_given=True),
)

HOST = (
    Setting("cidfile", "ContainerIDFile", Get.TEXT),
    Setting("rm", "AutoRemove", Get.ON),
    Setting("volume-driver", "VolumeDriver", Get.TEXT),
    Setting("volumes-from", "VolumesFrom", Get.LIST),
    Setting("cgroupns", "CgroupnsMode", Get.TEXT),
    Setting("dns", "Dns", Get.SLICE),
    Setting("dns-option", "DnsOptions", Get.SLICE),
    Setting("dns-search", "DnsSearch", Get.SLICE),
    Setting("add-host", "ExtraHosts", Get.LIST),
    Setting("group-add", "GroupAdd", Get.LIST),
    Setting("ipc", "IpcMode", Get.TEXT),
    Setting("link", "Links", Get.LIST),
    Setting("oom-score-adj", "OomScoreAdj", Get.NUMBER),
    Setting("pid", "PidMode", Get.TEXT),
    Setting("privileged", "Privileged", Get.ON),
    Setting("publish-all", "PublishAllPorts", Get.ON),
    Setting("read-only", "ReadonlyRootfs", Get.ON),
    Setting("uts", "UTSMode", Get.TEXT),
    Setting("userns", "UsernsMode", Get.TEXT),
    Setting("shm-size", "ShmSize", Get.NUMBER),
    Setting("runtime", "Runtime", Get.TEXT, only_if_given=True),
    Setting("isolation", "Isolation", Get.TEXT),
    Setting("init", "Init", Get.ON, only_if_given=True),
    Setting("cpu-shares", "CpuShares", Get.NUMBER),
    Setting("memory", "Memory", Get.NUMBER),
    Setting("cpus", "NanoCpus", Get.NUMBER),
    Setting("cgroup-parent", "CgroupParent", Get.TEXT),
    Setting("blkio-weight", "BlkioWeight", Get.NUMBER),
    Setting("blkio-weight-device", "BlkioWeightDevice", Get.SLICE),
    Setting("device-read-bps", "BlkioDeviceReadBps", Get.SLICE),
    Setting("device-write-bps", "BlkioDeviceWriteBps", Get.SLICE),
    Setting("device-read-iops", "BlkioDeviceReadIOps", Get.SLICE),
    Setting("device-write-iops", "BlkioDeviceWriteIOps", Get.SLICE),
    Setting("cpu-period", "CpuPeriod", Get.NUMBER),
    Setting("cpu-quota", "CpuQuota", Get.NUMBER),
    Setting("cpu-rt-period", "CpuRealtimePeriod", Get.NUMBER),
    Setting("cpu-rt-runtime", "CpuRealtimeRuntime", Get.NUMBER),
    Setting("cpuset-cpus", "CpusetCpus", Get.TEXT),
    Setting("cpuset-mems", "CpusetMems", Get.TEXT),
    Setting("device-cgroup-rule", "DeviceCgroupRules", Get.LIST),
    Setting("gpus", "DeviceRequests", Get.LIST),
    Setting("memory-reservation", "MemoryReservation", Get.NUMBER),
    Setting("memory-swap", "MemorySwap", Get.NUMBER),
    Setting("memory-swappiness", "MemorySwappiness", Get.NUMBER),
    Setting("oom-kill-disable", "OomKillDisable", Get.ON),
    Setting("pids-limit", "PidsLimit", Get.NUMBER),
    Setting("cpu-count", "CpuCount", Get.NUMBER),
    Setting("cpu-percent", "CpuPercent", Get.NUMBER),
    Setting("io-maxiops", "IOMaximumIOps", Get.NUMBER),
    Setting("io-maxbandwidth", "IOMaximumBandwidth", Get.NUMBER),
    Setting("mount", "Mounts", Get.LIST, only_if_given=True),
    Setting("egress", "Egress", Get.LIST, only_if_given=True),
)


def read(values: Values, table: tuple[Setting, ...]) -> dict[str, Any]:
    """The fields of ``table`` for this command line."""
    return {
        row.field: _value(values, row)
        for row in table
        if not row.only_if_given or values.changed(row.flag)
    }


def _value(values: Values, row: Setting) -> Any:
    match row.get:
        case Get.TEXT:
            return values.text(row.flag)
        case Get.ON:
            return values.on(row.flag)
        case Get.NUMBER:
            return values.number(row.flag)
        case Get.LIST:
            return list(values.many(row.flag)) or None
        case Get.SLICE:
            return list(values.many(row.flag))
