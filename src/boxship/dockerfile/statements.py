"""From a text to statements: lines taken apart, files that INCLUDE names put in their place."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from boxship.dockerfile.directives import read_directives
from boxship.dockerfile.errors import DockerfileError, IncludesWantedError
from boxship.dockerfile.flags import split_flags
from boxship.dockerfile.instructions import Directives, Heredoc
from boxship.dockerfile.lines import Lines, LogicalLine
from boxship.dockerfile.places import Range
from boxship.dockerfile.readers.statement import Statement, json_list, spaced
from boxship.dockerfile.readers.table import INSTRUCTIONS
from boxship.dockerfile.shellwords import WHITESPACE

_DEEPEST = 16
_SPACES = re.compile(r"[\t\v\f\r ]+")


@dataclass(slots=True)
class Statements:
    """The statements of a Dockerfile and of all that it includes, in order.

    ``included`` are the texts that INCLUDE may name, by path from the Dockerfile's root. What is
    named and missing is collected: :class:`IncludesWantedError` has all of it when the rest was
    read. ``empty_lines`` are the empty lines found within continued ones.
    """

    included: Mapping[str, str]
    used: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, Range] = field(default_factory=dict)
    empty_lines: list[Range] = field(default_factory=list)

    def read(self, text: str, name: str) -> Iterator[Statement]:
        """Yield the statements of ``text``; ``name`` is its path, for INCLUDE's relative ones."""
        yield from self._file(text, read_directives(text), "", (posixpath.normpath(name),))
        if self.wanted:
            first = next(iter(self.wanted.values()))
            raise IncludesWantedError(tuple(self.wanted), first)

    def _file(
        self, text: str, directives: Directives, file: str, opened: tuple[str, ...]
    ) -> Iterator[Statement]:
        lines = Lines(text, directives.escape, file)
        for line in lines:
            statement = self.one(lines, line)
            if statement.name == "INCLUDE":
                yield from self._include(statement, opened)
            else:
                yield statement

    def one(self, lines: Lines, line: LogicalLine) -> Statement:
        """Return ``line``, the last that was read of ``lines``, as a statement."""
        if line.empty_line:
            self.empty_lines.append(Range(line.empty_line, line.empty_line, lines.file))
        code = line.text.strip(WHITESPACE)
        keyword, flags, rest = take_apart(code)
        heredocs: tuple[Heredoc, ...] = ()
        where = Range(line.line_start, line.line_end, lines.file)
        try:
            if _may_open_heredocs(keyword, rest):
                heredocs, line = lines.read_heredocs(line)
        except DockerfileError as error:
            raise error.at(where) from None
        return Statement(
            keyword=keyword,
            flags=flags,
            rest=rest,
            code=code,
            where=Range(line.line_start, line.line_end, lines.file),
            escape=lines.escape,
            comments=line.comments,
            heredocs=heredocs,
        )

    def _include(self, statement: Statement, opened: tuple[str, ...]) -> Iterator[Statement]:
        path = _included_path(statement, opened)
        text = self.included.get(path)
        if text is None:
            self.wanted.setdefault(path, statement.where)
            return
        self.used[path] = text
        yield from self._file(text, read_directives(text, path), path, (*opened, path))


def take_apart(code: str) -> tuple[str, list[str], str]:
    """Split a line into keyword, options and the rest."""
    parts = _SPACES.split(code, maxsplit=1)
    flags, rest = split_flags(parts[1]) if len(parts) > 1 else ([], "")
    return parts[0], flags, rest.strip(WHITESPACE)


def _may_open_heredocs(keyword: str, rest: str) -> bool:
    if "<<" not in rest:
        return False
    if keyword.upper() == "ONBUILD":
        keyword, _, rest = take_apart(rest)
    entry = INSTRUCTIONS.get(keyword.upper())
    return entry is not None and entry.heredocs and json_list(rest) is None


def _included_path(statement: Statement, opened: tuple[str, ...]) -> str:
    words = spaced(statement.rest)
    if len(words) != 1 or statement.flags:
        raise DockerfileError(
            "INCLUDE requires exactly one argument", statement.where, hint="INCLUDE <path>"
        )
    path = posixpath.normpath(posixpath.join(posixpath.dirname(opened[-1]), words[0]))
    if path.startswith(("/", "../")) or path in (".", ".."):
        raise DockerfileError(
            f'INCLUDE "{words[0]}" is not within the directory of the build', statement.where
        )
    if path in opened:
        raise DockerfileError(
            f"INCLUDE goes in a circle: {' includes '.join([*opened, path])}", statement.where
        )
    if len(opened) > _DEEPEST:
        raise DockerfileError(f"INCLUDE is nested more than {_DEEPEST} deep", statement.where)
    return path
