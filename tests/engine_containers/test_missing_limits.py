"""Limits that the kernel does not have are discarded with Docker's warning, or refused."""

from dataclasses import replace

import msgspec
import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.engine.containers.checks import limits
from boxship.engine.containers.checks.machine import Machine
from boxship.engine.containers.checks.support import discard, missing_limits
from boxship.model.container import HostConfig
from boxship.runtime.cgroups.layout import Layout

MACHINE = Machine(frozenset({0, 1}), frozenset({0}))
MIB = 2**20
UNMOUNTED = "or the cgroup is not mounted."


def lacking(*missing: str) -> Machine:
    return replace(MACHINE, missing=frozenset(missing))


def asked(text: str) -> HostConfig:
    return msgspec.json.decode(text, type=HostConfig)


# Limit that is missing, request, what becomes of it, warning: as dockerd 20.10 answers.
DISCARDED = [
    (
        "memory",
        {"memory": 8 * MIB, "memory_swap": 16 * MIB},
        {"memory": 0, "memory_swap": -1},
        f"Your kernel does not support memory limit capabilities {UNMOUNTED} Limitation discarded.",
    ),
    (
        "swap",
        {"memory": 8 * MIB},
        {"memory": 8 * MIB, "memory_swap": -1},
        "Your kernel does not support swap limit capabilities or the cgroup is not mounted. "
        "Memory limited without swap.",
    ),
    (
        "swappiness",
        {"memory_swappiness": 0},
        {"memory_swappiness": None},
        "Your kernel does not support memory swappiness capabilities "
        f"{UNMOUNTED} Memory swappiness discarded.",
    ),
    (
        "reservation",
        {"memory_reservation": 8 * MIB},
        {"memory_reservation": 0},
        "Your kernel does not support memory soft limit capabilities "
        f"{UNMOUNTED} Limitation discarded.",
    ),
    (
        "oom",
        {"oom_kill_disable": True},
        {"oom_kill_disable": None},
        "Your kernel does not support OomKillDisable. OomKillDisable discarded.",
    ),
    (
        "pids",
        {"pids_limit": 5},
        {"pids_limit": None},
        f"Your kernel does not support PIDs limit capabilities {UNMOUNTED} PIDs limit discarded.",
    ),
    (
        "shares",
        {"cpu_shares": 5},
        {"cpu_shares": 0},
        f"Your kernel does not support CPU shares {UNMOUNTED} Shares discarded.",
    ),
    (
        "quota",
        {"cpu_period": 1000, "cpu_quota": -1},
        {"cpu_period": 0, "cpu_quota": 0},
        "Your kernel does not support CPU CFS scheduler. CPU period/quota discarded.",
    ),
    (
        "percent",
        {"cpu_percent": 5},
        {"cpu_percent": 0},
        "linux does not support CPU percent. Percent discarded.",
    ),
    (
        "cpuset",
        {"cpuset_cpus": "0-99"},
        {"cpuset_cpus": ""},
        f"Your kernel does not support cpuset {UNMOUNTED} Cpuset discarded.",
    ),
    (
        "weight",
        {"blkio_weight": 5},
        {"blkio_weight": 0},
        f"Your kernel does not support Block I/O weight {UNMOUNTED} Weight discarded.",
    ),
]


@pytest.mark.parametrize(("limit", "request_", "left", "warning"), DISCARDED)
def test_a_limit_that_is_missing_is_discarded(
    limit: str, request_: dict[str, object], left: dict[str, object], warning: str
) -> None:
    wanted = msgspec.structs.replace(HostConfig(), **request_)
    host, warnings = discard(wanted, lacking(limit))
    assert warnings == [warning]
    assert {name: getattr(host, name) for name in left} == left
    limits.check(host, MACHINE)
    assert discard(wanted, MACHINE) == (wanted, [])


@pytest.mark.parametrize(
    ("limit", "host"),
    [
        ("oom", '{"OomKillDisable":false}'),
        ("pids", '{"PidsLimit":-1}'),
        ("swappiness", '{"MemorySwappiness":-1}'),
        ("swap", '{"MemorySwap":-1}'),
        ("swap", '{"Memory":8388608,"MemorySwap":-1}'),
    ],
)
def test_what_asks_for_nothing_is_not_warned_of(limit: str, host: str) -> None:
    assert discard(asked(host), lacking(limit))[1] == []


def test_throttles_of_devices() -> None:
    host = asked('{"BlkioDeviceReadBps":[{"Path":"/none","Rate":1}]}')
    left, warnings = discard(host, lacking("read-bps"))
    assert left.blkio_device_read_bps == ()
    assert warnings[0].endswith("Block I/O BPS read limit discarded.")


@pytest.mark.parametrize(
    ("limit", "host", "answer"),
    [
        ("realtime", '{"CpuRealtimeRuntime":1}', "does not support CPU real-time scheduler"),
        ("quota", '{"NanoCpus":1000000000}', "does not support CPU CFS scheduler"),
    ],
)
def test_a_limit_that_may_not_be_left_out_is_refused(limit: str, host: str, answer: str) -> None:
    with pytest.raises(InvalidArgumentError, match=answer):
        discard(asked(host), lacking(limit))


def test_cgroup_v2_has_what_its_controllers_have() -> None:
    everything = Layout(
        unified="/cg", unified_controllers=("cpu", "cpuset", "io", "memory", "pids")
    )
    nowhere = {"percent", "swappiness", "oom", "realtime"}
    assert missing_limits(everything) == nowhere
    without_io = missing_limits(replace(everything, unified_controllers=("cpu", "memory")))
    blocks = {"weight", "read-bps", "write-bps", "read-iops", "write-iops"}
    assert without_io == nowhere | blocks | {"pids", "cpuset"}


def test_without_any_hierarchy_there_are_no_limits() -> None:
    assert {"memory", "pids", "quota", "weight"} <= missing_limits(Layout())
