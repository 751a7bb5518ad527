"""Compiled filters, kept on disk for the next call of the program.

::

    /run/boxship-sealed/.filters/<profile's hash>     hash of what follows, flags, program

Loading the compiler and its tables and compiling Docker's profile takes as long as all the rest of
a container's start. The directory belongs to root alone, or is not believed; without it filters
are compiled each time. The name depends on the profile, the machine and the compiler's own files.
"""

from __future__ import annotations

import os
from _blake2 import blake2b

from boxship.base.files import opened, write_atomic
from boxship.base.loading import load
from boxship.base.suppress import suppress
from boxship.runtime.blueprint import SeccompFilter
from boxship.runtime.owned import is_owned, make_owned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from boxship.oci.runtime import Seccomp

DIRECTORY = "/run/boxship-sealed/.filters"
_HASH = 32
_FLAGS = 4
_LONGEST = 1 << 17
_MOST = 64
"""How many are kept: engines have one profile, or a few."""


def compiled_filter(profile: Seccomp, machine: str, directory: str = DIRECTORY) -> SeccompFilter:
    """Return what ``compile_filter`` does, from the disk if it is there."""
    path = f"{directory}/{_name(profile, machine)}"
    with suppress(OSError):
        if is_owned(directory) and (found := _read(path)):
            return found
    made: SeccompFilter = load("boxship.runtime.seccomp.compiler").compile_filter(profile, machine)
    if made.listener is None and os.geteuid() == 0:
        with suppress(OSError):
            if make_owned(directory):
                _write(path, made)
    return made


def _name(profile: Seccomp, machine: str) -> str:
    here = os.path.dirname(__file__)
    written = [os.stat(f"{here}/{file}").st_mtime_ns for file in ("compiler.py", "bpf.py",
                                                                   "numbers.json")]  # fmt: skip
    text = f"{machine} {written} {profile!r}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH).hexdigest()


def _read(path: str) -> SeccompFilter | None:
    with opened(path, os.O_RDONLY) as fd:
        content = os.read(fd, _LONGEST)
    body = content[_HASH:]
    if _digest(body) != content[:_HASH]:
        return None
    return SeccompFilter(body[_FLAGS:], int.from_bytes(body[:_FLAGS], "little"))


def _write(path: str, made: SeccompFilter) -> None:
    directory = os.path.dirname(path)
    others = os.listdir(directory)
    if len(others) >= _MOST:
        for name in others:
            with suppress(FileNotFoundError):
                os.unlink(f"{directory}/{name}")
    body = made.flags.to_bytes(_FLAGS, "little") + made.program
    write_atomic(path, _digest(body) + body, mode=0o600, durable=False)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=_HASH).digest()
