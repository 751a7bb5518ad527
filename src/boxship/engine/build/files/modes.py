"""``--chmod``: octal, or symbolic as chmod(1) has it (``u=rwX,go=rX``). Pure."""

import re
import stat
from collections.abc import Callable

from boxship.base.errors import InvalidArgumentError

Mode = Callable[[int], int]
"""Makes of a file's mode (with its type) the permission bits that it is to have."""

_OCTAL = re.compile(r"[0-7]{1,5}")
_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=](?:[ugo]|[rwxXst]*))+)")
_ACTION = re.compile(r"([-+=])([ugo]|[rwxXst]*)")
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007}
_SHIFT = {"u": 6, "g": 3, "o": 0}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_ALL = 0o7777


def parse(text: str) -> Mode | None:
    """Read a mode; None for an empty text. InvalidArgumentError."""
    if not text:
        return None
    if _OCTAL.fullmatch(text) and int(text, 8) <= _ALL:
        number = int(text, 8)
        return lambda _: number
    clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
    if not all(clauses):
        raise InvalidArgumentError(
            f"invalid chmod parameter: '{text}'. it should be octal string and between 0 and "
            "07777, or symbolic as of chmod(1)"
        )
    steps = [
        (clause[1] or "a", action[1], action[2])
        for clause in clauses
        if clause is not None
        for action in _ACTION.finditer(clause[2])
    ]

    def change(mode: int) -> int:
        bits, is_directory = stat.S_IMODE(mode), stat.S_ISDIR(mode)
        for who, operator, what in steps:
            bits = _changed(bits, who, operator, what, is_directory=is_directory)
        return bits

    return change


def _changed(bits: int, who: str, operator: str, what: str, *, is_directory: bool) -> int:
    mask = _ALL if "a" in who else 0
    for each in who.replace("a", ""):
        mask |= _WHO[each]
    value = _value(bits, what, is_directory=is_directory) & mask
    if operator == "+":
        return bits | value
    if operator == "-":
        return bits & ~value
    # Of a directory, set-user-id and set-group-id stay unless they are named, as in chmod(1).
    kept = 0o6000 if is_directory else 0
    return (bits & ~(mask & ~kept)) | value


def _value(bits: int, what: str, *, is_directory: bool) -> int:
    if what in _SHIFT:  # as those have it
        return (bits >> _SHIFT[what] & 0o7) * 0o111
    value = 0
    for each in what:
        if each == "X":
            value |= 0o111 if is_directory or bits & 0o111 else 0
        else:
            value |= _BITS[each]
    return value
