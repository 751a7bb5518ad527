"""The process that ``--init`` puts in front of the command: a static program of some 450 bytes.

As PID 1 it does two things that a command does not expect to have to do: it reaps orphans, and it
passes on the signals that the kernel would otherwise drop, because PID 1 has no default actions.
It is called as ``init PATH ARGV0 ARG…``; the runtime has already looked up PATH, therefore a
missing command is told before anything starts. ::

    block every signal
    fork ──► child: own process group, foreground of the terminal if there is one,
    │               no signal blocked, execve PATH
    └──► wait for a signal: SIGCHLD: reap; the command's end is our end (128 + n for a signal)
                            any other: send it to the command

Whoever executes it blocks every signal before: what comes between its execve and its first
instruction would be dropped otherwise, and a container that is stopped as soon as it has been
started would wait for the end of its grace.

Waiting for signals (``rt_sigtimedwait``) instead of handling them needs no handlers, no stack for
them and no memory but one page. The listings give each instruction's bytes and its text, so that a
disassembler can check them; a test does.
"""

import platform

from boxship.base.errors import NotImplementedYetError
from boxship.oci.elf import static_executable

_X86_64 = (
    ("4989e4", "mov r12,rsp"),
    ("6a00", "push 0x0"),
    ("6a00", "push 0x0"),
    ("6a00", "push 0x0"),
    ("6aff", "push 0xffffffffffffffff"),
    ("b80e000000", "mov eax,0xe"),
    ("bf02000000", "mov edi,0x2"),
    ("4889e6", "mov rsi,rsp"),
    ("31d2", "xor edx,edx"),
    ("41ba08000000", "mov r10d,0x8"),
    ("0f05", "syscall"),
    ("b839000000", "mov eax,0x39"),
    ("0f05", "syscall"),
    ("85c0", "test eax,eax"),
    ("0f88cd000000", "js fail"),
    ("746f", "je child"),
    ("4189c5", "mov r13d,eax"),
    ("b880000000", "await: mov eax,0x80"),
    ("4889e7", "mov rdi,rsp"),
    ("31f6", "xor esi,esi"),
    ("31d2", "xor edx,edx"),
    ("41ba08000000", "mov r10d,0x8"),
    ("0f05", "syscall"),
    ("83f811", "cmp eax,0x11"),
    ("7412", "je reap"),
    ("85c0", "test eax,eax"),
    ("7ee3", "jle await"),
    ("89c6", "mov esi,eax"),
    ("4489ef", "mov edi,r13d"),
    ("b83e000000", "mov eax,0x3e"),
    ("0f05", "syscall"),
    ("ebd5", "jmp await"),
    ("b83d000000", "reap: mov eax,0x3d"),
    ("48c7c7ffffffff", "mov rdi,0xffffffffffffffff"),
    ("488d742410", "lea rsi,[rsp+0x10]"),
    ("ba01000000", "mov edx,0x1"),
    ("4531d2", "xor r10d,r10d"),
    ("0f05", "syscall"),
    ("85c0", "test eax,eax"),
    ("7eb6", "jle await"),
    ("4439e8", "cmp eax,r13d"),
    ("75dc", "jne reap"),
    ("8b7c2410", "mov edi,DWORD PTR [rsp+0x10]"),
    ("89f8", "mov eax,edi"),
    ("83e07f", "and eax,0x7f"),
    ("7408", "je exited"),
    ("8db880000000", "lea edi,[rax+0x80]"),
    ("eb03", "jmp leave"),
    ("c1ef08", "exited: shr edi,0x8"),
    ("b8e7000000", "leave: mov eax,0xe7"),
    ("0f05", "syscall"),
    ("b86d000000", "child: mov eax,0x6d"),
    ("31ff", "xor edi,edi"),
    ("31f6", "xor esi,esi"),
    ("0f05", "syscall"),
    ("b827000000", "mov eax,0x27"),
    ("0f05", "syscall"),
    ("89442410", "mov DWORD PTR [rsp+0x10],eax"),
    ("b810000000", "mov eax,0x10"),
    ("31ff", "xor edi,edi"),
    ("be10540000", "mov esi,0x5410"),
    ("488d542410", "lea rdx,[rsp+0x10]"),
    ("0f05", "syscall"),
    ("b80e000000", "mov eax,0xe"),
    ("bf02000000", "mov edi,0x2"),
    ("488d742408", "lea rsi,[rsp+0x8]"),
    ("31d2", "xor edx,edx"),
    ("41ba08000000", "mov r10d,0x8"),
    ("0f05", "syscall"),
    ("498b0c24", "mov rcx,QWORD PTR [r12]"),
    ("498b7c2410", "mov rdi,QWORD PTR [r12+0x10]"),
    ("498d742418", "lea rsi,[r12+0x18]"),
    ("498d54cc10", "lea rdx,[r12+rcx*8+0x10]"),
    ("b83b000000", "mov eax,0x3b"),
    ("0f05", "syscall"),
    ("bf7e000000", "fail: mov edi,0x7e"),
    ("eb96", "jmp leave"),
)

