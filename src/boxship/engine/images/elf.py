"""Make a static Linux program that prints a text and exits with 0, from nothing but this file.

The program is two system calls, ``write(1, text, length)`` and ``exit(0)``, followed by the text;
one loadable segment holds it all::

    0x00  ELF header            0x40  program header: PT_LOAD, read + execute, whole file
    0x78  PT_GNU_STACK, so that the stack is not executable
    0xb0  code                  then  text
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

_BASE = 0x400000
_CODE_AT = 0xB0
_PT_LOAD, _PT_GNU_STACK = 1, 0x6474E551
_READ, _WRITE, _EXECUTE = 4, 2, 1


@dataclass(frozen=True, slots=True)
class _Machine:
    """What differs between processors."""

    number: int
    page: int
    code: Callable[[int], bytes]
    """Code for a text of this length that follows right behind the code."""


def printing_program(text: bytes, architecture: str) -> bytes:
    """Return the program. Raise KeyError for an architecture (Go's name) not known here."""
    machine = _MACHINES[architecture]
    body = machine.code(len(text)) + text
    size = _CODE_AT + len(body)
    identity = b"\x7fELF" + bytes((2, 1, 1, 0)) + bytes(8)  # 64 bits, little-endian, System V
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 2, machine.number, 1, _BASE + _CODE_AT, 0x40, 0, 0, 0x40, 0x38, 2, 0, 0, 0
    )
    load = struct.pack(
        "<IIQQQQQQ", _PT_LOAD, _READ | _EXECUTE, 0, _BASE, _BASE, size, size, machine.page
    )
    stack = struct.pack("<IIQQQQQQ", _PT_GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16)
    return header + load + stack + body


def _x86_64(length: int) -> bytes:
    after_lea = b"".join(
        (
            b"\xba" + struct.pack("<I", length),  # mov edx, length
            b"\xb8" + struct.pack("<I", 1),  # mov eax, SYS_write
            b"\x0f\x05",  # syscall
            b"\x31\xff",  # xor edi, edi
            b"\xb8" + struct.pack("<I", 60),  # mov eax, SYS_exit
            b"\x0f\x05",  # syscall
        )
    )
    return b"".join(
        (
            b"\xbf" + struct.pack("<I", 1),  # mov edi, 1
            b"\x48\x8d\x35" + struct.pack("<i", len(after_lea)),  # lea rsi, [rip + …]
            after_lea,
        )
    )


def _aarch64(length: int) -> bytes:
    def movz(register: int, value: int) -> int:
        return 0xD2800000 | value << 5 | register

    if length > 0xFFFF:
        raise ValueError("the text is longer than one instruction can say")
    instructions = 8
    distance = 4 * (instructions - 1)  # from the adr, second instruction, to the text
    words = (
        movz(0, 1),  # mov x0, 1
        0x10000000 | distance >> 2 << 5 | 1,  # adr x1, text
        movz(2, length),  # mov x2, length
        movz(8, 64),  # mov x8, SYS_write
        0xD4000001,  # svc 0
        movz(0, 0),  # mov x0, 0
        movz(8, 93),  # mov x8, SYS_exit
        0xD4000001,  # svc 0
    )
    return struct.pack(f"<{instructions}I", *words)


_MACHINES = {
    "amd64": _Machine(number=62, page=0x1000, code=_x86_64),
    "arm64": _Machine(number=183, page=0x10000, code=_aarch64),
}
