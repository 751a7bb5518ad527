"""Every field of the specification has an effect: whoever changes it gets another plan, or is told.

One document has all fields. For each of them it is planned once more with another value; the plan,
or the hooks that go beside it, must differ, or the field be refused by its name. A field that
nobody reads fails here, whatever the table in docs/reference says of it.
"""

import copy
import re
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.oci import runtime as oci
from boxship.runtime import steps
from boxship.runtime.cgroups.layout import Hierarchy, Layout
from boxship.runtime.host import Host
from boxship.runtime.plan import plan, plan_process

ROOT = Path(__file__).parents[2]
FIELDS = (ROOT / "docs/reference/runtime-spec-fields.txt").read_text().split()
CONTROLLERS = ("memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "rdma", "net_cls", "net_prio",
               "devices")  # fmt: skip
MODULES = ("apparmor", "selinux")
V1 = Host(
    Layout(
        tuple(Hierarchy(f"/c/{name}", (name,)) for name in CONTROLLERS),
        block_weight_file="blkio.weight",
    ),
    security_modules=MODULES,
    resctrl="/r",
)
V2 = Host(Layout((), "/c", ("memory", "cpu", "cpuset", "pids", "io")), security_modules=MODULES)

HOOK = {"path": "/hook", "args": ["hook"], "env": ["A=b"], "timeout": 5}
MAPPING = {"containerID": 0, "hostID": 1000, "size": 10}
THROTTLE = {"major": 8, "minor": 0, "rate": 10}
CAPABILITIES = ["CAP_CHOWN", "CAP_KILL"]
DOCUMENT: dict[str, Any] = {
    "ociVersion": "1.2.0",
    "hostname": "host",
    "domainname": "domain",
    "annotations": {"a": "b"},
    "root": {"path": "/root", "readonly": True},
    "hooks": {
        kind: [HOOK]
        for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart",
                     "poststop")
    },
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs"},
        {"destination": "/data", "type": "bind", "source": "/data", "options": ["rbind", "idmap"],
         "uidMappings": [MAPPING], "gidMappings": [MAPPING]},
    ],
    "process": {
        "terminal": True,
        "consoleSize": {"height": 24, "width": 80},
        "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [3], "username": "user"},
        "args": ["true"],
        "env": ["A=b"],
        "cwd": "/data",
        "capabilities": dict.fromkeys(
            ("bounding", "effective", "inheritable", "permitted", "ambient"), CAPABILITIES
        ),
        "rlimits": [{"type": "RLIMIT_CPU", "hard": 20, "soft": 10}],
        "noNewPrivileges": True,
        "apparmorProfile": "profile",
        "oomScoreAdj": 5,
        "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 3},
        "scheduler": {"policy": "SCHED_DEADLINE", "flags": ["SCHED_FLAG_RECLAIM"],
                      "runtime": 10, "deadline": 20, "period": 30},
        "execCPUAffinity": {"initial": "0", "final": "0"},
    },
    "linux": {
        "namespaces": [{"type": kind} for kind in ("mount", "pid", "ipc", "uts", "cgroup", "user",
                                                   "time")] + [{"type": "network", "path": "/n"}],
        "uidMappings": [MAPPING],
        "gidMappings": [MAPPING],
        "timeOffsets": {kind: {"secs": 1, "nanosecs": 2} for kind in ("monotonic", "boottime")},
        "devices": [{"path": "/dev/x", "type": "c", "major": 7, "minor": 8, "fileMode": 384,
                     "uid": 1, "gid": 1}],
        "netDevices": {"eth9": {"name": "eth0"}},
        "cgroupsPath": "/group",
        "resources": {
            "devices": [{"allow": True, "type": "c", "major": 7, "minor": 8, "access": "rw"}],
            "memory": {"limit": 100, "reservation": 50, "swap": 200, "kernel": 10, "kernelTCP": 10,
                       "swappiness": 5, "disableOOMKiller": True, "useHierarchy": True,
                       "checkBeforeUpdate": True},
            "cpu": {"shares": 10, "quota": 10, "burst": 10, "period": 10, "realtimeRuntime": 10,
                    "realtimePeriod": 10, "cpus": "0", "mems": "0", "idle": 1},
            "pids": {"limit": 10},
            "blockIO": {"weight": 20, "leafWeight": 20,
                        "weightDevice": [{"major": 8, "minor": 0, "weight": 20, "leafWeight": 20}],
                        "throttleReadBpsDevice": [THROTTLE],
                        "throttleWriteBpsDevice": [THROTTLE],
                        "throttleReadIOPSDevice": [THROTTLE],
                        "throttleWriteIOPSDevice": [THROTTLE]},
            "hugepageLimits": [{"pageSize": "2MB", "limit": 10}],
            "network": {"classID": 10, "priorities": [{"name": "eth0", "priority": 10}]},
            "rdma": {"mlx": {"hcaHandles": 1, "hcaObjects": 2}},
        },
        "rootfsPropagation": "rslave",
        "seccomp": {
            "defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 5,
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
            "flags": ["SECCOMP_FILTER_FLAG_LOG"],
            "listenerPath": "/agent", "listenerMetadata": "meta",
            "syscalls": [
                {"names": ["mkdir"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7,
                 "args": [{"index": 0, "value": 1, "valueTwo": 2, "op": "SCMP_CMP_MASKED_EQ"}]},
                {"names": ["rmdir"], "action": "SCMP_ACT_NOTIFY"},
            ],
        },
        "sysctl": {"net.x": "1"},
        "maskedPaths": ["/proc/keys"],
        "readonlyPaths": ["/proc/sys"],
        "mountLabel": "label",
        "intelRdt": {"closID": "c", "schemata": ["L3:0=f"], "l3CacheSchema": "L3:0=f",
                     "memBwSchema": "MB:0=20", "enableMonitoring": True},
        "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
        "personality": {"domain": "LINUX"},
    },
}  # fmt: skip

