"""Fields of the specification that nothing else asks a real container about."""

from dataclasses import replace

import pytest

from boxship.oci import runtime as oci
from support.boxes import Box, Outcome

pytestmark = pytest.mark.privileged


@pytest.mark.spec("domainname")
def test_the_domain_of_nis(box: Box) -> None:
    box.spec = replace(box.spec, domainname="house.example")
    shown = box.run("cat", "/proc/sys/kernel/domainname")
    assert shown.output == "house.example\n"


@pytest.mark.spec("process.args", "process.env", "process.cwd")
def test_arguments_variables_and_directory(box: Box) -> None:
    result = box.run("sh", "-c", 'echo "$0|$1|$A|$PWD"', "a b", "", env=("A=c d",), cwd="/tmp")
    assert result.failure is not None  # no PATH to find it by
    result = box.run("/bin/sh", "-c", 'echo "$0|$1|$A|$PWD"', "a b", "", env=("A=c d",), cwd="/tmp")
    assert result.output == "a b||c d|/tmp\n"


@pytest.mark.spec("process.user.uid", "process.user.gid", "process.user.additionalGids")
def test_numbers_of_a_user(box: Box) -> None:
    user = oci.User(uid=4321, gid=1234, additional_gids=(5, 6))
    shown = box.run("cat", "/proc/self/status", user=user).output
    lines = dict(line.split(":", 1) for line in shown.splitlines())
    assert lines["Uid"].split() == ["4321"] * 4
    assert lines["Gid"].split() == ["1234"] * 4
    assert {"5", "6"} <= set(lines["Groups"].split())


@pytest.mark.spec("process.rlimits")
def test_soft_and_hard_limits(box: Box) -> None:
    limits = (oci.Rlimit("RLIMIT_NOFILE", hard=200, soft=100), oci.Rlimit("RLIMIT_CORE", 7, 0))
    shown = box.run("cat", "/proc/self/limits", rlimits=limits).output
    found = {line[:25].strip(): line[25:].split()[:2] for line in shown.splitlines()}
    assert found["Max open files"] == ["100", "200"]
    assert found["Max core file size"] == ["0", "7"]


@pytest.mark.spec("process.ioPriority.priority")
def test_a_priority_of_input_and_output(box: Box) -> None:
    wanted = oci.IoPriority("IOPRIO_CLASS_BE", 6)
    shown = box.run("ionice", io_priority=wanted)
    assert shown.output == "best-effort: prio 6\n"


CHDIR_FAILS = oci.SeccompRule(("chdir",), "SCMP_ACT_ERRNO", errno_ret=7)


@pytest.mark.spec(
    "linux.seccomp.defaultAction",
    "linux.seccomp.defaultErrnoRet",
    "linux.seccomp.syscalls[].names",
    "linux.seccomp.syscalls[].action",
    "linux.seccomp.syscalls[].errnoRet",
)
def test_the_errors_that_a_filter_answers_with(box: Box) -> None:
    assert box.spec.linux.seccomp is not None
    everything_else = [name for rule in box.spec.linux.seccomp.syscalls for name in rule.names]
    names = tuple(dict.fromkeys(n for n in everything_else if n not in ("chdir", "mkdir")))
    profile = oci.Seccomp(
        "SCMP_ACT_ERRNO",
        default_errno_ret=11,
        architectures=("SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"),
        syscalls=(oci.SeccompRule(names, "SCMP_ACT_ALLOW"), CHDIR_FAILS),
    )
    box.change_linux(seccomp=profile)
    result = box.run("sh", "-c", "cd /tmp; mkdir /tmp/new")
    assert "Argument list too long" in result.errors  # 7
    assert "Resource temporarily unavailable" in result.errors  # 11


@pytest.mark.spec("linux.timeOffsets")
def test_seconds_and_nanoseconds_of_clocks(box: Box) -> None:
    offsets = oci.TimeOffsets(oci.TimeOffset(1000, 5), oci.TimeOffset(2000, 6))
    namespaces = (*box.spec.linux.namespaces, oci.Namespace("time"))
    box.change_linux(namespaces=namespaces, time_offsets=offsets)
    shown = box.run("cat", "/proc/self/timens_offsets").output
    found = {line.split()[0]: line.split()[1:] for line in shown.splitlines()}
    assert found == {"monotonic": ["2000", "6"], "boottime": ["1000", "5"]}


@pytest.mark.spec("linux.resources.devices")
def test_rules_of_devices_of_a_container(box: Box) -> None:
    def opened(*rules: oci.DeviceRule) -> Outcome:
        resources = replace(box.spec.linux.resources, devices=rules)
        box.change_linux(resources=resources, devices=(oci.Device("/dev/mine", "c", 10, 237),))
        return box.run("sh", "-c", ": </dev/mine && echo read; : >/dev/mine && echo written")

    denied = oci.DeviceRule(allow=False, access="rwm")
    readable = oci.DeviceRule(allow=True, type="c", major=10, minor=237, access="r")
    elsewhere = oci.DeviceRule(allow=True, type="b", major=10, minor=237, access="rw")
    other = oci.DeviceRule(allow=True, type="c", major=10, minor=236, access="rw")
    assert opened(denied).output == ""
    assert opened(denied, elsewhere, other).output == ""
    assert opened(denied, readable).output == "read\n"
    assert opened(denied, replace(readable, access="rw")).output == "read\nwritten\n"
