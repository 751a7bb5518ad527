"""From a seccomp profile to a BPF program.

The program looks the architecture up, then the system call's number in a balanced tree of ranges
with the same verdict: about ten comparisons for any call, where a list in rising order would
take hundreds. Rules with argument conditions are tried in their order, before the rule of the same
call without conditions; when nothing holds, the default action does.

Calls above the highest number that the profile mentions are new to its author. Where the default
is an errno they get ENOSYS, not the profile's EPERM: a C library falls back to an older call then.
"""

import errno
import os
from collections.abc import Iterator
from functools import cache, lru_cache

from boxship.base import jsontext
from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import dataclass, field
from boxship.oci.runtime import Seccomp, SeccompArg, SeccompRule
from boxship.runtime.blueprint import SeccompFilter, SeccompListener
from boxship.runtime.seccomp import bpf
from boxship.runtime.seccomp.bpf import Instruction, Item, Label

X32_BIT = 0x40000000
_KILL_THREAD = 0x00000000
_ERRNO = 0x00050000
_NOTIFY = 0x7FC00000
_NEW_CALL = _ERRNO | errno.ENOSYS

_ACTIONS = {
    "SCMP_ACT_KILL": _KILL_THREAD,
    "SCMP_ACT_KILL_THREAD": _KILL_THREAD,
    "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x00030000,
    "SCMP_ACT_ERRNO": _ERRNO,
    "SCMP_ACT_TRACE": 0x7FF00000,
    "SCMP_ACT_NOTIFY": _NOTIFY,
    "SCMP_ACT_LOG": 0x7FFC0000,
    "SCMP_ACT_ALLOW": 0x7FFF0000,
}
_WITH_VALUE = frozenset(("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"))
_FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 32,
}
_TSYNC = 1
_NEW_LISTENER = 8
_DEFAULT_FLAGS = 4
"""SPEC_ALLOW: no speculation barriers on behalf of a filter, as Linux itself has it since 5.16."""


@dataclass(frozen=True, slots=True)
class Abi:
    """One way of making system calls; ``audit`` is the kernel's AUDIT_ARCH_* value."""

    table: str
    audit: int
    offset: int = 0


_ABIS = {
    "SCMP_ARCH_X86_64": Abi("x86_64", 0xC000003E),
    "SCMP_ARCH_X86": Abi("x86", 0x40000003),
    "SCMP_ARCH_X32": Abi("x32", 0xC000003E, X32_BIT),
    "SCMP_ARCH_AARCH64": Abi("aarch64", 0xC00000B7),
    "SCMP_ARCH_ARM": Abi("arm", 0x40000028),
}
_NATIVE = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}


@dataclass(slots=True)
class _Verdict:
    """What becomes of one system call."""

    conditional: list[tuple[tuple[SeccompArg, ...], int]] = field(default_factory=list)
    plain: int | None = None