OTHER: dict[str, Any] = {
    "ociVersion": "1.1.0",
    "annotations": {"a": "c"},
    "mounts[].destination": "/elsewhere",
    "mounts[].type": "sysfs",
    "mounts[].options": ["rbind", "ridmap"],
    "process.args": ["false"],
    "process.env": ["A=c"],
    "process.cwd": "/elsewhere",
    "process.commandLine": "x",
    "process.selinuxLabel": "label",
    "process.rlimits[].type": "RLIMIT_CORE",
    "process.user.additionalGids": [4],
    "process.ioPriority.class": "IOPRIO_CLASS_IDLE",
    "process.scheduler.policy": "SCHED_FIFO",
    "process.scheduler.flags": ["SCHED_FLAG_RESET_ON_FORK"],
    "process.scheduler.nice": 5,
    "process.scheduler.priority": 5,
    "process.execCPUAffinity.initial": "1",
    "process.execCPUAffinity.final": "1",
    "linux.namespaces[].type": "cgroup",
    "linux.devices[].type": "b",
    "linux.netDevices.*.name": "eth1",
    "linux.resources.devices[].type": "b",
    "linux.resources.devices[].access": "r",
    "linux.resources.cpu.cpus": "1",
    "linux.resources.cpu.mems": "1",
    "linux.resources.cpu.idle": 0,
    "linux.resources.hugepageLimits[].pageSize": "1GB",
    "linux.rootfsPropagation": "rshared",
    "linux.seccomp.defaultAction": "SCMP_ACT_ALLOW",
    "linux.seccomp.architectures": ["SCMP_ARCH_X86_64"],
    "linux.seccomp.flags": [],
    "linux.seccomp.syscalls[].names": ["mknod"],
    "linux.seccomp.syscalls[].action": "SCMP_ACT_ALLOW",
    "linux.seccomp.syscalls[].args[].op": "SCMP_CMP_NE",
    "linux.sysctl": {"net.x": "2"},
    "linux.maskedPaths": ["/proc/kcore"],
    "linux.readonlyPaths": ["/proc/irq"],
    "linux.intelRdt.schemata": ["L3:0=1"],
    "linux.intelRdt.l3CacheSchema": "L3:0=1",
    "linux.intelRdt.memBwSchema": "MB:0=30",
    "linux.memoryPolicy.mode": "MPOL_INTERLEAVE",
    "linux.memoryPolicy.nodes": "1",
    "linux.memoryPolicy.flags": ["MPOL_F_RELATIVE_NODES"],
    "linux.personality.domain": "LINUX32",
    "linux.personality.flags": ["X"],
    **{name: {} for name in oci.FOREIGN_SECTIONS},
}
"""Another value where adding one to a number or a letter to a text would not do."""


