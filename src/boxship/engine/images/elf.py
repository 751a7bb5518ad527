"""Make a static Linux program that prints a text and exits with 0.

The program is two system calls, ``write(1, text, length)`` and ``exit(0)``, followed by the text.
"""

import struct

from boxship.oci.elf import static_executable


def printing_program(text: bytes, architecture: str) -> bytes:
    """Return the program. Raise KeyError for an architecture (Go's name) not known here."""
    machine, code = _MACHINES[architecture]
    return static_executable(machine, code(len(text)) + text)


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


_MACHINES = {"amd64": ("x86_64", _x86_64), "arm64": ("aarch64", _aarch64)}