@lru_cache(maxsize=64)
def compile_filter(profile: Seccomp, machine: str) -> SeccompFilter:
    """Compile for ``machine`` (x86_64 or aarch64); the result is kept for the next container.

    The filter's ``listener`` has the profile's path and metadata and no state yet. Raise
    InvalidArgumentError naming what cannot be: an unknown machine, flag or action.
    """
    if machine not in _NATIVE:
        raise InvalidArgumentError(f"linux.seccomp: no system call table for {machine}")
    flags = sum(_flag(f) for f in set(profile.flags)) if profile.flags else _DEFAULT_FLAGS
    listener = _listener(profile)
    if listener is not None:
        # One thread has nobody to synchronize with, and the kernel refuses the two together.
        flags = flags & ~_TSYNC | _NEW_LISTENER
    elif flags & _FLAGS["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]:
        raise InvalidArgumentError(
            "linux.seccomp.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is for filters that notify"
        )
    return SeccompFilter(bpf.assemble(_program(profile, machine)), flags, listener)


def _listener(profile: Seccomp) -> SeccompListener | None:
    """Return who listens; what notifies must have somebody listening, and the other way round."""
    notifies = [rule for rule in profile.syscalls if rule.action == "SCMP_ACT_NOTIFY"]
    if profile.default_action == "SCMP_ACT_NOTIFY":
        raise InvalidArgumentError("linux.seccomp.defaultAction: SCMP_ACT_NOTIFY is for rules only")
    if any("write" in rule.names for rule in notifies):
        # It is by this call that the runtime itself learns of the listener.
        raise InvalidArgumentError("linux.seccomp.syscalls: SCMP_ACT_NOTIFY cannot be for write")
    if notifies and not profile.listener_path:
        raise InvalidArgumentError("linux.seccomp.listenerPath: missing, and rules notify")
    if not notifies:
        if profile.listener_metadata and not profile.listener_path:
            raise InvalidArgumentError("linux.seccomp.listenerMetadata: without a listenerPath")
        return None
    return SeccompListener(profile.listener_path, profile.listener_metadata)


def _flag(name: str) -> int:
    try:
        return _FLAGS[name]
    except KeyError:
        raise InvalidArgumentError(f"linux.seccomp.flags: {name!r} is not supported") from None


def _program(profile: Seccomp, machine: str) -> list[Item]:
    names = dict.fromkeys((_NATIVE[machine], *profile.architectures))
    abis = [_ABIS[name] for name in names if name in _ABIS]
    sections: dict[int, list[Abi]] = {}
    for abi in abis:
        sections.setdefault(abi.audit, []).append(abi)
    items: list[Item] = [Instruction(bpf.LOAD, bpf.MACHINE_OFFSET)]
    for audit, members in sections.items():
        body = _section(profile, members)
        end = Label()
        items += [*_far_unless_equal(audit, end), *body, end]
    items.append(Instruction(bpf.RETURN, _KILL_THREAD))
    return items


def _far_unless_equal(value: int, far: Label) -> list[Item]:
    near = Label()
    return [Instruction(bpf.EQUAL, value, yes=near), Instruction(bpf.JUMP, yes=far), near]


def _section(profile: Seccomp, abis: list[Abi]) -> list[Item]:
    """Compile the ABIs that share an audit value; x32 is told apart by a bit in the number."""
    ranges: list[tuple[int, list[Item]]] = []
    if not any(abi.offset for abi in abis) and any(abi.table == "x86_64" for abi in abis):
        ranges.append((X32_BIT, [Instruction(bpf.RETURN, _KILL_THREAD)]))
    for abi in abis:
        ranges += _ranges(profile, abi)
    ranges.sort(key=lambda entry: entry[0])
    return [Instruction(bpf.LOAD, bpf.NUMBER_OFFSET), *_tree(_merged(ranges))]


def _ranges(profile: Seccomp, abi: Abi) -> Iterator[tuple[int, list[Item]]]:
    """Yield (first number, code) for each stretch of numbers, in no particular order."""
    default = _action(profile.default_action, profile.default_errno_ret)
    verdicts = _verdicts(profile, abi, default)
    known = sorted(verdicts)
    if not known or known[0] > 0:
        yield abi.offset, _constant(default)
    unknown = _NEW_CALL if default & 0xFFFF0000 == _ERRNO else default
    for position, number in enumerate(known):
        yield abi.offset + number, _code(verdicts[number], default)
        last = position + 1 == len(known)
        if last:
            yield abi.offset + number + 1, _constant(unknown)
        elif known[position + 1] != number + 1:
            yield abi.offset + number + 1, _constant(default)


def _verdicts(profile: Seccomp, abi: Abi, default: int) -> dict[int, _Verdict]:
    table = _numbers()[abi.table]
    verdicts: dict[int, _Verdict] = {}
    for rule in profile.syscalls:
        action = _action(rule.action, rule.errno_ret)
        for name in rule.names:
            if name in table:
                verdict = verdicts.setdefault(table[name], _Verdict())
                _add(verdict, rule, action, default)
    return verdicts


def _add(verdict: _Verdict, rule: SeccompRule, action: int, default: int) -> None:
    if rule.args:
        verdict.conditional.append((rule.args, action))
    elif verdict.plain is None or verdict.plain == default:
        verdict.plain = action


def _action(name: str, value: int | None) -> int:
    if name not in _ACTIONS:
        raise InvalidArgumentError(f"linux.seccomp: action {name} is not supported")
    data = errno.EPERM if value is None else value
    return _ACTIONS[name] | (data & 0xFFFF if name in _WITH_VALUE else 0)


def _constant(action: int) -> list[Item]:
    return [Instruction(bpf.RETURN, action)]


def _code(verdict: _Verdict, default: int) -> list[Item]:
    items: list[Item] = []
    fallback = default if verdict.plain is None else verdict.plain
    for arguments, action in verdict.conditional:
        if action == fallback:
            continue
        otherwise = Label()
        for argument in arguments:
            items += _condition(argument, otherwise)
        items += [Instruction(bpf.RETURN, action), otherwise]
    return [*items, Instruction(bpf.RETURN, fallback)]


def _condition(argument: SeccompArg, otherwise: Label) -> list[Item]:
    """Fall through when the 64-bit comparison holds, else jump; both machines are little-endian."""
    low_at = bpf.ARGUMENTS_OFFSET + 8 * argument.index
    wanted = argument.value_two if argument.op == "SCMP_CMP_MASKED_EQ" else argument.value
    high, low = wanted >> 32 & 0xFFFFFFFF, wanted & 0xFFFFFFFF
    load_high, load_low = Instruction(bpf.LOAD, low_at + 4), Instruction(bpf.LOAD, low_at)
    if argument.op in ("SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ"):
        masked = argument.op == "SCMP_CMP_MASKED_EQ"
        high_mask = [Instruction(bpf.AND, argument.value >> 32)] if masked else []
        low_mask = [Instruction(bpf.AND, argument.value & 0xFFFFFFFF)] if masked else []
        return [
            load_high, *high_mask, Instruction(bpf.EQUAL, high, no=otherwise),
            load_low, *low_mask, Instruction(bpf.EQUAL, low, no=otherwise),
        ]  # fmt: skip
    holds = Label()
    if argument.op == "SCMP_CMP_NE":
        return [
            load_high, Instruction(bpf.EQUAL, high, no=holds),
            load_low, Instruction(bpf.EQUAL, low, yes=otherwise), holds,
        ]  # fmt: skip
    compare = bpf.GREATER if argument.op in ("SCMP_CMP_GT", "SCMP_CMP_LE") else bpf.AT_LEAST
    if argument.op in ("SCMP_CMP_GT", "SCMP_CMP_GE"):
        return [
            load_high, Instruction(bpf.GREATER, high, yes=holds),
            Instruction(bpf.EQUAL, high, no=otherwise),
            load_low, Instruction(compare, low, no=otherwise), holds,
        ]  # fmt: skip
    return [
        load_high, Instruction(bpf.GREATER, high, yes=otherwise),
        Instruction(bpf.EQUAL, high, no=holds),
        load_low, Instruction(compare, low, yes=otherwise), holds,
    ]  # fmt: skip


def _merged(ranges: list[tuple[int, list[Item]]]) -> list[tuple[int, list[Item]]]:
    """Join neighbours with the same constant verdict."""
    kept: list[tuple[int, list[Item]]] = []
    for first, code in ranges:
        if kept and len(code) == 1 and kept[-1][1] == code:
            continue
        kept.append((first, code))
    return kept


def _tree(ranges: list[tuple[int, list[Item]]]) -> list[Item]:
    """Compile a search: halve the ranges until one is left."""
    if len(ranges) == 1:
        return ranges[0][1]
    middle = len(ranges) // 2
    left, right = _tree(ranges[:middle]), _tree(ranges[middle:])
    border, target = ranges[middle][0], Label()
    if bpf.length(left) < 255:
        return [Instruction(bpf.AT_LEAST, border, yes=target), *left, target, *right]
    near = Label()
    return [
        Instruction(bpf.AT_LEAST, border, no=near),
        Instruction(bpf.JUMP, yes=target),
        near, *left, target, *right,
    ]  # fmt: skip


@cache
def _numbers() -> dict[str, dict[str, int]]:
    """Return the system call numbers of each table by name."""
    with open(f"{os.path.dirname(__file__)}/numbers.json", encoding="ascii") as stream:
        document = jsontext.loads(stream.read())
    return {
        machine: {
            name: row[column]
            for name, row in document["numbers"].items()
            if row[column] is not None
        }
        for column, machine in enumerate(document["machines"])
    }
