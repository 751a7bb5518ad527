"""``--env``, ``--env-file``, ``--label`` and ``--label-file``."""

import os
from codecs import BOM_UTF8
from collections.abc import Iterable, Mapping

from boxship.base.errors import InvalidArgumentError

_SPACES_IN_NAMES = " \t"
_SPACES = (
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""Unicode's White_Space; what str.strip() takes away besides belongs to a name for Docker."""


def check_env(text: str) -> str:
    """``NAME=value`` or ``NAME``."""
    if not text.partition("=")[0]:
        raise ValueError(f"invalid environment variable: {text}")
    return text


def check_label(text: str) -> str:
    """``key=value`` or ``key``."""
    if not text.partition("=")[0]:
        raise ValueError(f"invalid label '{text}': empty name")
    return text


def variables(
    files: Iterable[str], assignments: Iterable[str], ours: Mapping[str, str]
) -> list[str]:
    """Files first, then flags. A bare name takes our value; without one, a flag still names it."""
    found: list[str] = []
    for path in files:
        for line in _lines(path):
            name, separator, _ = line.partition("=")
            _check_name(name, line, path)
            if separator:
                found.append(line)
            elif name in ours:
                found.append(f"{name}={ours[name]}")
    for assignment in assignments:
        bare = "=" not in assignment
        taken = bare and assignment in ours
        found.append(f"{assignment}={ours[assignment]}" if taken else assignment)
    return found


def labels(files: Iterable[str], assignments: Iterable[str]) -> dict[str, str]:
    """Files first, then flags. A bare key in a file is ignored, in a flag it is an empty label."""
    found: dict[str, str] = {}
    for path in files:
        for line in _lines(path):
            name, separator, value = line.partition("=")
            _check_name(name, line, path)
            if separator:
                found[name] = value
    for assignment in assignments:
        name, _, value = assignment.partition("=")
        found[name] = value
    return found


def _check_name(name: str, line: str, path: str) -> None:
    if not name:
        raise InvalidArgumentError(f"invalid env file ({path}): no variable name on line '{line}'")
    if any(space in name for space in _SPACES_IN_NAMES):
        raise InvalidArgumentError(
            f"invalid env file ({path}): variable '{name}' contains whitespaces"
        )


def _lines(path: str) -> Iterable[str]:
    """Lines without those that are empty or comments; a byte order mark is skipped."""
    try:
        with open(path, "rb") as file:
            lines = file.read().removeprefix(BOM_UTF8).split(b"\n")
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidArgumentError(f"open {path}: {reason}") from error
    for number, line in enumerate(lines, 1):
        try:
            stripped = line.removesuffix(b"\r").decode().lstrip(_SPACES)
        except UnicodeDecodeError as error:
            raise InvalidArgumentError(
                f"invalid env file ({path}): line {number} is not UTF-8"
            ) from error
        if stripped and not stripped.startswith("#"):
            yield stripped
