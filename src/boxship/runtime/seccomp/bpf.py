"""An assembler for the classic BPF that seccomp runs: instructions, labels, forward jumps.

Conditional jumps reach 255 instructions; ``assemble`` raises ValueError for one that would have
to go further. Who builds long programs goes around by an unconditional jump.
"""

import struct

from boxship.base.frozen import dataclass

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP = 0x05  # BPF_JMP | BPF_JA
EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
GREATER = 0x25  # BPF_JMP | BPF_JGT | BPF_K
AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
AND = 0x54  # BPF_ALU | BPF_AND | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

NUMBER_OFFSET = 0
MACHINE_OFFSET = 4
ARGUMENTS_OFFSET = 16

MAX_LENGTH = 4096
_INSTRUCTION = struct.Struct("HBBI")


class Label:
    """A place to jump to, put into a program later on."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Instruction:
    """``yes`` and ``no`` of None mean the next instruction."""

    code: int
    operand: int = 0
    yes: Label | None = None
    no: Label | None = None


Item = Instruction | Label


def assemble(items: list[Item]) -> bytes:
    """Return the program as the kernel takes it: 8 bytes an instruction."""
    places: dict[Label, int] = {}
    instructions: list[Instruction] = []
    for item in items:
        if isinstance(item, Label):
            places[item] = len(instructions)
        else:
            instructions.append(item)
    if len(instructions) > MAX_LENGTH:
        raise ValueError(f"a filter of {len(instructions)} instructions; {MAX_LENGTH} are allowed")
    return b"".join(_encode(item, at, places) for at, item in enumerate(instructions))


def length(items: list[Item]) -> int:
    """Return the number of instructions among ``items``."""
    return sum(isinstance(item, Instruction) for item in items)


def _encode(item: Instruction, at: int, places: dict[Label, int]) -> bytes:
    yes = places[item.yes] - at - 1 if item.yes else 0
    no = places[item.no] - at - 1 if item.no else 0
    if item.code == JUMP:
        return _INSTRUCTION.pack(JUMP, 0, 0, yes)
    if not (0 <= yes < 256 and 0 <= no < 256):
        raise ValueError("a conditional jump goes too far")
    return _INSTRUCTION.pack(item.code, yes, no, item.operand & 0xFFFFFFFF)
