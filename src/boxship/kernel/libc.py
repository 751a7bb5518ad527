"""The C library's door into the kernel, opened once.

``function`` binds a libc symbol and ``system_call`` a number for calls the library has no wrapper
for. Both return a callable that raises ``OSError`` naming the call when the kernel says no; a
path given by keyword goes into the error as well. Integers travel as C longs throughout: a
32-bit integer handed to the variadic ``syscall()`` would leave rubbish in the upper half.
"""

from __future__ import annotations

import ctypes
import os

from boxship.kernel.machine import MACHINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol
else:
    Protocol = object

_LIBC = ctypes.CDLL(None, use_errno=True)

LONG = ctypes.c_long
TEXT = ctypes.c_char_p
POINTER = ctypes.c_void_p


class Call(Protocol):
    """A bound system call."""

    def __call__(self, *arguments: Any, path: str = "") -> int: ...


def function(name: str, *argument_types: Any) -> Call:
    """Bind the libc function ``name``."""
    return _checked(name, _typed(name, argument_types))


def system_call(name: str, number: int | dict[str, int], *argument_types: Any) -> Call:
    """Bind a system call by number; one number for all machines, or a table of them."""
    value = number if isinstance(number, int) else number[MACHINE]
    raw = _typed("syscall", (LONG, *argument_types))
    return _checked(name, lambda *arguments: raw(value, *arguments))


def _typed(symbol: str, argument_types: tuple[Any, ...]) -> Callable[..., int]:
    bound = _LIBC[symbol]
    bound.argtypes = argument_types
    bound.restype = LONG if symbol == "syscall" else ctypes.c_int
    return bound


def _checked(name: str, raw: Callable[..., int]) -> Call:
    def call(*arguments: Any, path: str = "") -> int:
        result = raw(*arguments)
        if result < 0:
            code = ctypes.get_errno()
            message = f"{name}: {os.strerror(code)}"
            raise OSError(code, message, path) if path else OSError(code, message)
        return result

    return call


def encoded(text: str) -> bytes:
    """Return ``text`` as the kernel takes a path: file system encoding, no NUL inside."""
    raw = os.fsencode(text)
    if b"\0" in raw:
        raise ValueError("embedded null byte")
    return raw
