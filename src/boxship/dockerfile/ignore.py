"""``.dockerignore``, and the patterns of ``--exclude``: what of a directory is not taken.

=============  ===================================================================
``*`` ``?``    any characters, one character, but no ``/``
``[a-z]``      a character of a class; ``[^a-z]`` none of it
``**``         any number of directories, none too
``!pattern``   takes what it matches in again
``#``          at the beginning of a line: a comment
=============  ===================================================================

Of the patterns that match a path the last one decides. A pattern that decided about a directory
has matched all within it. Leading ``/`` and surrounding spaces are taken off, ``.`` and ``..``
are resolved, case counts. The rules are Go's ``filepath.Match`` with Docker's additions; for their
quirks (``**name`` is a suffix, an exception for a directory that was never left out does not reach
its files) the outcome of the real thing is what counts.
"""

import posixpath
import re
from dataclasses import dataclass

from boxship.base.errors import InvalidArgumentError
from boxship.dockerfile.wildcards import DIRECTORIES, REST, STAR, Wildcards, wildcards


class PatternSyntaxError(InvalidArgumentError):
    """A pattern has an unclosed class, ends with a backslash, or is only ``!``."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """One line: what it matches, and whether it takes in (``!``) instead of leaving out."""

    text: str
    takes_in: bool
    expression: Wildcards


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a path; given for the paths within it, if it is a directory.

    ``matched`` says of each pattern whether it had a say.
    """

    left_out: bool
    matched: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Ignore:
    """A list of patterns, in their order."""

    patterns: tuple[Pattern, ...] = ()

    def decide(self, path: str, above: Decision | None = None) -> Decision:
        """Decide about ``path``, relative and with ``/``; ``above`` is about its directory."""
        left_out, matched = False, []
        for index, pattern in enumerate(self.patterns):
            match = above is not None and above.matched[index]
            if not match and pattern.takes_in == left_out:
                match = pattern.expression.matches(path)
            matched.append(match)
            if match:
                left_out = not pattern.takes_in
        return Decision(left_out, tuple(matched))

    def leaves_out(self, path: str) -> bool:
        """Tell whether ``path`` is left out, deciding about each directory above it first."""
        if not self.patterns:
            return False
        above = None
        for slash in re.finditer("/", path):
            above = self.decide(path[: slash.start()], above)
        return self.decide(path, above).left_out

    def may_take_within(self, directory: str) -> bool:
        """Tell whether something within a directory that is left out may be taken in again.

        If not, nobody has to look. Where it is not sure, it may.
        """
        return any(
            pattern.takes_in and _may_match_within(pattern.text, directory)
            for pattern in self.patterns
        )


class Ignoring:
    """An :class:`Ignore` for many paths: of each directory it is decided once."""

    def __init__(self, patterns: Ignore) -> None:
        self.patterns = patterns
        self._directories: dict[str, Decision | None] = {"": None}

    def leaves_out(self, path: str) -> bool:
        """See :meth:`Ignore.leaves_out`."""
        if not self.patterns.patterns:
            return False
        return self.patterns.decide(path, self._above(path)).left_out

    def _above(self, path: str) -> Decision | None:
        directory = path.rpartition("/")[0]
        try:
            return self._directories[directory]
        except KeyError:
            decision = self.patterns.decide(directory, self._above(directory))
            self._directories[directory] = decision
            return decision


def read_dockerignore(text: str | bytes) -> Ignore:
    """Read a ``.dockerignore``; raise :class:`PatternSyntaxError`."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    return ignore(tuple(patterns_in(text)))


def patterns_in(text: str) -> list[str]:
    """Return the patterns of a ``.dockerignore`` as a client sends them, without comments."""
    lines = text.removeprefix("\ufeff").split("\n")
    cleaned = (_cleaned(line) for line in lines if not line.startswith("#"))
    return [line for line in cleaned if line]


def ignore(lines: tuple[str, ...]) -> Ignore:
    """Make the patterns of ``lines``, which have no comments; raise PatternSyntaxError."""
    found = (_pattern(line) for line in map(_cleaned, lines) if line)
    return Ignore(tuple(one for one in found if one is not None))


def _cleaned(line: str) -> str:
    line = line.strip()
    mark = "!" if line.startswith("!") else ""
    text = line.removeprefix("!").strip()
    if not text:
        return mark
    text = posixpath.normpath(text)
    return mark + (text.lstrip("/") or "/")


def _pattern(line: str) -> Pattern | None:
    takes_in = line.startswith("!")
    text = line.removeprefix("!")
    if not text:
        raise PatternSyntaxError('illegal exclusion pattern: "!"')
    if text in (".", "/"):
        # The directory itself is what all this is within: nothing is left out by naming it.
        return None
    try:
        return Pattern(text, takes_in, wildcards(_pieces(text)))
    except re.error as error:
        raise PatternSyntaxError(f'syntax error in pattern "{line}": {error}') from None


def _pieces(pattern: str) -> list[str]:
    """Return a regular expression for each character or wildcard."""
    if pattern.startswith("**") and not any(special in pattern[2:] for special in "*?[]\\"):
        name = pattern[2:]
        directory = name.startswith("/")
        return [DIRECTORIES if directory else REST, *map(re.escape, name[directory:])]
    result: list[str] = []
    at = 0
    while at < len(pattern):
        if pattern.startswith("**", at):
            at += 3 if pattern.startswith("**/", at) else 2
            result.append(DIRECTORIES if at < len(pattern) else REST)
        else:
            piece, at = _piece(pattern, at)
            result.append(piece)
    return result


def _piece(pattern: str, at: int) -> tuple[str, int]:
    """Translate what is at ``at``; return where it goes on."""
    character = pattern[at]
    if character == "*":
        return STAR, at + 1
    if character == "?":
        return "[^/]", at + 1
    if character == "[":
        return _character_class(pattern, at + 1)
    if character == "\\":
        return _escaped(pattern, at + 1), at + 2
    return re.escape(character), at + 1


def _escaped(pattern: str, at: int) -> str:
    if at >= len(pattern):
        raise PatternSyntaxError(f'syntax error in pattern "{pattern}": it ends with a backslash')
    return re.escape(pattern[at])


_CLASS = re.compile(r"(\^?)((?:\\.|[^\]\\])+)\]", re.DOTALL)


def _character_class(pattern: str, at: int) -> tuple[str, int]:
    """Translate a class; ``at`` is behind its bracket."""
    match = _CLASS.match(pattern, at)
    if match is None:
        raise PatternSyntaxError(
            f'syntax error in pattern "{pattern}": a class is empty or unclosed'
        )
    # What Python reads, or warns that it will read, differently: brackets, operators of sets.
    inside = re.sub(
        r"\\.|--|[\[&~|]",
        lambda one: r"-\-" if one[0] == "--" else re.escape(one[0][-1]),
        match[2],
        flags=re.DOTALL,
    )
    return f"[{match[1]}{inside}]", match.end()


def _may_match_within(pattern: str, directory: str) -> bool:
    for wanted, name in zip(pattern.split("/"), directory.split("/"), strict=False):
        if "**" in wanted:
            return True
        if not wildcards(_pieces(wanted)).matches(name):
            return False
    return True
