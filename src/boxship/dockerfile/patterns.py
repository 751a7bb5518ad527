"""Patterns within a variable's reference: ``*`` and ``?``, no brackets.

POSIX, Shell Command Language, 2.13. A backslash takes the meaning of ``*``, ``?`` and ``\\`` away;
before ``}`` and ``/`` it keeps the reference from ending there and is not part of the pattern.

Matching takes time in proportion to the value's length times the pattern's: of what stands
between two stars, the first place that matches is as good as any other. One regular expression for
the whole pattern would do in a few lines, and let twenty stars in a Dockerfile stop the daemon.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

_STAR, _ANY = "*", "?"


class PatternError(Exception):
    """The pattern has a backslash before a character that means nothing special."""


@dataclass(frozen=True, slots=True)
class _Token:
    """A character; or, if it is special, a star or any character."""

    character: str
    special: bool = False

    @property
    def expression(self) -> str:
        return "." if self.special else re.escape(self.character)


@dataclass(frozen=True, slots=True)
class _Pattern:
    """What stands between stars: expressions that match so many characters as they have tokens."""

    pieces: tuple[re.Pattern[str], ...]
    last_length: int

    def rest(self, value: str, at: int, *, longest: bool) -> int | None:
        """Match what follows the first piece, from ``at`` on; return where the match ends."""
        if len(self.pieces) == 1:
            return at
        for piece in self.pieces[1:-1]:
            match = piece.search(value, at)
            if match is None:
                return None
            at = match.end()
        last = self.pieces[-1]
        starts = range(at, len(value) - self.last_length + 1)
        found = (one for one in (reversed(starts) if longest else starts) if last.match(value, one))
        start = next(found, None)
        return None if start is None else start + self.last_length


def without_prefix(value: str, pattern: str, *, greedy: bool) -> str:
    """Take the shortest (``greedy``: longest) beginning that matches from ``value``."""
    return _cut(value, _tokens(pattern), greedy)


def without_suffix(value: str, pattern: str, *, greedy: bool) -> str:
    """Take the shortest (``greedy``: longest) end that matches from ``value``."""
    return _cut(value[::-1], _tokens(pattern)[::-1], greedy)[::-1]


def _cut(value: str, tokens: Sequence[_Token], greedy: bool) -> str:
    pattern = _compiled(tokens)
    first = pattern.pieces[0].match(value)
    end = pattern.rest(value, first.end(), longest=greedy) if first else None
    return value if end is None else value[end:]


def replaced(value: str, pattern: str, word: str, *, every: bool) -> str:
    """Put ``word``, taken literally, in the place of the first match or of all."""
    wanted = _compiled(_tokens(pattern))
    result: list[str] = []
    done = at = 0
    while at <= len(value) and (first := wanted.pieces[0].search(value, at)):
        end = wanted.rest(value, first.end(), longest=True)
        if end is None:
            # What follows is not behind this place, so it is not behind any later one either.
            break
        if end == first.start() == done and result:
            # Nothing matched right behind a match: that is the end of the one before.
            at = end + 1
            continue
        result += [value[done : first.start()], word]
        done = end
        at = end if end > first.start() else end + 1
        if not every:
            break
    return "".join([*result, value[done:]])


def _compiled(tokens: Sequence[_Token]) -> _Pattern:
    pieces: list[list[_Token]] = [[]]
    for token in tokens:
        if token.special and token.character == _STAR:
            pieces.append([])
        else:
            pieces[-1].append(token)
    expressions = ("".join(token.expression for token in piece) for piece in pieces)
    return _Pattern(tuple(re.compile(one, re.DOTALL) for one in expressions), len(pieces[-1]))


def _tokens(pattern: str) -> list[_Token]:
    tokens, at = [], 0
    while at < len(pattern):
        character = pattern[at]
        at += 1
        if character != "\\":
            tokens.append(_Token(character, character in (_STAR, _ANY)))
        elif pattern[at : at + 1] not in ("}", "/"):
            escaped = pattern[at : at + 1]
            if escaped not in (_STAR, _ANY, "\\"):
                raise PatternError(
                    f"invalid pattern ({pattern}) in substitution: invalid escape '\\{escaped}'"
                )
            tokens.append(_Token(escaped))
            at += 1
    return tokens
