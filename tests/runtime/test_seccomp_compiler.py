"""Compiled filters, run on a BPF machine of our own: what they answer, not how they look."""

import json
import os
import struct
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from boxship.base.errors import InvalidArgumentError
from boxship.oci.runtime import Seccomp, SeccompArg, SeccompRule
from boxship.runtime.capabilities import CAPABILITIES
from boxship.runtime.defaults import CAPABILITIES as DOCKER_CAPABILITIES
from boxship.runtime.seccomp.compiler import compile_filter
from boxship.runtime.seccomp.profile import default_profile

Rule = dict[str, Any]

X86_64, I386, AARCH64, ARM = 0xC000003E, 0x40000003, 0xC00000B7, 0x40000028
X32 = 0x40000000
ALLOW, KILL = 0x7FFF0000, 0
EPERM, ENOSYS = 0x50001, 0x50026
MASK = 0xFFFFFFFF

NUMBERS = json.loads(files("boxship.runtime.seccomp").joinpath("numbers.json").read_text("ascii"))
COLUMN = {name: position for position, name in enumerate(NUMBERS["machines"])}


def number(table: str, name: str) -> int:
    value = NUMBERS["numbers"][name][COLUMN[table]]
    assert value is not None
    return int(value)


def run(program: bytes, audit: int, nr: int, *arguments: int) -> int:
    """Execute ``program`` as the kernel would for one system call."""
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", nr & MASK, audit, 0, *(a & (1 << 64) - 1 for a in padded))
    code = list(struct.iter_unpack("HBBI", program))
    accumulator, at, steps = 0, 0, 0
    while True:
        steps += 1
        operation, yes, no, operand = code[at]
        at += 1
        if operation == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, operand)
        elif operation == 0x05:
            at += operand
        elif operation == 0x15:
            at += yes if accumulator == operand else no
        elif operation == 0x25:
            at += yes if accumulator > operand else no
        elif operation == 0x35:
            at += yes if accumulator >= operand else no
        elif operation == 0x54:
            accumulator &= operand
        else:
            assert operation == 0x06
            assert steps < 60, "the search is meant to be short"
            return int(operand)


def program_of(profile: Seccomp, machine: str = "x86_64") -> bytes:
    return compile_filter(profile, machine).program


def only(
    *rules: SeccompRule, default: str = "SCMP_ACT_ERRNO", archs: tuple[str, ...] = ()
) -> bytes:
    return program_of(Seccomp(default, syscalls=rules, architectures=archs))


@pytest.mark.spec("linux.seccomp.syscalls[].args")
@pytest.mark.parametrize(
    ("op", "value", "two", "cases"),
    [
        ("EQ", 5, 0, {5: True, 4: False, 5 | 1 << 32: False}),
        ("NE", 5, 0, {5: False, 4: True, 5 | 1 << 32: True}),
        ("LT", 1 << 32, 0, {MASK: True, 1 << 32: False, 1 << 33: False, 0: True}),
        ("LE", 1 << 32, 0, {MASK: True, 1 << 32: True, (1 << 32) + 1: False, 1 << 33: False}),
        ("GT", 7, 0, {7: False, 8: True, 1 << 40: True, 6: False}),
        ("GE", 7, 0, {7: True, 8: True, 1 << 40: True, 6: False}),
        ("MASKED_EQ", 0xF0, 0x50, {0x5F: True, 0x50: True, 0x60: False, 1 << 35 | 0x51: True}),
    ],
)
def test_arguments_are_compared_as_64_bits(
    op: str, value: int, two: int, cases: dict[int, bool]
) -> None:
    argument = SeccompArg(1, value, f"SCMP_CMP_{op}", two)
    program = only(SeccompRule(("read",), "SCMP_ACT_ALLOW", args=(argument,)))
    for given, holds in cases.items():
        assert run(program, X86_64, 0, 99, given) == (ALLOW if holds else EPERM), hex(given)


def test_all_conditions_of_a_rule_must_hold_and_any_rule_will_do() -> None:
    both = tuple(SeccompArg(n, n, "SCMP_CMP_EQ") for n in (1, 2))
    program = only(
        SeccompRule(("write",), "SCMP_ACT_ALLOW", args=both),
        SeccompRule(("write",), "SCMP_ACT_LOG", args=(SeccompArg(0, 9, "SCMP_CMP_EQ"),)),
    )
    assert run(program, X86_64, 1, 0, 1, 2) == ALLOW
    assert run(program, X86_64, 1, 0, 1, 3) == EPERM
    assert run(program, X86_64, 1, 9, 1, 3) == 0x7FFC0000


