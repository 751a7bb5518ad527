"""Which file a command names, with the words Docker's clients look for when it names none.

The rules are those of Go's ``exec.LookPath``: a command with a slash is taken as it is, others are
searched in PATH, where what cannot be executed is passed over.
"""

from __future__ import annotations

import errno
import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_ELF_KINDS = (2, 3)
_ELF_MACHINES = {"x86_64": (62, 3), "aarch64": (183, 40), "riscv64": (243,), "s390x": (22,)}
"""What kernels run, their 32-bit programs included."""

_PT_INTERP = 3

NOT_FOUND = 127
NOT_EXECUTABLE = 126


class CommandError(Exception):
    """The command cannot be executed; ``str()`` says why, ``exit_code`` is the shell's."""

    def __init__(self, message: str, exit_code: int, number: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
        self.errno = number


def find_command(command: str, search_path: str) -> str:
    """Return the path to execute; raise CommandError. Looks as the user we are."""
    if not command:
        raise CommandError("no command specified", NOT_FOUND, errno.ENOENT)
    if "/" in command:
        _check(command)
        return command
    for directory in search_path.split(":"):
        candidate = f"{directory or '.'}/{command}"
        if not candidate.startswith("/"):
            continue
        try:
            _check(candidate)
        except CommandError:
            continue
        return candidate
    message = f'exec: "{command}": executable file not found in $PATH'
    raise CommandError(message, NOT_FOUND, errno.ENOENT)


def check_format(path: str) -> None:
    """Raise CommandError for a file whose format the kernel cannot execute.

    ``execve`` itself says so too late where a container is created long before it is started.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            head = stream.read(64)
    except OSError:  # one may execute what one may not read
        return
    native = head[:4] == b"\x7fELF" and len(head) == 64
    if native:
        kind, machine = (int.from_bytes(head[n : n + 2], sys.byteorder) for n in (16, 18))
        native = kind in _ELF_KINDS and machine in _ELF_MACHINES.get(os.uname().machine, (machine,))
    if not native and head[:2] != b"#!":
        raise exec_error(path, OSError(errno.ENOEXEC, ""))


def exec_error(path: str, error: OSError) -> CommandError:
    """Put into words why ``execve`` refused a file that was there."""
    number = error.errno or 0
    message = f"exec {path}: {go_words(number)}"
    if number == errno.ENOENT and (interpreter := _interpreter_of(path)):
        message += f" (its interpreter is {interpreter})"
    exit_code = NOT_FOUND if number in (errno.ENOENT, errno.ENOTDIR) else NOT_EXECUTABLE
    return CommandError(message, exit_code, number)


def _interpreter_of(path: str) -> str:
    """Return the program that a script or a dynamically linked program is executed by, or nothing.

    When the kernel finds this one missing it says so in the same words as if ``path`` were.
    """
    try:
        with open(path, "rb", buffering=0) as stream:
            head = stream.read(4096)
    except OSError:
        return ""
    if head[:2] == b"#!":
        words = head[2:].split(b"\n")[0].split(None, 1)
        return os.fsdecode(words[0]) if words else ""
    if head[:5] != b"\x7fELF\x02":
        return ""
    offset, entry, count = (
        int.from_bytes(head[at : at + size], sys.byteorder)
        for at, size in ((32, 8), (54, 2), (56, 2))
    )
    for header in (head[offset + n * entry :][:56] for n in range(count)):
        if int.from_bytes(header[:4], sys.byteorder) == _PT_INTERP:
            start = int.from_bytes(header[8:16], sys.byteorder)
            return os.fsdecode(head[start:].split(b"\0")[0])
    return ""


def go_words(number: int) -> str:
    """Say an errno as Go does, which is what clients match: lower case."""
    words = os.strerror(number)
    return words[:1].lower() + words[1:]


def search_path_of(env: Sequence[str]) -> str:
    """Return the last PATH of an environment."""
    return next((item[5:] for item in reversed(env) if item.startswith("PATH=")), "")


def _check(path: str) -> None:
    """Raise CommandError unless ``path`` is a file that we may execute."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        number = error.errno or 0
        code = NOT_EXECUTABLE if number == errno.EACCES else NOT_FOUND
        message = f'exec: "{path}": stat {path}: {go_words(number)}'
        raise CommandError(message, code, number) from None
    if stat.S_ISDIR(mode):
        raise CommandError(f'exec: "{path}": is a directory', NOT_EXECUTABLE, errno.EISDIR)
    # A FIFO or a device would hold up whoever looks into it before executing it.
    executable = stat.S_ISREG(mode) and mode & 0o111
    if not executable or not os.access(path, os.X_OK, effective_ids=True):
        raise CommandError(f'exec: "{path}": permission denied', NOT_EXECUTABLE, errno.EACCES)