_AARCH64 = (
    ("f3030091", "mov x19, sp"),
    ("ff8300d1", "sub sp, sp, #0x20"),
    ("00008092", "mov x0, #0xffffffffffffffff"),
    ("e07f00a9", "stp x0, xzr, [sp]"),
    ("e81080d2", "mov x8, #0x87"),
    ("400080d2", "mov x0, #0x2"),
    ("e1030091", "mov x1, sp"),
    ("020080d2", "mov x2, #0x0"),
    ("030180d2", "mov x3, #0x8"),
    ("010000d4", "svc #0x0"),
    ("881b80d2", "mov x8, #0xdc"),
    ("200280d2", "mov x0, #0x11"),
    ("010080d2", "mov x1, #0x0"),
    ("020080d2", "mov x2, #0x0"),
    ("030080d2", "mov x3, #0x0"),
    ("040080d2", "mov x4, #0x0"),
    ("010000d4", "svc #0x0"),
    ("a007f837", "tbnz w0, #31, fail"),
    ("60040034", "cbz w0, child"),
    ("f403002a", "mov w20, w0"),
    ("281180d2", "await: mov x8, #0x89"),
    ("e0030091", "mov x0, sp"),
    ("010080d2", "mov x1, #0x0"),
    ("020080d2", "mov x2, #0x0"),
    ("030180d2", "mov x3, #0x8"),
    ("010000d4", "svc #0x0"),
    ("1f440071", "cmp w0, #0x11"),
    ("00010054", "b.eq reap"),
    ("1f000071", "cmp w0, #0x0"),
    ("edfeff54", "b.le await"),
    ("e103002a", "mov w1, w0"),
    ("e003142a", "mov w0, w20"),
    ("281080d2", "mov x8, #0x81"),
    ("010000d4", "svc #0x0"),
    ("f2ffff17", "b await"),
    ("882080d2", "reap: mov x8, #0x104"),
    ("00008092", "mov x0, #0xffffffffffffffff"),
    ("e1430091", "add x1, sp, #0x10"),
    ("220080d2", "mov x2, #0x1"),
    ("030080d2", "mov x3, #0x0"),
    ("010000d4", "svc #0x0"),
    ("1f000071", "cmp w0, #0x0"),
    ("4dfdff54", "b.le await"),
    ("1f00146b", "cmp w0, w20"),
    ("e1feff54", "b.ne reap"),
    ("e01340b9", "ldr w0, [sp, #16]"),
    ("01180072", "ands w1, w0, #0x7f"),
    ("60000054", "b.eq exited"),
    ("20000211", "add w0, w1, #0x80"),
    ("02000014", "b leave"),
    ("007c0853", "exited: lsr w0, w0, #8"),
    ("c80b80d2", "leave: mov x8, #0x5e"),
    ("010000d4", "svc #0x0"),
    ("481380d2", "child: mov x8, #0x9a"),
    ("000080d2", "mov x0, #0x0"),
    ("010080d2", "mov x1, #0x0"),
    ("010000d4", "svc #0x0"),
    ("881580d2", "mov x8, #0xac"),
    ("010000d4", "svc #0x0"),
    ("e01300b9", "str w0, [sp, #16]"),
    ("a80380d2", "mov x8, #0x1d"),
    ("000080d2", "mov x0, #0x0"),
    ("01828ad2", "mov x1, #0x5410"),
    ("e2430091", "add x2, sp, #0x10"),
    ("010000d4", "svc #0x0"),
    ("e81080d2", "mov x8, #0x87"),
    ("400080d2", "mov x0, #0x2"),
    ("e1230091", "add x1, sp, #0x8"),
    ("020080d2", "mov x2, #0x0"),
    ("030180d2", "mov x3, #0x8"),
    ("010000d4", "svc #0x0"),
    ("630240f9", "ldr x3, [x19]"),
    ("600a40f9", "ldr x0, [x19, #16]"),
    ("61620091", "add x1, x19, #0x18"),
    ("62420091", "add x2, x19, #0x10"),
    ("420c038b", "add x2, x2, x3, lsl #3"),
    ("a81b80d2", "mov x8, #0xdd"),
    ("010000d4", "svc #0x0"),
    ("c00f8052", "fail: mov w0, #0x7e"),
    ("e4ffff17", "b leave"),
)

_LISTINGS = {"x86_64": _X86_64, "aarch64": _AARCH64}


def init_program(machine: str | None = None) -> bytes:
    """Return the program as an ELF file for ``machine`` (as ``uname -m`` says; default: this one).

    Raises NotImplementedYetError for a machine without a listing.
    """
    name = machine or platform.machine()
    listing = _LISTINGS.get(name)
    if listing is None:
        raise NotImplementedYetError(f"--init is not available on {name}: only on x86_64, aarch64")
    code = bytes.fromhex("".join(row for row, _ in listing))
    return static_executable(name, code)
