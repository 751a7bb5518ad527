"""Identifiers of containers, execs and networks: 256 random bits as 64 lower-case hex digits."""

import os
import re
from collections.abc import Callable

_FULL = re.compile(r"[0-9a-f]{64}")
SHORT = 12


def new_id(draw: Callable[[int], bytes] = os.urandom) -> str:
    """Return a fresh identifier from 32 random bytes; its short form is never all digits.

    A short form of digits alone would read as a number, for instance as a PID by ``ps`` or as a
    port by a shell script, so such an identifier is thrown away.
    """
    while True:
        candidate = draw(32).hex()
        if not candidate[:SHORT].isdigit():
            return candidate


def is_full_id(text: str) -> bool:
    """Tell whether ``text`` is a whole identifier, as opposed to a prefix or a name."""
    return _FULL.fullmatch(text) is not None


def short_id(identifier: str) -> str:
    """Return the 12 digits people see; a ``sha256:`` in front is dropped."""
    return identifier.removeprefix("sha256:")[:SHORT]


def boot_id() -> str:
    """Return the kernel's name for the time since the machine was started."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()
