"""Patterns within a variable's reference: ``*`` and ``?``, no brackets.

POSIX, Shell Command Language, 2.13. A backslash takes the meaning of ``*``, ``?`` and ``\\`` away;
before ``}`` and ``/`` it keeps the reference from ending there and is not part of the pattern.
"""

import re


class PatternError(Exception):
    """The pattern has a backslash before a character that means nothing special."""


def without_prefix(value: str, pattern: str, *, greedy: bool) -> str:
    """Take the shortest (``greedy``: longest) beginning that matches from ``value``."""
    match = re.match(_regex(pattern, greedy=greedy), value, re.DOTALL)
    return value[match.end() :] if match else value


def without_suffix(value: str, pattern: str, *, greedy: bool) -> str:
    """Take the shortest (``greedy``: longest) end that matches from ``value``."""
    wanted = re.compile(_regex(pattern, greedy=True), re.DOTALL)
    starts = range(len(value) + 1) if greedy else range(len(value), -1, -1)
    return next((value[:at] for at in starts if wanted.fullmatch(value, at)), value)


def replaced(value: str, pattern: str, word: str, *, every: bool) -> str:
    """Put ``word``, taken literally, in the place of the first match or of all."""
    return re.sub(
        _regex(pattern, greedy=True),
        lambda _: word,
        value,
        count=0 if every else 1,
        flags=re.DOTALL,
    )


def _regex(pattern: str, *, greedy: bool) -> str:
    result, at = "", 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character == "*":
            result += ".*" if greedy else ".*?"
        elif character == "?":
            result += "."
        elif character != "\\":
            result += re.escape(character)
        elif pattern[at : at + 1] not in ("}", "/"):
            escaped = pattern[at : at + 1]
            if escaped not in ("*", "?", "\\"):
                raise PatternError(
                    f"invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'"
                )
            result += re.escape(escaped)
            at += 1
    return result
