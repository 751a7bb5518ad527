"""From a text to logical lines: comments out, continuations joined, heredocs' bodies beside.

Positions are those of physical lines, counted from 1. Rules that are easily got wrong:

- A comment or an empty line between two parts of a continued line is skipped; only the empty line
  is reported.
- The beginning of a continued part keeps its spaces.
- ``\\`` at the end of a line continues it, ``\\\\`` does not.
- Whether ``<<EOF`` begins a heredoc depends on the instruction, so the body is read on demand.
"""

import re
from dataclasses import dataclass, field

from boxship.dockerfile.errors import DockerfileError, ExpansionError
from boxship.dockerfile.instructions import Heredoc
from boxship.dockerfile.places import Range
from boxship.dockerfile.shellwords import WHITESPACE, Rules, expand_word

_HEREDOC = re.compile(r"(\d*)<<(-?)([^<]*)", re.ASCII | re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogicalLine:
    """One instruction's text, without heredocs' bodies.

    ``comments`` are those directly above, without ``#``. ``empty_line`` is where a continued line
    has an empty one, or 0.
    """

    text: str
    line_start: int
    line_end: int
    comments: tuple[str, ...] = ()
    empty_line: int = 0


@dataclass(slots=True)
class Lines:
    """The lines of a text, read one logical line after the other."""

    text: str
    escape: str = "\\"
    file: str = ""
    _lines: list[str] = field(default_factory=list)
    _at: int = 0

    def __post_init__(self) -> None:
        self._lines = re.findall(r"[^\n]*\n|[^\n]+", self.text.removeprefix("\ufeff"))
        mark = re.escape(self.escape)
        self._continued = re.compile(rf"(?:^|(?<=[^{mark}])){mark}[ \t]*$")

    _continued: re.Pattern[str] = field(init=False)

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> LogicalLine:
        """Return the next logical line that has any text."""
        comments: list[str] = []
        while self._at < len(self._lines):
            line = self._take().lstrip(WHITESPACE)
            if line.startswith("#"):
                comment = line[1:].strip(WHITESPACE)
                comments = [*comments, comment] if comment else []
            elif line:
                return self._joined(line, tuple(comments))
            else:
                comments = []
        raise StopIteration

    def _take(self) -> str:
        line = self._lines[self._at]
        self._at += 1
        return line.rstrip("\r\n")

    def _joined(self, line: str, comments: tuple[str, ...]) -> LogicalLine:
        start, empty = self._at, 0
        parts = [line]
        while self._continued.search(parts[-1]):
            parts[-1] = self._continued.sub("", parts[-1])
            following = self._following()
            if following is None:
                break
            part, empty_line = following
            empty = empty or empty_line
            parts.append(part)
        return LogicalLine("".join(parts), start, self._at, comments, empty)

    def _following(self) -> tuple[str, int] | None:
        """Return the part that continues a line, and the first empty line before it."""
        empty = 0
        while self._at < len(self._lines):
            line = self._take()
            stripped = line.lstrip(WHITESPACE)
            if not stripped:
                empty = empty or self._at
            elif not stripped.startswith("#"):
                return line, empty
        return ("", empty) if empty else None

    def read_heredocs(self, line: LogicalLine) -> tuple[tuple[Heredoc, ...], LogicalLine]:
        """Read the bodies of the heredocs that ``line`` opens; return it with its true end."""
        bodies = [self._read_body(one, line) for one in heredocs_in(line.text)]
        whole = LogicalLine(line.text, line.line_start, self._at, line.comments, line.empty_line)
        return tuple(bodies), whole if bodies else line

    def _read_body(self, opened: Heredoc, line: LogicalLine) -> Heredoc:
        first = self._at
        while self._at < len(self._lines):
            end = self._take()
            if (end.lstrip("\t") if opened.chomp else end) == opened.name:
                content = "".join(self._lines[first : self._at - 1])
                return Heredoc(opened.name, content, opened.expand, opened.chomp, opened.descriptor)
        raise DockerfileError(
            "unterminated heredoc",
            Range(line.line_start, line.line_end, self.file),
            hint=f"there is no line that is only {opened.name}",
        )


def heredocs_in(line: str) -> list[Heredoc]:
    """Return the heredocs, still empty, that a line opens."""
    rules = Rules(keep_quotes=True, keep_escapes=True, keep_unset=True)
    try:
        words = expand_word(line, {}, rules).words
    except ExpansionError:
        # What is no complete word for us may be one for the shell that gets the line.
        return []
    return [found for word in words if (found := heredoc_word(word))]


def heredoc_word(word: str) -> Heredoc | None:
    """Read ``<<EOF`` in all its forms; ``None`` if it is an ordinary word."""
    match = _HEREDOC.fullmatch(word)
    if match is None or not match[3]:
        return None
    try:
        plain = expand_word(match[3], {}, Rules(keep_unset=True)).words
    except ExpansionError:
        return None
    if len(plain) != 1:
        return None
    quoted = sum(map(match[3].count, "'\"")) != sum(map(plain[0].count, "'\""))
    return Heredoc(
        name=plain[0],
        content="",
        expand=not quoted,
        chomp=match[2] == "-",
        descriptor=int(match[1] or 0),
    )