def test_a_condition_comes_before_the_rule_without() -> None:
    program = only(
        SeccompRule(("read",), "SCMP_ACT_ALLOW"),
        SeccompRule(("read",), "SCMP_ACT_KILL_PROCESS", args=(SeccompArg(0, 3, "SCMP_CMP_EQ"),)),
    )
    assert run(program, X86_64, 0, 3) == 0x80000000
    assert run(program, X86_64, 0, 4) == ALLOW


def test_actions_carry_their_value() -> None:
    program = only(
        SeccompRule(("read",), "SCMP_ACT_ERRNO", errno_ret=77),
        SeccompRule(("write",), "SCMP_ACT_TRAP"),
        SeccompRule(("open",), "SCMP_ACT_TRACE", errno_ret=5),
        default="SCMP_ACT_ALLOW",
    )
    assert [run(program, X86_64, nr) for nr in range(4)] == [0x5004D, 0x30000, 0x7FF00005, ALLOW]


@pytest.mark.spec("linux.seccomp.architectures")
def test_foreign_architectures_are_killed_and_named_ones_are_not() -> None:
    rule = SeccompRule(("read",), "SCMP_ACT_ALLOW")
    native = only(rule)
    assert run(native, X86_64, 0) == ALLOW
    assert run(native, I386, 3) == KILL
    assert run(native, X86_64, X32) == KILL
    every = only(rule, archs=("SCMP_ARCH_X86", "SCMP_ARCH_X32"))
    assert run(every, X86_64, 0) == ALLOW
    assert run(every, I386, 3) == ALLOW
    assert run(every, I386, 0) == EPERM
    assert run(every, X86_64, X32) == ALLOW
    assert run(every, AARCH64, 63) == KILL


def test_calls_newer_than_the_profile_do_not_exist() -> None:
    program = only(SeccompRule(("write", "clone3"), "SCMP_ACT_ALLOW"))
    assert run(program, X86_64, 434) == EPERM
    assert run(program, X86_64, 436) == ENOSYS
    lenient = only(SeccompRule(("write",), "SCMP_ACT_KILL"), default="SCMP_ACT_ALLOW")
    assert run(lenient, X86_64, 10_000) == ALLOW


def test_an_empty_profile_is_its_default() -> None:
    assert run(only(default="SCMP_ACT_ALLOW"), X86_64, 0) == ALLOW
    assert run(only(default="SCMP_ACT_KILL_PROCESS"), X86_64, 5) == 0x80000000


@pytest.mark.spec("linux.seccomp.flags")
@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (Seccomp("SCMP_ACT_ALLOW", flags=("NONSENSE",)), "linux.seccomp.flags"),
        (Seccomp("SCMP_ACT_ALLOW", listener_metadata="x"), "listenerMetadata"),
        (Seccomp("SCMP_ACT_NOTIFY"), "defaultAction: SCMP_ACT_NOTIFY"),
        (
            Seccomp("SCMP_ACT_ALLOW", syscalls=(SeccompRule(("mkdir",), "SCMP_ACT_NOTIFY"),)),
            "listenerPath: missing",
        ),
        (
            Seccomp("SCMP_ACT_ALLOW", syscalls=(SeccompRule(("write",), "SCMP_ACT_NOTIFY"),)),
            "cannot be for write",
        ),
        (
            Seccomp("SCMP_ACT_ALLOW", flags=("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",)),
            "WAIT_KILLABLE_RECV",
        ),
    ],
)
def test_what_is_not_supported_is_refused_by_name(profile: Seccomp, words: str) -> None:
    with pytest.raises(InvalidArgumentError, match=words):
        compile_filter(profile, "x86_64")


def test_a_filter_is_compiled_once() -> None:
    first = compile_filter(default_profile(DOCKER_CAPABILITIES, "x86_64", (6, 1)), "x86_64")
    again = compile_filter(default_profile(tuple(DOCKER_CAPABILITIES), "x86_64", (6, 1)), "x86_64")
    assert first is again


REPOSITORY = Path(__file__).parents[2]
REFERENCE = Path(
    os.environ.get("DOCKER_SECCOMP_PROFILE", REPOSITORY / ".cache/docker-seccomp-default.json")
)
"""Docker's own file, where somebody has put it."""