def leaves() -> list[str]:
    """Return the fields that have no fields of their own."""
    inner = {re.sub(r"(\.\*|\[\])*\.[^.]+$", "", field) for field in FIELDS if "." in field}
    inner |= {re.sub(r"(\.\*|\[\])+$", "", field) for field in inner}
    return [field for field in FIELDS if field not in inner]


def place_of(document: dict[str, Any], field: str) -> tuple[dict[str, Any], str]:
    """Return the object that a field is in, and its name there.

    Of a list it is the first item that has the field, of `*` the only key.
    """
    *parents, last = field.split(".")
    here: Any = document
    for position, name in enumerate(parents):
        here = here[next(iter(here))] if name == "*" else here[name.removesuffix("[]")]
        if name.endswith("[]"):
            wanted = (parents[position + 1 :] or [last])[0].removesuffix("[]")
            here = next((item for item in here if wanted in item), here[0])
    return here, last


def changed(field: str) -> dict[str, Any]:
    """Return the document with another value of one field."""
    result: dict[str, Any] = copy.deepcopy(DOCUMENT)
    here, name = place_of(result, field)
    here[name] = OTHER[field] if field in OTHER else another(here[name])
    return result


def another(value: Any) -> Any:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return value + "x"
    assert isinstance(value, list)
    return value[:-1]


def outcome(document: dict[str, Any]) -> tuple[object, ...]:
    """Return all that is made of a document."""
    spec = oci.Spec.from_json(document)
    assert spec.process is not None
    root = steps.BindRoot("/root") if spec.root is None else None
    made = plan(spec, "c1", V1, root)
    of_exec = plan_process(spec.process, V1, None, "c1")
    return made.to_json(), of_exec, spec.hooks


@pytest.mark.parametrize("field", [f for f in leaves() if f != "linux.resources.unified"])
def test_another_value_makes_another_plan_or_an_error(field: str) -> None:
    before = outcome(DOCUMENT)
    names = re.sub(r"\[\]|\.\*", "", field).split(".")
    try:
        after = outcome(changed(field))
    except (InvalidArgumentError, ValueError) as error:
        assert names[-1] in str(error) or names[-2] in str(error)
    else:
        assert after != before


def test_what_only_version_2_has() -> None:
    plain: dict[str, Any] = {**DOCUMENT, "linux": {"namespaces": [{"type": "mount"}]}}
    del plain["hostname"], plain["domainname"]
    plain["mounts"] = []
    with_files = copy.deepcopy(plain)
    with_files["linux"]["resources"] = {"unified": {"memory.high": "5"}}
    one, other = (
        plan(oci.Spec.from_json(document), "c1", V2).to_json() for document in (plain, with_files)
    )
    assert one != other


@pytest.mark.parametrize("field", FIELDS)
def test_a_value_of_the_wrong_kind_is_told_by_name(field: str) -> None:
    """A list of something odd is never right: neither text, number, list of texts nor object."""
    wrong = copy.deepcopy(DOCUMENT)
    here, last = place_of(wrong, field)
    here[last] = [[None]]
    with pytest.raises(
        ValueError, match=rf"(^|\.){re.escape(last)}\b.*: .* (expected|Linux alone)"
    ):
        oci.Spec.from_json(wrong)
