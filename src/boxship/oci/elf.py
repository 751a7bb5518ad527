"""Write a static Linux executable around a few machine instructions.

One loadable segment holds the whole file::

    0x00  ELF header            0x40  program header: PT_LOAD, read + execute, whole file
    0x78  PT_GNU_STACK, so that the stack is not executable
    0xb0  code                  entered at its first byte

Layout after the System V ABI's generic and processor supplements, and elf(5).
"""

import struct

CODE_AT = 0xB0
_BASE = 0x400000
_PT_LOAD, _PT_GNU_STACK = 1, 0x6474E551
_READ, _WRITE, _EXECUTE = 4, 2, 1

# machine (as uname -m says): its ELF number and the largest page its kernels use
_MACHINES = {"x86_64": (62, 0x1000), "aarch64": (183, 0x10000)}


def static_executable(machine: str, code: bytes) -> bytes:
    """Return an ELF file that runs ``code``, which must be position-independent.

    ``machine`` is ``x86_64`` or ``aarch64``; anything else raises KeyError.
    """
    number, page = _MACHINES[machine]
    size = CODE_AT + len(code)
    identity = b"\x7fELF" + bytes((2, 1, 1, 0)) + bytes(8)  # 64 bits, little-endian, System V
    header = identity + struct.pack(
        "<HHIQQQIHHHHHH", 2, number, 1, _BASE + CODE_AT, 0x40, 0, 0, 0x40, 0x38, 2, 0, 0, 0
    )
    load = struct.pack("<IIQQQQQQ", _PT_LOAD, _READ | _EXECUTE, 0, _BASE, _BASE, size, size, page)
    stack = struct.pack("<IIQQQQQQ", _PT_GNU_STACK, _READ | _WRITE, 0, 0, 0, 0, 0, 16)
    return header + load + stack + code
