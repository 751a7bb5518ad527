"""Device rules as an eBPF program of type ``BPF_PROG_TYPE_CGROUP_DEVICE``. Pure.

v1 keeps a default and a list of exceptions from it, changed by each rule in turn; that state is
computed here, so that the same rules mean the same in both worlds, and compiled to comparisons:
the program is called with what is asked for and returns 1 to allow.
"""

from __future__ import annotations

import struct

from boxship.base.errors import InvalidArgumentError
from boxship.base.frozen import dataclass, field
from boxship.oci.runtime import DeviceRule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_ACCESS = {"m": 1, "r": 2, "w": 4}
_ALL = 7
_TYPES = {"b": 1, "c": 2}
_ANY = -1

_INSTRUCTION = struct.Struct("<BBhi")
_LOAD_WORD = 0x61  # BPF_LDX | BPF_MEM | BPF_W
_MOVE = 0xBF  # BPF_ALU64 | BPF_MOV | BPF_X
_MOVE_CONSTANT = 0xB7
_AND = 0x54  # BPF_ALU | BPF_AND | BPF_K, 32 bits: clears the upper half
_SHIFT_RIGHT = 0x74
_UNLESS_EQUAL = 0x56  # BPF_JMP32 | BPF_JNE | BPF_K
_IF_EQUAL = 0x16
_EXIT = 0x95
_CONTEXT, _TYPE, _ACCESS_REGISTER, _MAJOR, _MINOR, _SCRATCH = 1, 2, 3, 4, 5, 6

Key = tuple[str, int, int]


@dataclass(slots=True)
class DeviceState:
    """What v1 would have after all rules."""

    allow: bool = True
    """A cgroup is born with its parent's rules, and the root's allow everything."""
    exceptions: dict[Key, int] = field(default_factory=dict)


def state_after(rules: tuple[DeviceRule, ...]) -> DeviceState:
    """Apply rules in order, as v1 does; raise InvalidArgumentError naming the field."""
    state = DeviceState()
    for n, rule in enumerate(rules):
        access = _access(rule.access, n)
        if rule.type == "a":
            state = DeviceState(rule.allow)
            continue
        major, minor = (
            _ANY if number is None or number < 0 else number for number in (rule.major, rule.minor)
        )
        key = (rule.type, major, minor)
        if rule.allow != state.allow:
            state.exceptions[key] = state.exceptions.get(key, 0) | access
        elif key in state.exceptions:
            state.exceptions[key] &= ~access
    return state


def device_program(rules: tuple[DeviceRule, ...]) -> bytes:
    """Compile rules: 8 bytes an instruction."""
    state = state_after(rules)
    program = b"".join(_prologue())
    for key, access in state.exceptions.items():
        if access:
            program += _exception(key, access, allows=not state.allow)
    return program + _return(state.allow)


def _prologue() -> Iterator[bytes]:
    """Load what is asked for: access in the upper 16 bits of the first word, type below."""
    yield _INSTRUCTION.pack(_LOAD_WORD, _TYPE | _CONTEXT << 4, 0, 0)
    yield _INSTRUCTION.pack(_MOVE, _ACCESS_REGISTER | _TYPE << 4, 0, 0)
    yield _INSTRUCTION.pack(_AND, _TYPE, 0, 0xFFFF)
    yield _INSTRUCTION.pack(_SHIFT_RIGHT, _ACCESS_REGISTER, 0, 16)
    yield _INSTRUCTION.pack(_LOAD_WORD, _MAJOR | _CONTEXT << 4, 4, 0)
    yield _INSTRUCTION.pack(_LOAD_WORD, _MINOR | _CONTEXT << 4, 8, 0)


def _exception(key: Key, access: int, *, allows: bool) -> bytes:
    """Return when the device is meant, and all (to allow) or some (to deny) access is."""
    kind, major, minor = key
    tests = [(_UNLESS_EQUAL, _TYPE, _TYPES[kind])]
    tests += [(_UNLESS_EQUAL, _MAJOR, major)] if major != _ANY else []
    tests += [(_UNLESS_EQUAL, _MINOR, minor)] if minor != _ANY else []
    body: list[tuple[int, int, int]] = []
    if access != _ALL or not allows:
        forbidden = _ALL & ~access if allows else access
        body = [(_MOVE, _SCRATCH | _ACCESS_REGISTER << 4, 0), (_AND, _SCRATCH, forbidden)]
        body.append((_UNLESS_EQUAL if allows else _IF_EQUAL, _SCRATCH, 0))
    items = [*tests, *body]
    size = len(items) + 2
    packed = b""
    for position, (code, registers, value) in enumerate(items):
        jump = size - position - 1 if code in (_UNLESS_EQUAL, _IF_EQUAL) else 0
        packed += _INSTRUCTION.pack(code, registers, jump, _signed(value))
    return packed + _return(allows)


def _return(allow: bool) -> bytes:
    return _INSTRUCTION.pack(_MOVE_CONSTANT, 0, 0, int(allow)) + _INSTRUCTION.pack(_EXIT, 0, 0, 0)


def _signed(value: int) -> int:
    return value - (1 << 32) if value >= 1 << 31 else value


def _access(text: str, n: int) -> int:
    access = 0
    for letter in text or "rwm":
        if letter not in _ACCESS:
            raise InvalidArgumentError(
                f"linux.resources.devices[{n}].access: {text!r} is not made of r, w and m"
            )
        access |= _ACCESS[letter]
    return access
