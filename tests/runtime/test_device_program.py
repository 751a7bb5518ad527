"""Device rules of cgroup v2: the program as a reader would run it, and in the real kernel."""

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.kernel import bpf
from boxship.oci.runtime import DeviceRule, Resources
from boxship.runtime.blueprint import CgroupDirectory, CgroupPlan
from boxship.runtime.cgroups import tree
from boxship.runtime.cgroups.ebpf import device_program, state_after
from boxship.runtime.cgroups.layout import Layout, find_layout
from boxship.runtime.cgroups.plan import plan_cgroup
from boxship.runtime.defaults import ALL_DEVICES, DEVICE_RULES
from boxship.runtime.devices import with_default_devices
from support.residue import RUN

LAYOUT = find_layout()
READ, WRITE, MAKE = 2, 4, 1


def allowed(program: bytes, kind: int, access: int, major: int, minor: int) -> bool:
    """Run the program as the kernel would: registers, and a context of three words."""
    registers = [0] * 11
    context = (access << 16 | kind, major, minor)
    at = 0
    while True:
        code, pair, jump, value = struct.unpack_from("<BBhi", program, at * 8)
        target, source = pair & 15, pair >> 4
        at += 1
        if code == 0x61:
            registers[target] = context[jump // 4]
        elif code == 0xBF:
            registers[target] = registers[source]
        elif code == 0xB7:
            registers[target] = value
        elif code == 0x54:
            registers[target] &= value & 0xFFFFFFFF
        elif code == 0x74:
            registers[target] >>= value
        elif code in (0x56, 0x16):
            equal = registers[target] & 0xFFFFFFFF == value & 0xFFFFFFFF
            at += jump if equal == (code == 0x16) else 0
        elif code == 0x95:
            return bool(registers[0])
        else:
            raise AssertionError(f"{code:#x} is not known")


def test_the_default_rules() -> None:
    program = device_program(DEVICE_RULES)
    assert allowed(program, 2, READ | WRITE, 1, 3)
    assert allowed(program, 2, MAKE, 99, 99)
    assert allowed(program, 1, MAKE, 8, 0)
    assert allowed(program, 2, READ | WRITE, 136, 77)
    assert not allowed(program, 1, READ, 8, 0)
    assert not allowed(program, 2, READ, 1, 1)
    assert not allowed(program, 2, MAKE | READ, 1, 1)


def test_everything_and_what_is_taken_from_it() -> None:
    assert allowed(device_program(ALL_DEVICES), 1, 7, 8, 0)
    program = device_program((*ALL_DEVICES, DeviceRule(False, "b", 8, None, "w")))
    assert allowed(program, 1, READ, 8, 1)
    assert not allowed(program, 1, READ | WRITE, 8, 1)
    assert allowed(program, 1, WRITE, 9, 1)


def test_rules_for_one_device_add_up_and_are_taken_back() -> None:
    rules = (
        DeviceRule(False, "a", access="rwm"),
        DeviceRule(True, "c", 5, 1, "r"),
        DeviceRule(True, "c", 5, 1, "w"),
        DeviceRule(True, "c", 7, 1, "rw"),
        DeviceRule(False, "c", 7, 1, "w"),
    )
    program = device_program(rules)
    assert allowed(program, 2, READ | WRITE, 5, 1)
    assert allowed(program, 2, READ, 7, 1)
    assert not allowed(program, 2, WRITE, 7, 1)
    assert state_after(rules).exceptions == {("c", 5, 1): 6, ("c", 7, 1): 2}


def test_access_that_is_none_is_named() -> None:
    with pytest.raises(InvalidArgumentError, match=r"devices\[0\]\.access"):
        device_program((DeviceRule(True, "c", 1, 3, "x"),))


def test_who_denies_all_still_gets_the_harmless_devices() -> None:
    rules = with_default_devices((DeviceRule(False, access="rwm"),))
    program = device_program(rules)
    assert allowed(program, 2, READ | WRITE, 1, 3)
    assert not allowed(program, 1, READ, 8, 0)
    assert with_default_devices(()) == ()
    assert with_default_devices(ALL_DEVICES) == ALL_DEVICES
    assert with_default_devices(DEVICE_RULES) == DEVICE_RULES


def test_a_plan_for_v2_has_the_program_and_v1_has_not() -> None:
    resources = Resources(devices=DEVICE_RULES)
    unified = plan_cgroup("/x", resources, Layout((), "/c", ("cpu",)))
    assert unified.device_program == device_program(DEVICE_RULES)
    if LAYOUT.hierarchies:
        assert plan_cgroup("/x", resources, LAYOUT).device_program == b""


@pytest.fixture
def cgroup() -> Iterator[CgroupDirectory]:
    if not LAYOUT.unified:
        pytest.skip("no cgroup2 here")
    path = f"{LAYOUT.unified}/{RUN}bpf"
    yield CgroupDirectory(LAYOUT.unified, path, unified=True)
    if os.path.exists(path):
        os.rmdir(path)


def opens(path: str, directory: str) -> dict[str, bool]:
    """What a process born in the cgroup may do with a device."""
    from boxship.kernel.processes import fork_into

    found = {}
    for name, flags in (("read", os.O_RDONLY), ("write", os.O_WRONLY)):
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
        pid = fork_into(fd)
        if pid == 0:
            try:
                os.open(path, flags)
            except PermissionError:
                os._exit(1)
            except BaseException:  # noqa: BLE001 - a child
                os._exit(2)
            os._exit(0)
        os.close(fd)
        _, status = os.waitpid(pid, 0)
        assert status >> 8 in (0, 1)
        found[name] = status == 0
    return found


@pytest.mark.spec("linux.resources.devices")
@pytest.mark.privileged
def test_the_kernel_takes_and_obeys_it(cgroup: CgroupDirectory) -> None:
    rules = (DeviceRule(False, "a"), DeviceRule(True, "c", 1, 5, "r"))
    tree.create(CgroupPlan((cgroup,), (), device_program(rules)))
    assert opens("/dev/zero", cgroup.path) == {"read": True, "write": False}
    assert opens("/dev/null", cgroup.path) == {"read": False, "write": False}


@pytest.mark.privileged
def test_new_rules_take_the_place_of_old_ones(cgroup: CgroupDirectory) -> None:
    tree.create(CgroupPlan((cgroup,), (), device_program((DeviceRule(False, "a"),))))
    assert opens("/dev/null", cgroup.path) == {"read": False, "write": False}
    tree.create(CgroupPlan((cgroup,), (), device_program(DEVICE_RULES)))
    assert opens("/dev/null", cgroup.path) == {"read": True, "write": True}
    fd = os.open(cgroup.path, os.O_RDONLY)
    try:
        assert len(bpf.attached_device_programs(fd)) == 1
    finally:
        os.close(fd)


@pytest.mark.privileged
def test_what_the_verifier_says_is_said(cgroup: CgroupDirectory) -> None:
    broken = CgroupPlan((cgroup,), (), struct.pack("<BBhi", 0x95, 0, 0, 0))
    with pytest.raises(tree.CgroupError, match=r"cannot set devices limit: .*R0"):
        tree.create(broken)
    assert Path(cgroup.path).is_dir()
