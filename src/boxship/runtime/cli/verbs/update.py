"""``update``: change a running container's limits."""

import json
import sys

from boxship.base.errors import ConflictError, InvalidArgumentError
from boxship.base.frozen import replace
from boxship.oci.runtime import BlockIo, Cpu, Memory, Pids, Resources
from boxship.runtime.cgroups.change import change
from boxship.runtime.cgroups.layout import host_layout
from boxship.runtime.cgroups.plan import plan_writes
from boxship.runtime.cgroups.tree import CgroupError
from boxship.runtime.cli.call import Call
from boxship.runtime.cli.store import STOPPED, Store

_CPU = {
    "cpu-period": "period",
    "cpu-quota": "quota",
    "cpu-burst": "burst",
    "cpu-share": "shares",
    "cpu-rt-period": "realtime_period",
    "cpu-rt-runtime": "realtime_runtime",
    "cpu-idle": "idle",
}
_CPU_TEXTS = {"cpuset-cpus": "cpus", "cpuset-mems": "mems"}
_MEMORY = {"memory": "limit", "memory-reservation": "reservation", "memory-swap": "swap"}
_UNITS = {"b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


def run(call: Call) -> int:
    """Write what is given, all or nothing; all else stays as it is."""
    store = Store(call.root)
    record = store.load(call.container_id)
    if store.status(record) == STOPPED:
        raise ConflictError("cannot update a container that has stopped")
    for flag in ("l3-cache-schema", "mem-bw-schema"):
        if call.arguments.text(flag):
            raise InvalidArgumentError(f"--{flag}: this container has no resctrl group")
    for flag in ("kernel-memory", "kernel-memory-tcp"):
        if call.arguments.given(flag):
            _bytes(flag, call.arguments.text(flag))
            call.warn(f"--{flag}: limits of kernel memory are obsolete; ignored")
    path = call.arguments.text("resources")
    resources = _from_file(path) if path else _from_flags(call)
    # Who may use which device was decided when the container was made.
    resources = replace(resources, devices=())
    before = change(record.cgroup, plan_writes(resources, host_layout()))
    if record.cgroup.scope and before:
        from boxship.runtime.cgroups import systemd, units

        try:
            systemd.change_scope(record.cgroup.scope.unit, units.limits(resources, host_layout()))
        except CgroupError:
            change(record.cgroup, before)
            raise
    return 0


def _from_file(path: str) -> Resources:
    try:
        if path == "-":
            return Resources.from_json(json.load(sys.stdin))
        with open(path, "rb") as stream:
            return Resources.from_json(json.load(stream))
    except ValueError as error:
        raise InvalidArgumentError(f"--resources: {error}") from None


def _from_flags(call: Call) -> Resources:
    given, number = call.arguments.given, call.arguments.number
    cpu = {field: number(flag) for flag, field in _CPU.items() if given(flag)}
    sets = {field: call.arguments.text(flag) for flag, field in _CPU_TEXTS.items() if given(flag)}
    memory = {
        field: _bytes(flag, call.arguments.text(flag))
        for flag, field in _MEMORY.items()
        if given(flag)
    }
    return Resources(
        cpu=Cpu(**cpu, **sets) if cpu or sets else None,  # type: ignore[arg-type]
        memory=Memory(**memory) if memory else None,  # type: ignore[arg-type]
        pids=Pids(number("pids-limit")) if given("pids-limit") else None,
        block_io=BlockIo(number("blkio-weight")) if given("blkio-weight") else None,
    )


def _bytes(flag: str, text: str) -> int:
    """Read ``64m``, ``1G``, ``-1``."""
    digits, unit = text, 1
    if text and text[-1].lower() in _UNITS:
        digits, unit = text[:-1], _UNITS[text[-1].lower()]
    try:
        return int(digits) * unit
    except ValueError:
        raise InvalidArgumentError(f"--{flag}: bytes expected, not {text!r}") from None
