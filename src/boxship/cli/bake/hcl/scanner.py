"""A cursor over a text: spaces, comments, words, and errors that name the place."""

import re
from typing import NoReturn

from boxship.cli.bake.hcl.syntax import HclError, Place

_SPACE = re.compile(r"(?:[ \t]|\r(?=\n)|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|//[^\n]*|#[^\n]*|/\*.*?\*/)*", re.DOTALL)
_IDENTIFIER = re.compile(r"[^\W\d][\w-]*")
_NUMBER = re.compile(r"\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_DEEPEST = 80


class Scanner:
    """Where a parser is in a text.

    ``line`` and ``column`` are those of the text's begin in its file. ``within`` counts open
    brackets, between which ends of lines are only space.
    """

    def __init__(self, text: str, file: str, line: int = 1, column: int = 1) -> None:
        self.text, self.file, self.at = text, file, 0
        self.line, self.column = line, column
        self.within = 0
        self.depth = 0

    def place(self, at: int | None = None) -> Place:
        """Return the place of ``at``, or of where the scanner is."""
        before = self.text[: self.at if at is None else at]
        lines = before.count("\n")
        column = len(before) - (before.rfind("\n") + 1) + 1
        return Place(self.file, self.line + lines, column + (0 if lines else self.column - 1))

    def fail(self, problem: str) -> NoReturn:
        """Raise an error at this place."""
        raise HclError(problem, self.place())

    def deeper(self) -> None:
        """Count one more level of nesting; the caller takes it off again."""
        self.depth += 1
        if self.depth > _DEEPEST:
            self.fail(f"nested more than {_DEEPEST} deep")

    def skip(self) -> None:
        """Skip space and comments; ends of lines, too, if within brackets."""
        match = (_SPACE_AND_LINES if self.within else _SPACE).match(self.text, self.at)
        if match:
            self.at = match.end()

    def skip_lines(self) -> None:
        """Skip space, comments and ends of lines."""
        match = _SPACE_AND_LINES.match(self.text, self.at)
        if match:
            self.at = match.end()

    @property
    def ended(self) -> bool:
        """Tell whether there is nothing left."""
        return self.at >= len(self.text)

    def sees(self, word: str) -> bool:
        """Tell whether ``word`` comes next, after space."""
        self.skip()
        return self.text.startswith(word, self.at)

    def take(self, word: str) -> bool:
        """Take ``word`` if it comes next."""
        if not self.sees(word):
            return False
        self.at += len(word)
        return True

    def expect(self, word: str, what: str) -> None:
        """Take ``word``; raise an error that says for what it is missing."""
        if not self.take(word):
            found = self.text[self.at : self.at + 1]
            shown = repr(found) if found.strip() else "the end of the line" if found else "the end"
            self.fail(f"expected {word!r} {what}, found {shown}")

    def keyword(self, word: str) -> bool:
        """Take ``word`` if it comes next as a whole identifier."""
        self.skip()
        match = _IDENTIFIER.match(self.text, self.at)
        if match is None or match[0] != word:
            return False
        self.at = match.end()
        return True

    def identifier(self) -> str:
        """Take an identifier, or return an empty text."""
        self.skip()
        match = _IDENTIFIER.match(self.text, self.at)
        if match is None:
            return ""
        self.at = match.end()
        return match[0]

    def number(self) -> int | float | None:
        """Take a number, or return ``None``."""
        self.skip()
        match = _NUMBER.match(self.text, self.at)
        if match is None:
            return None
        if len(match[0]) > 60:
            self.fail("a number with too many digits")
        self.at = match.end()
        return whole(float(match[0])) if match[0].strip("0123456789") else int(match[0])


def whole(number: float) -> int | float:
    """Return an int if the number is one: HCL has one kind of numbers."""
    return int(number) if abs(number) < 2**53 and number % 1 == 0 else number