ABIS = {
    "x86_64": (("x86_64", X86_64, 0), ("x86", I386, 0), ("x32", X86_64, X32)),
    "aarch64": (("aarch64", AARCH64, 0), ("arm", ARM, 0)),
}
GO_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
PROBES = (0, 1, 2, 8, 37, 38, 39, 40, 41, 0x20000, 0x20008, MASK, 0x7E020000, 0x10000000, 1 << 33)


def reference_verdict(rules: list[Rule], name: str, arguments: tuple[int, ...]) -> int:
    for rule in rules:
        if name not in rule["names"]:
            continue
        if all(holds(arg, arguments) for arg in rule.get("args") or ()):
            return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else 0x50000 | rule["errnoRet"]
    return EPERM


def holds(arg: Rule, arguments: tuple[int, ...]) -> bool:
    given, value = arguments[arg["index"]], arg["value"]
    return bool(
        {
            "SCMP_CMP_EQ": given == value,
            "SCMP_CMP_LT": given < value,
            "SCMP_CMP_GT": given > value,
            "SCMP_CMP_MASKED_EQ": given & value == arg.get("valueTwo", 0),
        }[arg["op"]]
    )


def selected(machine: str, capabilities: tuple[str, ...]) -> list[Rule]:
    result = []
    for rule in json.loads(REFERENCE.read_text("utf-8"))["syscalls"]:
        includes, excludes = rule.get("includes", {}), rule.get("excludes", {})
        go = GO_NAMES[machine]
        wanted = includes.get("arches", [go]), includes.get("caps", [])
        unwanted = excludes.get("arches", []), excludes.get("caps", [])
        included = go in wanted[0] and set(wanted[1]) <= set(capabilities)
        if included and go not in unwanted[0] and not set(unwanted[1]) & set(capabilities):
            result.append(rule)
    return result


@pytest.mark.skipif(not REFERENCE.exists(), reason="Docker's profile is not here to compare with")
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
@pytest.mark.parametrize(
    "capabilities",
    [(), DOCKER_CAPABILITIES, tuple(CAPABILITIES), *((name,) for name in CAPABILITIES)],
    ids=lambda names: "+".join(names)[:24] or "none",
)
def test_the_default_profile_says_what_dockers_says(
    machine: str, capabilities: tuple[str, ...]
) -> None:
    rules = selected(machine, capabilities)
    program = program_of(default_profile(capabilities, machine, (6, 1)), machine)
    differing = []
    for table, audit, offset in ABIS[machine]:
        names = {row[COLUMN[table]]: name for name, row in NUMBERS["numbers"].items()}
        mentioned = {
            NUMBERS["numbers"][name][COLUMN[table]]
            for rule in rules
            for name in rule["names"]
            if name in NUMBERS["numbers"]
        } - {None}
        for nr in range(520 if table != "x32" else 560):
            name = names.get(nr, "")
            probes = PROBES if name in ("socket", "personality", "clone") else (0,)
            for probe in probes:
                expected = reference_verdict(rules, name, (probe, 0, 0, 0, 0, 0))
                if expected == EPERM and nr > max(mentioned):
                    expected = ENOSYS
                given = run(program, audit, nr | offset, probe)
                if given != expected:
                    differing.append((table, nr, name, hex(probe), hex(given), hex(expected)))
    assert not differing


def test_the_default_profile_closes_known_doors() -> None:
    program = program_of(default_profile(DOCKER_CAPABILITIES, "x86_64", (6, 1)))
    closed = "mount umount2 unshare setns pivot_root bpf kexec_load init_module keyctl add_key "
    closed += "request_key userfaultfd io_uring_setup open_by_handle_at swapon reboot syslog"
    for name in closed.split():
        for table, audit, offset in ABIS["x86_64"]:
            nr = NUMBERS["numbers"][name][COLUMN[table]]
            if nr is not None:
                assert run(program, audit, nr | offset) == EPERM, (name, table)
    clone = number("x86_64", "clone")
    for new_namespace in (0x10000000, 0x20000, 0x40000000):
        assert run(program, X86_64, clone, new_namespace | 17) == EPERM
    assert run(program, X86_64, clone, 0x3D0F00) == ALLOW
    assert run(program, X86_64, number("x86_64", "clone3")) == ENOSYS
