"""Template text to tokens.

Outside of ``{{ }}`` everything is text. ``{{-`` and ``-}}`` trim the white space of the text beside
them; ``{{/* */}}`` is a comment. Inside, a run of blanks is a token too, because ``.A.B`` chains
and ``.A .B`` are two arguments.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from boxship.gotemplate.errors import ParseError


class T(Enum):
    TEXT = "text"
    LEFT = "{{"
    RIGHT = "}}"
    SPACE = "space"
    NAME = "name"  # functions and keywords
    FIELD = "field"  # .Name
    DOT = "."
    VARIABLE = "$name"
    NUMBER = "number"
    STRING = "string"
    CHARACTER = "character"
    PIPE = "|"
    OPEN = "("
    CLOSE = ")"
    DECLARE = ":="
    ASSIGN = "="
    COMMA = ","
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    kind: T
    text: str
    position: int


_LEFT = "{{"
_BLANK = " \t\r\n"

_INSIDE = re.compile(
    r"""
      (?P<right>[ \t\r\n]-\}\}|\}\})
    | (?P<space>[ \t\r\n]+)
    | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+
        |(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))
    | (?P<field>\.[^\W\d]\w*)
    | (?P<dot>\.)
    | (?P<variable>\$\w*)
    | (?P<name>[^\W\d]\w*)
    | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
    | (?P<character>'(?:[^'\\\n]|\\.)+')
    | (?P<declare>:=)
    | (?P<assign>=)
    | (?P<pipe>\|)
    | (?P<open>\()
    | (?P<close>\))
    | (?P<comma>,)
    """,
    re.VERBOSE,
)

_KINDS = {
    "space": T.SPACE,
    "number": T.NUMBER,
    "field": T.FIELD,
    "dot": T.DOT,
    "variable": T.VARIABLE,
    "name": T.NAME,
    "string": T.STRING,
    "character": T.CHARACTER,
    "declare": T.DECLARE,
    "assign": T.ASSIGN,
    "pipe": T.PIPE,
    "open": T.OPEN,
    "close": T.CLOSE,
    "comma": T.COMMA,
}


def line_of(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def tokens(source: str, name: str = "") -> Iterator[Token]:
    """All tokens, closed by END. Raise ParseError for what is no token."""
    position, trim_left = 0, False
    while True:
        start = source.find(_LEFT, position)
        text = source[position:] if start < 0 else source[position:start]
        if trim_left:
            text = text.lstrip(_BLANK)
        if start < 0:
            if text:
                yield Token(T.TEXT, text, position)
            yield Token(T.END, "", len(source))
            return
        inside = start + 2
        if source[inside : inside + 1] == "-" and source[inside + 1 : inside + 2] in _BLANK:
            text = text.rstrip(_BLANK)
            inside += 2
        if text:
            yield Token(T.TEXT, text, position)
        if source.startswith("/*", inside):
            position, trim_left = _comment(source, inside, name)
            continue
        yield Token(T.LEFT, _LEFT, start)
        for token in _action(source, inside, name):
            yield token
            if token.kind is T.RIGHT:
                position = token.position + len(token.text)
                trim_left = token.text.lstrip(_BLANK).startswith("-")


def _comment(source: str, start: int, name: str) -> tuple[int, bool]:
    end = source.find("*/", start)
    if end < 0:
        raise ParseError(f"template: {name}:{line_of(source, start)}: unclosed comment")
    tail = source[end + 2 :]
    if tail.startswith("}}"):
        return end + 4, False
    if tail[:1] in _BLANK and tail[1:].startswith("-}}"):
        return end + 6, True
    raise ParseError(
        f"template: {name}:{line_of(source, start)}: comment ends before closing delimiter"
    )


def _action(source: str, start: int, name: str) -> Iterator[Token]:
    position, depth = start, 0
    while True:
        match = _INSIDE.match(source, position)
        if match is None:
            raise ParseError(_broken(source, position, name))
        kind = match.lastgroup or ""
        if kind == "right":
            if depth:
                line = line_of(source, position)
                raise ParseError(f"template: {name}:{line}: unclosed left paren")
            yield Token(T.RIGHT, match[0], position)
            return
        depth += (kind == "open") - (kind == "close")
        if depth < 0:
            line = line_of(source, position)
            raise ParseError(f"template: {name}:{line}: unexpected right paren")
        yield Token(_KINDS[kind], match[0], position)
        position = match.end()


def _broken(source: str, position: int, name: str) -> str:
    place = f"template: {name}:{line_of(source, position)}"
    if position >= len(source):
        return f"{place}: unclosed action"
    character = source[position]
    if character in '"`':
        kind = "quoted" if character == '"' else "raw quoted"
        return f"{place}: unterminated {kind} string"
    if character == "'":
        return f"{place}: unterminated character constant"
    return f"{place}: unexpected {character!r} in command"
