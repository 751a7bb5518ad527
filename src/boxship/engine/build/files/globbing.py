"""Patterns of COPY and ADD, as Go's ``filepath.Match`` reads them, and what they find in a tree.

::

    *       any text without a slash        [a-z]  one of these      \\x  x itself
    ?       one character, but no slash     [^a-z] none of these
    **      any number of directories (only in patterns of ``--parents`` and of exclusions)
"""

import os
import re
import stat
from collections.abc import Iterator
from functools import lru_cache

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.wildcards import DIRECTORIES, REST, STAR, Wildcards, wildcards
from boxship.kernel.paths import RESOLVE_IN_ROOT, openat2
from boxship.storage.tree import Path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def has_wildcards(part: str) -> bool:
    """Tell whether a pattern means more than the name it spells."""
    escaped = False
    for character in part:
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character in "*?[":
            return True
    return False


def unescaped(part: str) -> str:
    """Return the name that a pattern without wildcards spells."""
    return re.sub(r"\\(.)", r"\1", part)


@lru_cache(maxsize=256)
def compiled(pattern: str, *, deep: bool = False) -> Wildcards:
    """Return the pattern, for whole paths; with ``deep``, ``**`` has its meaning.

    InvalidArgumentError: a bracket that nothing closes, or a backslash at the end.
    """
    parts, at = [], 0
    while at < len(pattern):
        text, at = _one(pattern, at, deep)
        parts.append(text)
    return wildcards(parts)


def _one(pattern: str, at: int, deep: bool) -> tuple[str, int]:
    character = pattern[at]
    if character == "*":
        if deep and pattern.startswith("**/", at):
            return DIRECTORIES, at + 3
        if deep and pattern.startswith("**", at):
            return REST, at + 2
        return STAR, at + 1
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _brackets(pattern, at)
    if character == "\\":
        if at + 1 == len(pattern):
            raise _bad(pattern)
        return re.escape(pattern[at + 1]), at + 2
    return re.escape(character), at + 1


def _brackets(pattern: str, at: int) -> tuple[str, int]:
    start, at = at, at + 1
    negated = pattern.startswith("^", at)
    at += negated
    ranges: list[str] = []
    while at < len(pattern) and (pattern[at] != "]" or not ranges):
        low, at = _literal(pattern, at)
        high = low
        if pattern.startswith("-", at) and at + 1 < len(pattern):
            high, at = _literal(pattern, at + 1)
        if low > high:
            raise _bad(pattern)
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    if at >= len(pattern) or not ranges or start == at:
        raise _bad(pattern)
    return f"(?!/)[{'^' if negated else ''}{''.join(ranges)}]", at + 1


def _literal(pattern: str, at: int) -> tuple[str, int]:
    if pattern[at] == "\\":
        at += 1
    if at >= len(pattern) or (pattern[at] in "]-" and pattern[at - 1] != "\\"):
        raise _bad(pattern)
    return pattern[at], at + 1


def _bad(pattern: str) -> InvalidArgumentError:
    return InvalidArgumentError(f"syntax error in pattern {pattern!r}")


def found(root: int, pattern: str, *, deep: bool = False) -> Iterator[Path]:
    """Yield the paths below ``root`` that a cleaned pattern fits, sorted; what is inside of one
    that fits is not looked at.

    Links are followed, within the root, up to the first part with a wildcard in it.
    """
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    fixed = next((n for n, part in enumerate(parts) if has_wildcards(part)), len(parts))
    base = tuple(os.fsencode(unescaped(part)) for part in parts[:fixed])
    if fixed == len(parts):
        yield base
        return
    expression = compiled("/".join(parts[fixed:]), deep=deep)
    try:
        top = openat2(root, os.fsdecode(b"/".join(base)) or ".", _DIRECTORY & ~os.O_NOFOLLOW,
                      RESOLVE_IN_ROOT)  # fmt: skip
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        depth = None if deep else len(parts) - fixed
        for path in _walk(top, (), depth, expression):
            yield (*base, *path)
    finally:
        os.close(top)


def _walk(directory: int, above: Path, depth: int | None, expression: Wildcards) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        names = sorted(os.fsencode(entry.name) for entry in entries)
    for name in names:
        path = (*above, name)
        if expression.matches(os.fsdecode(b"/".join(path))):
            yield path
            continue
        if depth is not None and len(path) >= depth:
            continue
        if stat.S_ISDIR(os.lstat(name, dir_fd=directory).st_mode):
            below = os.open(name, _DIRECTORY, dir_fd=directory)
            try:
                yield from _walk(below, path, depth, expression)
            finally:
                os.close(below)
